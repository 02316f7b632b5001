"""The consent to imitate a person: read by `python -m train prepare chat --consent FILE`, carried in the lineage.

A JSON object or lines of `key: value`, with `persona` (who is imitated, as the export writes the name), `agreed_by` (who
agreed: the persona and, if they did, the others of the chat), `date` (YYYY-MM-DD) and `statement` (what was agreed to).
"""

from __future__ import annotations

import datetime
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from train.decoding import NotText, decode
from train.errors import BadConsent, ConsentNeeded

FILE = "consent.json"
"""Looked for beside the source when no file is given."""
_NEEDED = ("persona", "agreed_by", "date", "statement")


@dataclass(frozen=True)
class Consent:
    """What the file says, and the SHA-256 of its bytes."""

    persona: str
    agreed_by: list[str]
    date: str
    statement: str
    sha256: str

    def to_json(self, mask: Callable[[str], str]) -> dict[str, Any]:
        """For the lineage, which may be published: `mask` is applied to names and statement, but not the persona's."""
        return asdict(self) | {"agreed_by": [*map(mask, self.agreed_by)], "statement": mask(self.statement)}


def find_consent(given: Path | None, source: Path) -> Path:
    """The consent file: the one given, or FILE in or beside `source`. Raises ConsentNeeded."""
    path = given or (source if source.is_dir() else source.parent) / FILE
    if not path.is_file():
        raise ConsentNeeded(path=path)
    return path


def read_consent(path: Path) -> Consent:
    """Raises BadConsent for a file that is no text, lacks a key or has no valid date."""
    raw = path.read_bytes()
    try:
        values = _values(decode(raw).text)
    except (NotText, ValueError) as error:
        raise BadConsent(path=path, reason=str(error)) from error
    if missing := [key for key in _NEEDED if not values.get(key)]:
        raise BadConsent(path=path, reason=f"it does not say {', '.join(missing)}")
    agreed = values["agreed_by"]
    names = agreed if isinstance(agreed, list) else re.split(r"[;,]", str(agreed))
    try:
        date = datetime.date.fromisoformat(str(values["date"])).isoformat()
    except ValueError as error:
        raise BadConsent(path=path, reason=f"its date is {values['date']}, not YYYY-MM-DD") from error
    return Consent(
        persona=str(values["persona"]).strip(),
        agreed_by=[str(name).strip() for name in names if str(name).strip()],
        date=date,
        statement=" ".join(str(values["statement"]).split()),
        sha256=hashlib.sha256(raw).hexdigest(),
    )


def _values(text: str) -> dict[str, Any]:
    if text.lstrip().startswith("{"):
        values = json.loads(text)
        return values if isinstance(values, dict) else {}
    pairs = (line.partition(":") for line in text.split("\n") if ":" in line)
    return {key.strip().lower(): value.strip() for key, _, value in pairs}
