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
