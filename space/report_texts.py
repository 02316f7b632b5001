"""What the tab of the report says, in Spanish and English; part of `space/texts.py`."""

from __future__ import annotations

REPORT_TEXTS: dict[str, tuple[str, str]] = {
    "tab.report": ("Informe", "Report"),
    "report.lead": (
        "Qué sabe hacer lo que habla aquí, y qué no: medido con los mismos archivos, sobre textos que nunca había leído.",
        "What speaks here can do, and cannot: measured with the same files, on texts that it had never read.",
    ),
    "report.likelihood": ("¿Habla como su autor?", "Does it speak like its author?"),
    "report.likelihood.info": (
        "Se le dan a leer textos del autor que no conoce. Perplejidad: entre cuántas piezas de palabra duda a cada paso; "
        "menos es mejor. La línea fina es el intervalo del 95 %.",
        "It reads texts of the author that it does not know. Perplexity: among how many pieces of words it hesitates at each "
        "step; less is better. The thin line is the 95 % interval.",
    ),
    "report.facts": (
        "{documents} documentos ({answers} tokens) apartados antes de entrenar; {seen} % de sus grupos de 8 palabras "
        "está también en los textos de entrenamiento.",
        "{documents} documents ({answers} tokens) kept apart before training; {seen} % of their 8-word spans "
        "are in the training texts too.",
    ),
    "report.selected": (
        "{n} de ellos sirvieron también para elegir cuándo parar de entrenar.",
        "{n} of them also chose when training stopped.",
    ),
    "report.rag": (
        "Con RAG lee antes los {passages} mejores fragmentos de otros documentos; en {above} de {answers} textos alguno llega a "
        "la relevancia que pide la página.",
        "With RAG it first reads the {passages} best passages of other documents; for {above} of {answers} texts one reaches "
        "the relevance that the page asks for.",
    ),
    "report.control": (
        "El adaptador de otro autor es el control: si también ayudara, solo se habría aprendido más español.",
        "The adapter of another author is the control: if it helped too, only more Spanish would have been learned.",
    ),
    "report.bits": ("Bits por carácter", "Bits per character"),
    "report.bits.info": (
        "Lo mismo, sin que importe cómo parte cada modelo las palabras: cuánto espacio haría falta para apuntar el texto con su ayuda.",
        "The same, however a model splits words: how much room it would take to write the text down with its help.",
    ),
    "report.less": (
        "{name} frente a {other}: {change} % de perplejidad (intervalo del 95 %: {low} a {high} %).",
        "{name} against {other}: {change} % perplexity (95 % interval: {low} to {high} %).",
    ),
    "report.texts": ("Lo que escribe", "What it writes"),
    "report.texts.info": (
        "{samples} textos de cada modelo sobre {prompts} temas que no conocía, siempre con las mismas semillas ({first} a {last}).",
        "{samples} texts of each model on {prompts} topics it did not know, always with the same seeds ({first} to {last}).",
    ),
    "report.more": ("Más cifras", "More figures"),
    "report.distinct_1": ("Palabras distintas", "Different words"),
    "report.distinct_1.info": (
        "Parte de las 100 primeras palabras que no se repiten: la riqueza del vocabulario.",
        "Share of the first 100 words that are different: how rich the vocabulary is.",
    ),
    "report.distinct_2": ("Parejas distintas", "Different pairs"),
    "report.distinct_2.info": (
        "Lo mismo con parejas de palabras seguidas.",
        "The same for pairs of words in a row.",
    ),
    "report.distinct_3": ("Tríos distintos", "Different triples"),
    "report.distinct_3.info": ("Lo mismo con tres palabras seguidas.", "The same for three words in a row."),
    "report.repeated_4": ("Se repite", "It repeats itself"),
    "report.repeated_4.info": (
        "Parte de los grupos de cuatro palabras que ya habían salido en el mismo texto; menos es mejor.",
        "Share of the four-word spans that stood in the same text before; less is better.",
    ),
    "report.of_asked": ("Largo pedido", "Length asked for"),
    "report.of_asked.info": (
        "Palabras escritas por cada palabra pedida; 100 % es lo justo.",
        "Words written for each word asked for; 100 % is just right.",
    ),
    "report.spanish": ("En español", "In Spanish"),
    "report.spanish.info": (
        "Parte de las palabras que están en frases reconocidas como españolas; con mensajes cortos se equivoca más.",
        "Share of the words that stand in sentences recognised as Spanish; it errs more on short messages.",
    ),
    "report.speed": ("Velocidad", "Speed"),
    "report.speed.info": (
        "Tokens por segundo al escribir, en la máquina que lo midió (mediana).",
        "Tokens a second while writing, on the machine that measured it (median).",
    ),
    "report.first_token": ("Espera", "Wait"),
    "report.first_token.info": (
        "Segundos hasta la primera pieza de palabra (mediana).",
        "Seconds to the first piece of a word (median).",
    ),
    "report.judge": ("Como suele medirse", "As is often done"),
    "report.judge.info": (
        "Perplejidad de los textos escritos según un tercer modelo ({judge}). Dice si le resultan previsibles, no si son buenos "
        "ni si suenan al autor: compare con los textos del propio autor.",
        "Perplexity of the texts written, by a third model ({judge}). It tells whether they are predictable for it, not whether "
        "they are good or sound like the author: compare with the author's own texts.",
    ),
    "report.judge.5-gram": (
        "uno que solo ha contado palabras seguidas en los textos de entrenamiento",
        "one that has only counted words in a row in the training texts",
    ),
    "report.author": ("El autor", "The author"),
    "report.base": ("Modelo base", "Base model"),
    "report.wrong": ("Otro autor ({name})", "Wrong author ({name})"),
    "report.pretraining": ("El modelo base", "The base model"),
    "report.pretraining.info": (
        "Ha leído {tokens} millones de tokens con {parameters} millones de parámetros. Bits por carácter sobre documentos "
        "apartados, junto a un modelo que solo cuenta palabras seguidas (5-gram) y un compresor (xz); menos es mejor.",
        "It has read {tokens} million tokens with {parameters} million parameters. Bits per character on documents kept "
        "apart, beside a model that only counts words in a row (5-gram) and a compressor (xz); less is better.",
    ),
    "report.model": ("Este modelo", "This model"),
    "report.parity": (
        "¿Es lo publicado lo que se entrenó?",
        "Is what is published what was trained?",
    ),
    "report.parity.info": (
        "Se compara el modelo entrenado con los archivos que se sirven aquí: {passed} de {rows} comprobaciones superadas. Una que "
        "fallara habría impedido publicarlo.",
        "The trained model is compared with the files served here: {passed} of {rows} checks passed. One that failed would have "
        "stopped the publication.",
    ),
    "report.questions": ("Lo que pregunta", "What it asks"),
    "report.questions.info": (
        "Listas de {number} preguntas sobre cada uno de {texts} textos que no conocía, con cada técnica: lo que el modelo escribe "
        "solo, y lo que recibe quien visita la página, con gramática y comprobaciones.",
        "Lists of {number} questions about each of {texts} texts that it did not know, by each technique: what the model writes "
        "by itself, and what a visitor gets, with grammar and checks.",
    ),
    "report.questions.valid": ("Listas como se pidieron", "Lists as asked for"),
    "report.questions.borne_out": ("Preguntas que el texto responde", "Questions that the text answers"),
    "report.questions.spanish": ("Preguntas en español", "Questions in Spanish"),
    "report.questions.free": ("solo", "by itself"),
    "report.questions.served": ("servido", "served"),
    "report.rows": ("Las comprobaciones", "The checks"),
    "report.originality": ("¿Recita?", "Does it recite?"),
    "report.originality.info": (
        "Parte de los grupos de 8 palabras de lo que escribe que está en los textos con que se entrenó; menos es mejor. Lo más largo "
        "que copió un modelo fueron {longest} palabras seguidas.",
        "Share of the 8-word spans of what it writes that are in the texts it was trained on; less is better. The longest that a "
        "model copied was {longest} words in a row.",
    ),
    "report.topics.held_out": ("temas nuevos", "new topics"),
    "report.topics.trained_on": ("temas del entrenamiento", "topics it was trained on"),
}
