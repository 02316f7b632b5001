"""What the lineage of a bundle says of the person that a chat imitates; `python -m space check` prints it."""

from __future__ import annotations

from typing import Any

from space.bundle import Bundle, Generator
from space.lineage import lineage_of

_NEEDED = ("persona", "agreed_by", "date", "statement")


def consent_of(bundle: Bundle, generator: Generator) -> dict[str, Any] | None:
    """The consent that `python -m train prepare chat` read, None where the lineage has no whole one."""
    options = lineage_of(bundle, generator).get("options")
    consent = options.get("consent") if isinstance(options, dict) else None
    whole = isinstance(consent, dict) and all(consent.get(key) for key in _NEEDED)
    return consent if whole else None


def imitated(bundle: Bundle) -> list[Generator]:
    """The generators that imitate a person."""
    return [generator for generator in bundle.generators if generator.kind == "chat"]


def describe(bundle: Bundle, generator: Generator) -> str:
    """Who is imitated and by whose consent, in a line."""
    persona, consent = generator.values["persona"], consent_of(bundle, generator)
    if consent is None:
        return f"imitates {persona}; the lineage has no consent"
    agreed = consent["agreed_by"]
    names = ", ".join(map(str, agreed)) if isinstance(agreed, list) else str(agreed)
    return f"imitates {persona} by consent of {consent['date']}, given by {names}"
