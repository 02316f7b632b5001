"""Named errors: what happened and what to do, in English and Spanish.

The base class lives in the lowest layer, so that `index`, `space` and `train` share it. `str(error)` is the
English text (for logs and command lines); the interface shows `error.message(language)`.
"""

from __future__ import annotations

from typing import Any, ClassVar


class OradorError(Exception):
    """An error a person can act on. Subclasses give `en` and `es`, formatted with the keyword details."""

    en: ClassVar[str] = "{reason}"
    es: ClassVar[str] = "{reason}"

    def __init__(self, **details: Any) -> None:
        self.details = details
        super().__init__(self.en.format(**details))

    def message(self, language: str = "es") -> str:
        """The text for a person, in `language` ("es" or "en")."""
        return (self.es if language == "es" else self.en).format(**self.details)


class BadSource(OradorError):
    en = "{path}: not a source. Give a documents.jsonl (id, title, text, source a line, ids unique) or a folder of .txt and .md files."
    es = "{path}: no es una fuente. Dé un documents.jsonl (id, title, text, source por línea, ids únicos) o una carpeta de .txt y .md."


class UnreadableText(OradorError):
    en = "{path}: not a text in UTF-8, UTF-16 or Windows-1252. Convert it or take it out."
    es = "{path}: no es un texto en UTF-8, UTF-16 ni Windows-1252. Conviértalo o quítelo."


class NoDocuments(OradorError):
    en = "{path}: no documents in it. Give a folder with .txt or .md files, or a documents.jsonl with lines."
    es = "{path}: no contiene documentos. Dé una carpeta con .txt o .md, o un documents.jsonl con líneas."


class EmptyDocuments(OradorError):
    en = "{count} documents without text: {names}. Take them out or fill them."
    es = "{count} documentos sin texto: {names}. Quítelos o complételos."


class BadQuestions(OradorError):
    en = "{path}: not a question set in SQuAD format with at least one answerable question."
    es = "{path}: no es un conjunto de preguntas en formato SQuAD con al menos una pregunta con respuesta."


class OutputExists(OradorError):
    en = "{path} exists and is not empty. Give another --out or delete it."
    es = "{path} existe y no está vacío. Dé otro --out o bórrelo."


class BadEmbedder(OradorError):
    en = "{path}: not a usable embedder ({reason})."
    es = "{path}: no es un modelo de embeddings utilizable ({reason})."


class NeedsSentenceTransformers(OradorError):
    en = (
        "The index was built with {name}, which runs only with sentence-transformers, and that is not installed. Convert it "
        "(python -m train export-embedder {name} --out F.gguf) and build the index again with --embedder-gguf F.gguf."
    )
    es = (
        "El índice se hizo con {name}, que solo funciona con sentence-transformers, y no está instalado. Conviértalo "
        "(python -m train export-embedder {name} --out F.gguf) y rehaga el índice con --embedder-gguf F.gguf."
    )


class EmbeddersDisagree(OradorError):
    en = "The GGUF does not compute what the model computes: lowest cosine {cosine}, needed {needed}. Convert this very model again."
    es = "El GGUF no calcula lo mismo que el modelo: coseno mínimo {cosine}, hace falta {needed}. Convierta de nuevo este mismo modelo."


class TextTooLong(OradorError):
    en = "The query is longer than the embedder reads: {limit} tokens, about {limit} × 0.6 words. Shorten it."
    es = "La consulta es más larga de lo que lee el modelo de embeddings: {limit} tokens, unas {limit} × 0,6 palabras. Acórtela."


class IndexNotFound(OradorError):
    en = "{path}: no index there (no readable index.json). Build one: python -m index build SOURCE --embedder MODEL --out DIR."
    es = "{path}: no hay un índice (falta un index.json legible). Cree uno: python -m index build FUENTE --embedder MODELO --out DIR."


class UnknownFormat(OradorError):
    en = "{path}: index.json is not of the format this version reads ({reason}). Build the index again."
    es = "{path}: index.json no tiene el formato que lee esta versión ({reason}). Rehaga el índice."


class FileMismatch(OradorError):
    en = "{path} does not match the index's manifest: expected SHA-256 {expected}, found {found}. Copy or build the index again."
    es = "{path} no coincide con el manifiesto del índice: SHA-256 esperado {expected}, encontrado {found}. Copie o rehaga el índice."


class RowMismatch(OradorError):
    en = "{path}: {passages} passages, {vectors} vectors, {lexical} BM25 rows; they must be equal. Build the index again."
    es = "{path}: {passages} pasajes, {vectors} vectores, {lexical} filas de BM25; deben ser iguales. Rehaga el índice."


class EmbedderMismatch(OradorError):
    en = (
        "{path}: the embedder {name} does not reproduce the index's vectors (dimension {found}, stored {expected}; cosine "
        "{cosine}). It is another model or version than the one that built the index: build the index again."
    )
    es = (
        "{path}: el modelo {name} no reproduce los vectores del índice (dimensión {found}, guardada {expected}; coseno "
        "{cosine}). Es otro modelo u otra versión que los del índice: rehaga el índice."
    )


class BadWords(OradorError):
    en = "--words is {words}; a passage has at least {least} words."
    es = "--words es {words}; un pasaje tiene al menos {least} palabras."


class NoVector(OradorError):
    en = 'Passage {position} of {document} has no vector: the embedder knows none of its characters ("{text}"). Take that text out.'
    es = "El pasaje {position} de {document} no tiene vector: el modelo no conoce ninguno de sus caracteres («{text}»). Quite ese texto."
