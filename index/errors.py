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
