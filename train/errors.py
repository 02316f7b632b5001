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


class RepoIsPublic(OradorError):
    en = "{repo} exists and is public, and --private was given: nothing was pushed. Make it private in its settings, or choose another --repo."
    es = "{repo} existe y es público, y se pidió --private: no se ha subido nada. Hágalo privado en su configuración o elija otro --repo."


class TagTaken(OradorError):
    en = "{repo} has revision {revision} now, but its tag {tag} is that of {found}. Publish with another --tag."
    es = "{repo} tiene ahora la revisión {revision}, pero su etiqueta {tag} es la de {found}. Publique con otro --tag."


class SpaceNeedsPlan(OradorError):
    en = "The Hub asks for a paid account to create the Space {repo} (HTTP 402): since July 2026 Gradio Spaces on its free CPU need one. Upgrade, or create it as a ZeroGPU Space on its site and publish again; the bundle itself needs no plan."
    es = "El Hub exige una cuenta de pago para crear el Space {repo} (HTTP 402): desde julio de 2026 los Spaces de Gradio en su CPU gratuita la requieren. Contrátela, o créelo como Space ZeroGPU en su web y publique de nuevo; el paquete no requiere ningún plan."
