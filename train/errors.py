"""Named errors of the training side: what happened and what to do, in English and Spanish."""

from __future__ import annotations

from index.errors import OradorError


class UnpinnedSource(OradorError):
    en = "llama-cpp-python {version}: no exact version with a known hash in {path}. Pin one in requirements.txt and add its hash to HASHES in train/llamacpp.py."
    es = "llama-cpp-python {version}: no hay versión exacta con hash conocido en {path}. Fíjela en requirements.txt y añada su hash a HASHES en train/llamacpp.py."


class SourceUnavailable(OradorError):
    en = "The source of llama-cpp-python {version}, whose converters the export needs, could not be fetched with pip. Check the network and try again. pip said:\n{reason}"
    es = "No se pudo obtener con pip el código fuente de llama-cpp-python {version}, cuyos conversores necesita la exportación. Revise la red e inténtelo de nuevo. pip dijo:\n{reason}"


class SourceMismatch(OradorError):
    en = "{path} is not the archive expected: its SHA-256 is {found}, not {expected}. Nothing was unpacked; fetch it again from a trusted index."
    es = "{path} no es el archivo esperado: su SHA-256 es {found}, no {expected}. No se extrajo nada; descárguelo de nuevo de un índice de confianza."


class ConversionFailed(OradorError):
    en = "{step} failed on {path}:\n{reason}"
    es = "{step} falló con {path}:\n{reason}"


class NoCorpus(OradorError):
    en = "{path}: no corpus. Give a folder with .txt or .md files, or a .csv, .tsv, .jsonl or .json file. Found: {found}."
    es = "{path}: no hay corpus. Dé una carpeta con .txt o .md, o un archivo .csv, .tsv, .jsonl o .json. Hay: {found}."


class NothingToRead(NoCorpus):
    en = "{path}: nothing to read. Give a folder with {kinds} files, or one such file. Found: {found}."
    es = "{path}: no hay nada que leer. Dé una carpeta con archivos {kinds}, o un archivo así. Hay: {found}."


class BadFile(OradorError):
    en = "{path}: {reason}. Correct it or take it out, or leave such files out with --skip-bad."
    es = "{path}: {reason}. Corríjalo o quítelo, o deje fuera estos archivos con --skip-bad."


class NothingLeft(OradorError):
    en = "No text was left of {path}. Dropped: {dropped}. {hint}"
    es = "No quedó ningún texto de {path}. Descartado: {dropped}. {hint}"


class SpeakerNeeded(OradorError):
    en = 'The transcripts in {path} have several speakers. Choose one with --speaker "NAME". Most words: {labels}.'
    es = 'Las transcripciones de {path} tienen varios oradores. Elija uno con --speaker "NOMBRE". Más palabras: {labels}.'


class SpeakerNotFound(OradorError):
    en = 'No turn of "{speaker}" in {path}. Give another --speaker, or the label itself with --alias. Most words: {labels}.'
    es = "No hay turnos de «{speaker}» en {path}. Dé otro --speaker, o la etiqueta misma con --alias. Más palabras: {labels}."


class AmbiguousSpeaker(OradorError):
    en = '"{speaker}" may be several people: {names}. Give the whole name with --speaker.'
    es = "«{speaker}» puede ser varias personas: {names}. Dé el nombre completo con --speaker."


class BadOption(OradorError):
    en = "{option} is {value}: {reason}."
    es = "{option} es {value}: {reason}."


class OutputNotOurs(OradorError):
    en = "{path} exists and holds no earlier output of `prepare`. Give another --out, or --force to replace it with all it holds."
    es = "{path} existe y no es una salida anterior de `prepare`. Dé otro --out, o --force para reemplazarlo con todo su contenido."


class NotAnEncoder(OradorError):
    en = "{path}: not a sentence-transformers model with a transformer (config.json) and a pooling (1_Pooling/config.json)."
    es = "{path}: no es un modelo de sentence-transformers con un transformer (config.json) y un pooling (1_Pooling/config.json)."


class BundlePartInvalid(OradorError):
    en = "{path} cannot go into a bundle: {reason}"
    es = "{path} no puede ir en un paquete: {reason}"


class BundleOutputTaken(OradorError):
    en = "{path} exists and is not a bundle, so it is not replaced. Give another --out, or remove it."
    es = "{path} existe y no es un paquete, así que no se reemplaza. Dé otro --out o elimínelo."


class PublishRefused(OradorError):
    en = "The Hub does not let you write to {repo} (HTTP {status}). Give a token with write permission to it: `hf auth login`, or HF_TOKEN."
    es = "El Hub no permite escribir en {repo} (HTTP {status}). Use un token con permiso de escritura: `hf auth login`, o HF_TOKEN."


class PublishConflict(OradorError):
    en = "Someone committed to {repo} in the meantime, so nothing was written there. Look at it, then publish again."
    es = "Alguien hizo un commit en {repo} mientras tanto, así que no se escribió nada. Revíselo y publique de nuevo."


class PublishFailed(OradorError):
    en = "Publishing to {repo} failed: {reason}"
    es = "Falló la publicación en {repo}: {reason}"


class ConsentNotInLineage(OradorError):
    """A chat that imitates a person, and nothing in the bundle says that this person agreed."""

    en = "the generator {name} imitates {persona}, and its lineage has no consent: nothing was pushed. Prepare the chat with its --consent file, train and bundle it again"
    es = "el generador {name} imita a {persona} y en su linaje no consta el consentimiento: no se ha subido nada. Prepare el chat con su archivo de --consent y vuelva a entrenar y a empaquetar"


class PersonalDataFound(OradorError):
    """What `train prepare chat` would have masked is in a text that would be pushed."""

    en = "the texts of the generator {name}, which imitates a person, hold personal data ({kinds}): nothing was pushed. Look at its examples and passages; if it may be published, give --with-personal-data {name}"
    es = "en los textos del generador {name}, que imita a una persona, hay datos personales ({kinds}): no se ha subido nada. Revise sus ejemplos y fragmentos; si se pueden publicar, dé --with-personal-data {name}"


class RepoIsPublic(OradorError):
    en = "{repo} exists and is public, and it is to be private (--private, or a chat without --public): nothing was pushed. Make it private in its settings, or choose another --repo."
    es = "{repo} existe y es público, y tiene que ser privado (--private, o un chat sin --public): no se ha subido nada. Hágalo privado en su configuración o elija otro --repo."


class TagTaken(OradorError):
    en = "{repo} has revision {revision} now, but its tag {tag} is that of {found}. Publish with another --tag."
    es = "{repo} tiene ahora la revisión {revision}, pero su etiqueta {tag} es la de {found}. Publique con otro --tag."


class SpaceNeedsPlan(OradorError):
    en = "The Hub asks for a paid account to create the Space {repo} (HTTP 402): since July 2026 Gradio Spaces on its free CPU need one. Upgrade, or create it as a ZeroGPU Space on its site and publish again; the bundle itself needs no plan."
    es = "El Hub exige una cuenta de pago para crear el Space {repo} (HTTP 402): desde julio de 2026 los Spaces de Gradio en su CPU gratuita la requieren. Contrátela, o créelo como Space ZeroGPU en su web y publique de nuevo; el paquete no requiere ningún plan."


class BaseUnavailable(OradorError):
    en = "Base model {base} cannot be had: {reason}. Give a folder with config.json and weights, or a Hub id such as microsoft/Phi-3-mini-4k-instruct."
    es = "No se puede obtener el modelo base {base}: {reason}. Dé una carpeta con config.json y pesos, o un id del Hub como microsoft/Phi-3-mini-4k-instruct."


class NoBaseWeights(OradorError):
    en = "Base model {base} has no weights (*.safetensors or pytorch_model*.bin)."
    es = "El modelo base {base} no tiene pesos (*.safetensors o pytorch_model*.bin)."


class NotPrepared(OradorError):
    en = "{path}: no prepared corpus, {missing} is missing. Make it with `python -m train prepare`."
    es = "{path}: no es un corpus preparado, falta {missing}. Hágalo con `python -m train prepare`."


class BadExample(OradorError):
    en = "{path}, line {line}: not an example. It needs `messages` with text, two at least, the last by the assistant."
    es = "{path}, línea {line}: no es un ejemplo. Necesita `messages` con texto, dos al menos, el último del asistente."


class NoChatTemplate(OradorError):
    en = "The base model has no chat template, so there is no knowing how a conversation is written. Choose one with --chat-template: phi3, or a Jinja file."
    es = "El modelo base no tiene plantilla de chat, así que no se sabe cómo se escribe una conversación. Elija una con --chat-template: phi3 o un archivo Jinja."


class BadTemplate(OradorError):
    en = "The chat template cannot be used: {reason}. Choose another with --chat-template: phi3, or a Jinja file."
    es = "La plantilla de chat no sirve: {reason}. Elija otra con --chat-template: phi3 o un archivo Jinja."


class TooManyDropped(OradorError):
    en = "{dropped} of {total} examples are longer than {limit} tokens (the longest has {longest}; the model reads {context}). Raise --max-length, or prepare the corpus in shorter examples."
    es = "{dropped} de {total} ejemplos pasan de {limit} tokens (el más largo tiene {longest}; el modelo lee {context}). Suba --max-length o prepare el corpus en ejemplos más cortos."


class RunExists(OradorError):
    en = "{path} has a run in it already. Continue it with --resume, or give another --out."
    es = "{path} ya contiene un entrenamiento. Continúelo con --resume o dé otro --out."


class NothingToResume(OradorError):
    en = "{path} has no checkpoint to resume from. Start without --resume, with an --out that does not exist."
    es = "{path} no tiene un punto de control desde el que seguir. Empiece sin --resume, con un --out que no exista."


class ResumeMismatch(OradorError):
    en = "{path} was begun otherwise ({names}). Resume with the same options and data, or give another --out."
    es = (
        "{path} se empezó de otra manera ({names}). Continúe con las mismas opciones y datos o dé otro --out."
    )


class UnsupportedAdapter(OradorError):
    en = "The adapter uses {feature}, which llama.cpp's LoRA files cannot hold rightly. Train it again without: `python -m train sft` never uses it."
    es = "El adaptador usa {feature}, que los archivos LoRA de llama.cpp no pueden contener bien. Entrénelo sin ello: `python -m train sft` nunca lo usa."


class NotAnAdapter(OradorError):
    en = "{path} is no PEFT adapter: {missing} is missing. Give the adapter folder that `python -m train sft` wrote."
    es = "{path} no es un adaptador PEFT: falta {missing}. Dé la carpeta adapter que escribió `python -m train sft`."


class UnknownQuantization(OradorError):
    en = "Unknown quantization {name}. Choose from {known}, several separated by commas."
    es = "Cuantización desconocida: {name}. Elija entre {known}, varias separadas por comas."


class NotEnoughDisk(OradorError):
    en = "The export needs about {needed:.1f} GB at {path} and {free:.1f} GB are free. Free some, or export to another disk."
    es = "La exportación necesita unos {needed:.1f} GB en {path} y hay {free:.1f} GB libres. Libere espacio o exporte a otro disco."


class NoRagTemplate(OradorError):
    en = "{path} was prepared by a recipe without a RAG prompt, so that no passages can be added to it."
    es = "{path} se preparó con una receta sin plantilla RAG; no se le pueden añadir fragmentos."


class AnswerTooLong(OradorError):
    en = "A conversation has {tokens} tokens and the model's context {context}. Prepare shorter examples, or evaluate with a larger --context."
    es = "Una conversación tiene {tokens} tokens y el contexto del modelo {context}. Prepare ejemplos más cortos o evalúe con un --context mayor."


class NothingToEvaluate(OradorError):
    en = "{path} holds no conversation. Give the test.jsonl of an output of `python -m train prepare`."
    es = "{path} no contiene ninguna conversación. Dé el test.jsonl de una salida de `python -m train prepare`."


class ConsentNeeded(OradorError):
    en = "To imitate a person, their consent is needed in writing: {path} is not there. Give it with --consent FILE: JSON, or lines of `key: value`, with persona, agreed_by, date (YYYY-MM-DD) and statement. docs/corpus.md has an example."
    es = "Para imitar a una persona hace falta su consentimiento por escrito: no está {path}. Délo con --consent ARCHIVO: JSON, o líneas `clave: valor`, con persona, agreed_by, date (AAAA-MM-DD) y statement. docs/corpus.md tiene un ejemplo."


class BadConsent(OradorError):
    en = "{path} is no consent that can be used: {reason}."
    es = "{path} no es un consentimiento que sirva: {reason}."


class PersonaNeeded(OradorError):
    en = 'Choose whom to imitate in {path} with --persona "NAME". Most messages: {authors}.'
    es = 'Elija a quién imitar en {path} con --persona "NOMBRE". Más mensajes: {authors}.'


class PersonaNotFound(OradorError):
    en = '"{persona}" wrote nothing in {path}, or may be several people. Give --persona as the export writes the name. Most messages: {authors}.'
    es = "«{persona}» no escribió nada en {path}, o puede ser varias personas. Dé --persona como lo escribe la exportación. Más mensajes: {authors}."


class AllOutputTaken(OradorError):
    en = "{path} exists and holds no run of `train all` (all.json is missing). Give another --out."
    es = "{path} existe y no contiene una ejecución de `train all` (falta all.json). Dé otro --out."


class NoOriginals(OradorError):
    en = "{paths}: no text of {words} words or more to compare with. Give the folders that the model learned from."
    es = "{paths}: no hay ningún texto de {words} palabras o más con que comparar. Dé las carpetas de las que aprendió el modelo."


class ParityFailed(OradorError):
    """The converted files do not do what the trained model does; the rows say where."""

    en = "{path}: the GGUF does not do what was trained: {rows}. PARITY.md and export.json beside it have the figures. Correct the cause and run `train export` again; to go on all the same, give --without-parity."
    es = "{path}: el GGUF no hace lo que se entrenó: {rows}. Las cifras están en PARITY.md y export.json, a su lado. Corrija la causa y repita `train export`; para seguir de todos modos, dé --without-parity."


class ParityMissing(OradorError):
    en = "{path}: nothing says that these files do what was trained: {files}. Export them again with `train export` and bundle that; to publish all the same, give --without-parity."
    es = "{path}: nada dice que estos archivos hagan lo que se entrenó: {files}. Expórtelos de nuevo con `train export` y empaquete el resultado; para publicar de todos modos, dé --without-parity."
