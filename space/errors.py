"""Named errors of the Space: what happened and what to do, in English and Spanish.

The base class is `index.errors.OradorError`; `str(error)` is English, `error.message("es")` is what a visitor reads.
"""

from __future__ import annotations

from index.errors import OradorError


class BundleError(OradorError):
    """A bundle that cannot be served."""


class BundleMissing(BundleError):
    """There is no bundle.json: the folder is not a bundle, or its writing was interrupted."""

    en = "no bundle.json in {folder}: it is not a complete bundle. Make one with `python -m train bundle`, or set ORADOR_BUNDLE to a folder that has one"
    es = "no hay bundle.json en {folder}: no es un paquete completo. Créelo con `python -m train bundle`, o ponga en ORADOR_BUNDLE una carpeta que lo tenga"


class BundleInvalid(BundleError):
    """bundle.json is not what format 1 demands."""

    en = "bundle.json in {folder} cannot be used: {reason}. Make the bundle again with `python -m train bundle`"
    es = "el bundle.json de {folder} no se puede usar: {reason}. Vuelva a crear el paquete con `python -m train bundle`"


class BundlePathUnsafe(BundleError):
    """bundle.json names a path outside its folder (absolute, with "..", or through a symbolic link)."""

    en = "bundle.json in {folder} names a path that leaves the bundle: {file!r}. Nothing was read from it"
    es = "el bundle.json de {folder} nombra una ruta que sale del paquete: {file!r}. No se ha leído nada de ella"


class BundleFileMissing(BundleError):
    """A file that bundle.json names is not there."""

    en = "the bundle in {folder} lacks {file} (sha256 {expected}). Copy or pull the bundle again"
    es = (
        "al paquete de {folder} le falta {file} (sha256 {expected}). Vuelva a copiar o a descargar el paquete"
    )


class BundleFileMismatch(BundleError):
    """A file is not the one that bundle.json describes: other bytes, or another size."""

    en = (
        "{file} is not the file that bundle.json describes: expected sha256 {expected} ({expected_size} bytes), "
        "found {actual} ({actual_size} bytes). Copy or pull the bundle again"
    )
    es = (
        "{file} no es el archivo que describe bundle.json: se esperaba sha256 {expected} ({expected_size} bytes) "
        "y se encontró {actual} ({actual_size} bytes). Vuelva a copiar o a descargar el paquete"
    )


class ManifestChanged(BundleError):
    """bundle.json is not as it was written: its own hash is another."""

    en = "bundle.json in {folder} was changed after it was made: it says its sha256 is {expected}, found {found}. Copy or pull the bundle again; to change something, make it again with `python -m train bundle`"
    es = "el bundle.json de {folder} se cambió después de crearlo: dice que su sha256 es {expected} y es {found}. Vuelva a copiar o a descargar el paquete; para cambiar algo, créelo de nuevo con `python -m train bundle`"


class LineageMismatch(BundleError):
    """Two parts that were not made from one another: an index of other documents, an adapter of another base."""

    en = "{one} and {other} do not belong together: {fact} is {expected} by the first and {found} by the second. Give the part that belongs there, or make it again with `{remedy}`"
    es = "{one} y {other} no van juntos: {fact} es {expected} según lo primero y {found} según lo segundo. Dé la parte que corresponde o vuelva a crearla con `{remedy}`"


class OriginalsInvalid(BundleError):
    """The file with the 8-grams of the training texts is damaged, or another file."""

    en = "{file} holds no 8-grams of training texts: {reason}. Copy the bundle again, or make it with `python -m train originals`"
    es = "{file} no contiene 8-gramas de textos de entrenamiento: {reason}. Vuelva a copiar el paquete, o créelo con `python -m train originals`"


class HubError(OradorError):
    """A bundle on the Hugging Face Hub that cannot be had."""


class ReferenceInvalid(HubError):
    """ORADOR_BUNDLE (or the argument of `pull`) pins nothing."""

    en = (
        "{reference!r} is neither a folder with a bundle nor owner/repo@revision with a revision of 40 hexadecimal digits "
        "(a branch or tag may change under a running Space). `python -m train publish` prints the reference to use; for a "
        "repo that exists: python -c \"from huggingface_hub import HfApi; print(HfApi().repo_info('owner/repo').sha)\""
    )
    es = (
        "{reference!r} no es una carpeta con un paquete ni owner/repo@revisión con una revisión de 40 dígitos hexadecimales "
        "(una rama o etiqueta puede cambiar bajo un Space en marcha). `python -m train publish` imprime la referencia; para "
        "un repositorio que ya existe: python -c \"from huggingface_hub import HfApi; print(HfApi().repo_info('owner/repo').sha)\""
    )


class HubUnreachable(HubError):
    """The Hub does not answer, or the client is set offline."""

    en = "the Hub at {endpoint} cannot be reached ({reason}). Check the network, or try later"
    es = "no se puede acceder al Hub en {endpoint} ({reason}). Compruebe la red o inténtelo más tarde"


class HubRefused(HubError):
    """No right to read: private or gated repository, or a bad token. The Hub also answers so for a missing one."""

    en = "the Hub refuses access to {repo} (HTTP {status}): it does not exist, or it is private or gated. Give a token that may read it in HF_TOKEN (a secret of the Space)"
    es = "el Hub deniega el acceso a {repo} (HTTP {status}): no existe, o es privado o restringido. Ponga en HF_TOKEN (un secreto del Space) un token que pueda leerlo"


class HubRepoMissing(HubError):
    """There is no such repository."""

    en = "the Hub has no repository {repo} (or it is private and HF_TOKEN may not read it). Check the name"
    es = (
        "el Hub no tiene el repositorio {repo} (o es privado y HF_TOKEN no puede leerlo). Compruebe el nombre"
    )


class HubRevisionMissing(HubError):
    """The repository has no such commit."""

    en = "{repo} has no revision {revision}. Check that the 40 digits are those that `python -m train publish` printed"
    es = "{repo} no tiene la revisión {revision}. Compruebe que los 40 dígitos son los que imprimió `python -m train publish`"


class HubFileMissing(HubError):
    """The commit lacks a file that the bundle needs."""

    en = "{repo} has no file {file} at revision {revision}. It was not published whole: publish it again"
    es = "{repo} no tiene el archivo {file} en la revisión {revision}. No se publicó entero: publíquelo de nuevo"


class HubDownloadBroken(HubError):
    """A transfer that did not end well, after the client's own retries."""

    en = "the download of {file} from {repo} broke off ({reason}). Nothing of it was kept; try again"
    es = "la descarga de {file} desde {repo} se interrumpió ({reason}). No se ha conservado nada de ella; inténtelo de nuevo"


class HubFallback(HubError):
    """A warning: the configured bundle cannot be had, the last good one of the same repository is served."""

    en = "{cause}. Serving the last good bundle of {repo}, revision {revision}"
    es = "{cause}. Se sirve el último paquete bueno de {repo}, revisión {revision}"

    def message(self, language: str = "es") -> str:
        cause = self.details["cause"].message(language)
        return (self.es if language == "es" else self.en).format(**{**self.details, "cause": cause})


class InvalidInput(OradorError):
    """Something a visitor or a program sent cannot be used; nothing was run."""


class NotText(InvalidInput):
    en = "“{field}” must be text, and {kind} came"
    es = "«{field}» tiene que ser texto y ha llegado {kind}"


class NotNumber(InvalidInput):
    en = "“{field}” must be a number between {low} and {high}, and {value} came"
    es = "«{field}» tiene que ser un número entre {low} y {high}, y ha llegado {value}"


class NotFlag(InvalidInput):
    en = "“{field}” must be true or false, and {value} came"
    es = "«{field}» tiene que ser verdadero o falso, y ha llegado {value}"


class EmptyField(InvalidInput):
    en = "“{field}” is empty: write at least one word"
    es = "«{field}» está vacío: escriba al menos una palabra"


class TooLong(InvalidInput):
    en = "“{field}” has {size} characters and the limit is {limit}. Shorten it"
    es = "«{field}» tiene {size} caracteres y el límite es {limit}. Acórtelo"


class TooManyWords(InvalidInput):
    en = "“{field}” has {size} words and the limit is {limit}. Shorten it"
    es = "«{field}» tiene {size} palabras y el límite es {limit}. Acórtelo"


class UnknownChoice(InvalidInput):
    en = "“{value}” is not a {field}. There are: {choices}"
    es = "«{value}» no es un valor de {field}. Hay: {choices}"


class HistoryNotList(InvalidInput):
    en = (
        "the history must be a list of messages, and {kind} came. Send back the one of the last answer, or []"
    )
    es = "el historial tiene que ser una lista de mensajes y ha llegado {kind}. Devuelva el de la última respuesta, o []"


class TurnInvalid(InvalidInput):
    """Turns alternate, the visitor's first; each is `{"role", "content"}` with a content that is not empty."""

    en = 'message {number} of the history must have the role "{role}", a content that is not empty, and nothing else. Send back the history of the last answer'
    es = "el mensaje {number} del historial tiene que llevar el papel «{role}», un contenido no vacío y nada más. Devuelva el historial de la última respuesta"


class HistoryUnanswered(InvalidInput):
    en = "the history ends with message {number}, which nobody answered. Send the new message apart, not in the history"
    es = "el historial acaba en el mensaje {number}, que nadie ha contestado. Envíe el mensaje nuevo aparte, no en el historial"


class TooManyTurns(InvalidInput):
    en = "the conversation has {size} messages and the limit is {limit}. Start a new one"
    es = "la conversación tiene {size} mensajes y el límite es {limit}. Empiece otra"


class ForbiddenMark(InvalidInput):
    """The model's vocabulary does not let this mark be written as plain text."""

    en = "the text contains a control mark of the model ({mark}). Remove it"
    es = "el texto contiene una marca de control del modelo ({mark}). Quítela"


class PromptTooLong(InvalidInput):
    """`tokens` of the prompt and `context` of the model, found before any model work."""

    en = "the prompt has {tokens} tokens and the model's context is {context}. Shorten the text or ask for fewer passages"
    es = "el texto de entrada ocupa {tokens} tokens y el contexto del modelo es de {context}. Acórtelo o pida menos fragmentos"


class TextDoesNotFit(InvalidInput):
    """A text to ask about; `tokens` of the prompt with it, found before the model works."""

    en = "the text takes {tokens} tokens with what is asked, and the model's context of {context} must have room for {number} items too. Shorten it to about {characters} characters, or ask for fewer"
    es = "el texto ocupa {tokens} tokens con lo que se pide, y en el contexto del modelo, de {context}, tienen que caber también {number} preguntas. Acórtelo a unos {characters} caracteres o pida menos"


class EngineError(OradorError):
    """The model could not be loaded, or failed while working."""


class ModelUnreadable(EngineError):
    en = "llama.cpp cannot load {file}: {reason}. Check the bundle with `python -m space check`"
    es = "llama.cpp no puede cargar {file}: {reason}. Compruebe el paquete con `python -m space check`"


class TemplateInvalid(EngineError):
    en = "the bundle's chat template cannot be used: {reason}. Make the bundle again from the base model's own template"
    es = "la plantilla de conversación del paquete no se puede usar: {reason}. Vuelva a crear el paquete con la plantilla del modelo base"


class DecodeFailed(EngineError):
    en = "the model failed while working (llama_decode answered {code}). Try again"
    es = "el modelo ha fallado al trabajar (llama_decode ha respondido {code}). Inténtelo de nuevo"


class StateUnknown(EngineError):
    en = "llama.cpp's key/value memory has another layout than the pinned version's. Install what requirements.txt names"
    es = "la memoria de claves y valores de llama.cpp no tiene el formato de la versión fijada. Instale lo que dice requirements.txt"


class GrammarInvalid(EngineError):
    en = "llama.cpp cannot read the grammar of this kind of text: {reason}"
    es = "llama.cpp no puede leer la gramática de este tipo de texto: {reason}"


class EngineClosed(EngineError):
    en = "The model is being unloaded. Try again in a moment"
    es = "El modelo se está descargando de la memoria. Inténtelo de nuevo dentro de un momento"


class RemoteFailed(EngineError):
    en = "the model's server at {url} does not answer as it should: {reason}. Look at ORADOR_ENGINE_URL and at the server's log"
    es = "el servidor del modelo en {url} no responde como debería: {reason}. Revise ORADOR_ENGINE_URL y el registro del servidor"


class RemoteWithoutAdapter(EngineError):
    en = "the server at {url} has no model called {name} ({models}). Serve the adapter under that name, or say in ORADOR_ENGINE_MODEL which model to use"
    es = "el servidor en {url} no tiene ningún modelo llamado {name} ({models}). Sirva el adaptador con ese nombre o diga en ORADOR_ENGINE_MODEL qué modelo usar"


class NoIndex(InvalidInput):
    en = "the generator “{name}” has no index of documents, so it has no RAG"
    es = "el generador «{name}» no tiene índice de documentos, así que no tiene RAG"


class SettingInvalid(OradorError):
    en = "{name}={value!r} is not valid: {reason}"
    es = "{name}={value!r} no es válido: {reason}"


class Unexpected(OradorError):
    """Any other exception; its traceback is in the log under `code`."""

    en = "Something failed inside Orador (code {code}). Try again; if it goes on, send this code to whoever runs it"
    es = "Algo ha fallado dentro de Orador (código {code}). Inténtelo de nuevo; si continúa, envíe este código a quien lo mantiene"
