"""Every text of the page and its notices, in Spanish and English. A test holds that both have the same fields."""

from __future__ import annotations

from typing import Any

from index.errors import OradorError
from space.question_texts import QUESTION_TEXTS
from space.report_texts import REPORT_TEXTS

TEXTS: dict[str, tuple[str, str]] = {
    "tagline": (
        "Discursos que hablan como sus textos, escritos palabra a palabra en este mismo ordenador, sin tarjeta gráfica.",
        "Speeches that speak like your texts, written word by word on this very machine, without a graphics card.",
    ),
    "language": ("Idioma", "Language"),
    "tab.finetuned": ("Afinado", "Fine-tuned"),
    "tab.rag": ("RAG · con documentos", "RAG · with documents"),
    "finetuned.lead": (
        "El modelo ha aprendido la forma de hablar de un corpus. Dele un tema y escuche cómo empieza.",
        "The model has learned how a corpus speaks. Give it a topic and listen to how it begins.",
    ),
    "rag.lead": (
        "Antes de escribir busca fragmentos en los documentos y los enseña; al acabar señala qué frases dicen lo que dice un fragmento y cuáles no.",
        "Before writing it looks for passages in the documents and shows them; at the end it marks which sentences say what a passage says.",
    ),
    "generator": ("Generador", "Generator"),
    "topics": ("Temas", "Topics"),
    "topics.info": ("Uno o varios, separados por comas.", "One or several, separated by commas."),
    "topics.hint": ("el mar, la paciencia", "the sea, patience (Spanish works best)"),
    "field": ("Habla un experto en…", "The speaker is an expert in…"),
    "field.info": ("Si queda vacío, en los propios temas.", "If empty, in the topics themselves."),
    "field.hint": ("oceanografía", "oceanography"),
    "opening": ("Primera frase (opcional)", "First line (optional)"),
    "opening.info": ("El discurso continuará desde aquí.", "The speech goes on from here."),
    "opening.hint": ("La primera vez que vi el mar…", "The first time I saw the sea…"),
    "minutes": ("Duración en minutos", "Length in minutes"),
    "minutes.info": ("Unas {wpm} palabras por minuto.", "About {wpm} words a minute."),
    "creativity": ("Creatividad", "Creativity"),
    "creativity.info": (
        "Menos: más previsible. Más: más sorpresa y más errores.",
        "Less: more predictable. More: more surprise and more mistakes.",
    ),
    "seed": ("Semilla", "Seed"),
    "seed.info": (
        "−1: al azar. Con la misma semilla sale el mismo texto.",
        "−1: random. The same seed gives the same text.",
    ),
    "passages": ("Número de fragmentos", "Number of passages"),
    "threshold": ("Relevancia mínima", "Lowest relevance"),
    "threshold.info": (
        "Los fragmentos con menos puntuación no se usan. Aconsejada para este índice: {value}.",
        "Passages that score less are not used. Advised for this index: {value}.",
    ),
    "more": ("Más ajustes", "More settings"),
    "examples": ("Pruebe con", "Try"),
    "generate": ("Escribir el discurso", "Write the speech"),
    "stop": ("Parar", "Stop"),
    "download": ("Descargar", "Download"),
    "copy": ("Copiar", "Copy"),
    "copied": ("Copiado", "Copied"),
    "paper.empty": ("Aquí aparecerá el discurso.", "The speech will appear here."),
    "paper.label": ("Discurso", "Speech"),
    "passages.title": ("Fragmentos encontrados", "Passages found"),
    "passages.used": ("usado", "used"),
    "passages.dropped": ("no cabe", "does not fit"),
    "passages.piece": ("fragmento {n}", "passage {n}"),
    "relevance.high": ("relevancia alta", "high relevance"),
    "relevance.medium": ("relevancia media", "medium relevance"),
    "relevance.low": ("relevancia baja", "low relevance"),
    "status.idle": ("Listo para escribir", "Ready to write"),
    "status.queued": ("En la cola…", "In the queue…"),
    "status.loading": (
        "Cargando el modelo… Uno grande tarda hasta un minuto la primera vez.",
        "Loading the model… A large one takes up to a minute the first time.",
    ),
    "status.searching": ("Buscando en los documentos…", "Searching the documents…"),
    "status.reading": ("Leyendo lo que se le pide… {percent} %", "Reading the prompt… {percent} %"),
    "status.writing": ("Escribiendo", "Writing"),
    "status.done": ("Terminado", "Finished"),
    "status.stopped": ("Parado", "Stopped"),
    "stat.words": ("{n} palabras", "{n} words"),
    "stat.speech": ("{time} hablado", "{time} spoken"),
    "stat.speed": ("{n} tokens/s", "{n} tokens/s"),
    "stat.seed": ("semilla {n}", "seed {n}"),
    "stat.cached": ("la misma petición ya se había escrito", "the same request had been written before"),
    "originality.share": ("Original: {percent} %", "Original: {percent}%"),
    "originality.longest": ("lo más largo repetido: {n} palabras", "longest repeated: {n} words"),
    "originality.nothing": (
        "no repite {n} palabras seguidas de los textos que aprendió",
        "repeats no {n} words in a row of the texts it learned from",
    ),
    "originality.quotes": ("de los fragmentos: {percent} %", "from the passages: {percent}%"),
    "originality.copied": ("Repetido de los textos que aprendió", "Repeated from the texts it learned from"),
    "originality.quoted": ("Tomado de los fragmentos", "Taken from the passages"),
    "originality.private": (
        "de un texto privado, del que aquí solo hay huellas numéricas",
        "from a private text, of which only numeric fingerprints are kept here",
    ),
    "originality.how": (
        "Se comparan grupos de {n} palabras seguidas, sin mayúsculas, tildes ni puntuación. El porcentaje es de grupos; la primera frase "
        "que usted da no cuenta. Un tramo largo puede unir trozos de varios documentos: se nombra el que más aporta.",
        "Groups of {n} words in a row are compared, without case, accents and punctuation. The percentage is of groups; the first line that "
        "you give does not count. A long span may join pieces of several documents: the one that gives most is named.",
    ),
    "note.removed": (
        "Se han quitado {n} caracteres invisibles de lo que escribió.",
        "{n} invisible characters were removed from what you wrote.",
    ),
    "note.no_adapter": (
        "Este generador no tiene adaptador: habla el modelo base, sin afinar.",
        "This generator has no adapter: the base model speaks, not fine-tuned.",
    ),
    "note.cut": (
        "La última frase se alargaba demasiado; el texto acaba en la anterior.",
        "The last sentence went on too long; the text ends with the one before.",
    ),
    "note.unfinished": (
        "El texto se ha parado en mitad de una frase.",
        "The text stopped in the middle of a sentence.",
    ),
    "note.loop": (
        "El modelo empezó a repetirse y el texto acaba antes: {words} palabras de las {target} pedidas.",
        "The model began to repeat itself and the text ends before that: {words} words of the {target} asked for.",
    ),
    "note.turned": (
        "Veces que el texto empezó a dar vueltas, se borró la vuelta y siguió de otra manera: {n}.",
        "Times that the text began to go round in circles, the round was deleted, and it went on otherwise: {n}.",
    ),
    "note.repeats": (
        "Frases que el modelo repitió y no se muestran: {n}.",
        "Sentences that the model said again and that are not shown: {n}.",
    ),
    "note.deadline": (
        "Se acabó el tiempo de esta petición ({seconds} s) antes que el discurso.",
        "The time of this request ({seconds} s) ran out before the speech ended.",
    ),
    "note.context": (
        "El contexto del modelo ({context} tokens) se llenó antes de llegar a la duración pedida.",
        "The model's context ({context} tokens) was full before the length asked for.",
    ),
    "note.short": (
        "El modelo quiso terminar antes: {words} palabras de las {target} pedidas.",
        "The model wanted to end earlier: {words} words of the {target} asked for.",
    ),
    "note.room": (
        "En el contexto del modelo ({context} tokens) solo caben unas {words} palabras de las {target} pedidas.",
        "The model's context ({context} tokens) has room for only about {words} of the {target} words asked for.",
    ),
    "note.dropped": (
        "{n} de {of} fragmentos no caben en el contexto del modelo ({context} tokens) y no se han usado: los de menor puntuación.",
        "{n} of {of} passages do not fit in the model's context ({context} tokens) and were not used: those of the lowest score.",
    ),
    "note.condensed": (
        "Para no hacer esperar más de unos {seconds} s, el modelo ha recibido {n} de las {of} frases de los fragmentos, las más cercanas a "
        "los temas, de {used} de los {found} fragmentos. Están marcadas en cada uno.",
        "So that nobody waits for much more than {seconds} s, the model was given {n} of the {of} sentences of the passages, those nearest "
        "to the topics, from {used} of {found} passages. They are marked in each.",
    ),
    "note.nothing": (
        "Ningún fragmento llega a la relevancia mínima de {threshold}; el mejor se queda en {best}. "
        "No se ha escrito nada, para no inventar. Pruebe con otras palabras, baje el mínimo o siga sin fragmentos.",
        "No passage reaches the lowest relevance of {threshold}; the best one has {best}. "
        "Nothing was written, so that nothing is made up. Try other words, lower it, or go on without passages.",
    ),
    "note.without_context": (
        "Escrito sin fragmentos: ninguno llega a la relevancia mínima de {threshold} (el mejor se queda en {best}). "
        "Nada de lo que dice este texto sale de los documentos.",
        "Written without passages: none reaches the lowest relevance of {threshold} (the best one has {best}). "
        "Nothing in this text comes from the documents.",
    ),
    "without_context": ("Seguir sin fragmentos", "Go on without passages"),
    "paper.unsourced": ("Escrito sin fuentes", "Written without sources"),
    "grounding.count": (
        "Frases que un fragmento respalda: {n} de {of}. [1] lleva al fragmento 1; ○ ninguno la respalda.",
        "Sentences that a passage bears out: {n} of {of}. [1] leads to passage 1; ○ none does.",
    ),
    "grounding.how": (
        "Una frase lleva número cuando casi todas sus palabras están en una o dos frases seguidas de un fragmento y no cambia una cifra, un "
        "nombre, una negación ni añade una parte. Lo compara un programa por sus palabras: a veces calla un respaldo que existe y alguna vez "
        "señala uno que no lo es. Lo marcado con ○ puede ser cierto o inventado: los documentos encontrados no lo dicen con esas palabras.",
        "A sentence has a number when nearly all of its words are in one or two adjoining sentences of a passage and it changes no figure, "
        "name or negation and adds no part. A program compares words: it sometimes misses a support that is there, and now and then marks one "
        "that is not. What has ○ may be true or made up: the passages found do not say it in those words.",
    ),
    "grounding.far": ("Ningún fragmento dice esto.", "No passage says this."),
    "grounding.figure": (
        "Se parece a un fragmento, pero con otra cifra, fecha o unidad.",
        "Like a passage, but with another figure, date or unit.",
    ),
    "grounding.name": (
        "Se parece a un fragmento, pero con otro nombre.",
        "Like a passage, but with another name.",
    ),
    "grounding.negation": (
        "Se parece a un fragmento, pero niega lo que afirma, o al revés.",
        "Like a passage, but it denies what that states, or the other way round.",
    ),
    "grounding.clause": (
        "Se parece a un fragmento, pero añade una parte que no está en él.",
        "Like a passage, but it adds a part that is not there.",
    ),
    "note.empty": (
        "El modelo no ha escrito nada. Pruebe otra semilla.",
        "The model wrote nothing. Try another seed.",
    ),
    "tab.chat": ("Chat", "Chat"),
    "chat.lead": (
        "El modelo ha leído los mensajes de una persona y contesta como ella: a trozos, por globos.",
        "The model has read a person's messages and answers like that person: in pieces, by bubbles.",
    ),
    "chat.machine": (
        "Es una máquina que imita a {persona}. No es {persona}: no la conoce, no recuerda nada de su vida y se lo inventa todo.",
        "This is a machine that imitates {persona}. It is not {persona}: it does not know that person and makes everything up.",
    ),
    "chat.log": (
        "Conversación con la imitación de {persona}",
        "Conversation with the imitation of {persona}",
    ),
    "chat.you": ("Usted", "You"),
    "chat.imitation": ("imitación", "imitation"),
    "chat.idle": ("Listo para conversar", "Ready to talk"),
    "chat.empty": (
        "Escriba un mensaje, pulse un ejemplo o deje que empiece la imitación.",
        "Write a message, click an example, or let the imitation begin.",
    ),
    "chat.unasked": ("{persona} escribe sin que nadie le pregunte", "{persona} writes unasked"),
    "chat.begin": ("Que escriba por su cuenta", "Let it write unasked"),
    "chat.typing": ("escribiendo…", "writing…"),
    "message": ("Mensaje", "Message"),
    "message.info": ("Intro lo envía.", "Enter sends it."),
    "message.hint": ("¿Qué tal la mañana?", "How was your morning? (Spanish works best)"),
    "history": ("Historial", "History"),
    "send": ("Enviar", "Send"),
    "again": ("Empezar de nuevo", "Start again"),
    "note.forgotten": (
        "En el contexto del modelo ({context} tokens) no caben todas las rondas: ha leído las últimas, sin las {n} primeras de {of}.",
        "The model's context ({context} tokens) does not hold all rounds: it read the latest, without the first {n} of {of}.",
    ),
    "note.bubbles": (
        "La respuesta se ha parado a los {n} globos.",
        "The reply was stopped after {n} bubbles.",
    ),
    "note.reply_deadline": (
        "Se acabó el tiempo de esta respuesta ({seconds} s).",
        "The time of this reply ({seconds} s) ran out.",
    ),
    "note.reply_cut": (
        "La respuesta se alargaba demasiado y se ha cortado a los {tokens} tokens.",
        "The reply went on too long and was cut after {tokens} tokens.",
    ),
    "note.others": (
        "El modelo iba a escribir lo que dicen otros: la respuesta acaba antes.",
        "The model was about to write what others say: the reply ends before.",
    ),
    "error.title": ("No se ha podido", "It could not be done"),
    "about": ("Acerca de este modelo", "About this model"),
    "about.text": (
        "Orador publica generadores de textos entrenados con un corpus propio y servidos en dos núcleos de un procesador. "
        "Lo que escribe imita la forma de hablar de sus textos; **no sabe si lo que dice es cierto**. Inventa cifras, nombres y citas "
        "con la misma soltura con que escribe lo demás, se repite, pierde el hilo en textos largos y escribe en español. "
        "En la pestaña RAG parte de fragmentos de documentos que puede leer usted mismo: compárelos antes de creer nada.\n\n"
        "Nada de lo que escriba aquí se guarda en disco. Los últimos textos del modelo quedan un tiempo en la memoria de este servidor, por si "
        "alguien repite la misma petición con la misma semilla.",
        "Orador publishes text generators trained on one's own corpus and served on two processor cores. "
        "What it writes imitates how its texts speak; **it does not know whether what it says is true**. It makes up figures, names "
        "and quotes as easily as the rest, repeats itself, loses the thread in long texts, and writes in Spanish. "
        "In the RAG tab it starts from passages of documents that you can read yourself: compare before you believe.\n\n"
        "Nothing that you write here is kept on disk. The model's latest texts stay in this server's memory for a while, in case somebody "
        "repeats the same request with the same seed.",
    ),
    "lineage.bundle": ("Paquete", "Bundle"),
    "lineage.base": ("Modelo base", "Base model"),
    "lineage.adapter": ("Adaptador", "Adapter"),
    "lineage.index": ("Índice", "Index"),
    "lineage.license": ("Licencia", "License"),
    "lineage.none": ("ninguno", "none"),
    "lineage.created": ("Creado", "Created"),
    "lineage.context": ("Contexto", "Context"),
    "api": ("Interfaz para programas", "For programs"),
    "query": ("Consulta", "Query"),
    "file.title": ("Discurso", "Speech"),
    "file.origin": (
        "Escrito por un modelo de lenguaje ({model}) con Orador. Semilla {seed}. Puede contener errores e invenciones.",
        "Written by a language model ({model}) with Orador. Seed {seed}. It may contain mistakes and inventions.",
    ),
    **QUESTION_TEXTS,
    **REPORT_TEXTS,
}


def explain(error: OradorError, language: str) -> str:
    """`error` for a visitor, with the name of a field as the page shows it."""
    field = error.details.get("field")
    if field in TEXTS:
        error = type(error)(**{**error.details, "field": say(field, language)})
    return error.message(language)


def say(key: str, language: str, **values: Any) -> str:
    """The text `key` in `language` ("es" or "en"), its fields filled in."""
    text = TEXTS[key][0 if language == "es" else 1]
    return text.format(**values) if values else text
