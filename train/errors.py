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
