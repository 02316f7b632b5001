"""Bytes of a text file to str, whatever encoding a real file has: used by `python -m train prepare`.

Order: byte order mark; strict UTF-8; UTF-16 without a mark (by its zero bytes); then, among the single-byte encodings
that Spanish texts come in, the one whose characters beyond ASCII look most like Spanish. UTF-8 read as Windows-1252 and
written again ("canciÃ³n") is undone.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from train.audit import Audit

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MAGIC = {
    b"%PDF": "a PDF",
    b"PK\x03\x04": "a ZIP or Office file",
    b"\xd0\xcf\x11\xe0": "an old Office file",
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
    b"GIF8": "an image",
    b"\x1f\x8b": "a gzip file",
    b"{\\rtf": "an RTF file",
}
_SINGLE_BYTE = ("cp1252", "latin-1", "mac_roman", "cp850")
_SPANISH = frozenset("áéíóúüñÁÉÍÓÚÜÑ¿¡ªº°«»“”‘’…–—·€´\u00a0")
_LATIN = frozenset("àèìòùâêîôûãõäëïöçÀÈÌÒÙÂÊÎÔÛÃÕÄËÏÖÇ§®©™•²³½¼")
_PLAUSIBLE = (
    0.8  # share of the characters beyond ASCII that must look like text; a wrong guess gives under 0.4
)
_MAX_LOST = 0.001  # replacement characters per character above which the file is damaged
# Bytes undefined in Windows-1252 pass through as C1 controls, as browsers and Python's latin-1 do.
_TO_BYTE = {bytes([b]).decode("cp1252", "ignore") or chr(b): b for b in range(0x80, 0x100)} | {
    chr(b): b for b in range(0x80, 0xA0)
}
_RUN = re.compile(f"[{re.escape(''.join(_TO_BYTE))}]{{2,}}")


class NotText(Exception):
    """The bytes are no text that can be read; the message says why."""


@dataclass(frozen=True)
class Decoded:
    """The text (lines end in \\n), the encoding it was read in and how many double encodings were undone."""

    text: str
    encoding: str
    repaired: int = 0


def decode(raw: bytes) -> Decoded:
    """The text of `raw`. Raises NotText for empty, binary, damaged or undecodable content."""
    if not raw.strip(b" \t\r\n\0"):
        raise NotText("the file is empty")
    for magic, what in _MAGIC.items():
        if raw.startswith(magic):
            raise NotText(f"it is {what}, not a text")
    text, encoding = _decode(raw)
    if not text.strip():
        raise NotText("the file is empty")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    lost = text.count("\ufffd")
    if lost > max(1, len(text) * _MAX_LOST):
        raise NotText(f"{lost} characters were lost (�) in an earlier conversion")
    controls = sum(text.count(chr(c)) for c in range(32) if c not in (9, 10, 11, 12, 31))
    if controls > len(text) * 0.01:
        raise NotText("it holds binary data")
    text, repaired = undo_double_encoding(text)
    return Decoded(text, encoding, repaired)


def decoded(raw: bytes, name: str, audit: Audit) -> str:
    """The text of the file `name`; an encoding other than UTF-8 and repairs are counted. Raises NotText."""
    found = decode(raw)
    if found.encoding not in ("utf-8", "utf-8-sig"):
        audit.repaired(f"encoding: {found.encoding} read as such", name)
    audit.repaired("double encodings undone (Ã³ → ó)", name, found.repaired)
    return found.text


def undo_double_encoding(text: str) -> tuple[str, int]:
    """Runs of characters that are UTF-8 read as Windows-1252 turned back, and how many runs (also twice encoded)."""
    total = 0
    for _ in range(2):
        text, found = _undo_once(text)
        total += found
        if not found:
            break
    return text, total


def _undo_once(text: str) -> tuple[str, int]:
    found = 0

    def turn(match: re.Match[str]) -> str:
        nonlocal found
        try:
            result = bytes(_TO_BYTE[c] for c in match[0]).decode("utf-8")
        except UnicodeDecodeError:
            return match[0]
        if not all(_is_western(c) for c in result):
            return match[0]
        found += 1
        return result

    return _RUN.sub(turn, text), found


def _is_western(character: str) -> bool:
    """Latin letters, typographic signs and emoji: "í…’" must not become a Korean syllable."""
    code = ord(character)
    return code < 0x250 or 0x2000 <= code < 0x2300 or code >= 0x1F000


def _decode(raw: bytes) -> tuple[str, str]:
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            try:
                return raw.decode(encoding), encoding
            except UnicodeDecodeError as error:
                raise NotText(
                    f"it starts as {encoding} but cannot be read as such (byte {error.start})"
                ) from error
    if b"\0" in raw:
        return _without_mark(raw)
    try:
        return raw.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return _single_byte(raw)


def _without_mark(raw: bytes) -> tuple[str, str]:
    for encoding, zeros in (("utf-16-le", raw[1::2]), ("utf-16-be", raw[0::2])):
        if len(raw) % 2 == 0 and zeros.count(0) > len(zeros) * 0.7:
            try:
                return raw.decode(encoding), encoding
            except UnicodeDecodeError:
                continue
    raise NotText("it holds binary data (zero bytes)")


def _single_byte(raw: bytes) -> tuple[str, str]:
    best, text, encoding = -1.0, "", ""
    for candidate in _SINGLE_BYTE:
        try:
            read = raw.decode(candidate)
        except UnicodeDecodeError:
            continue
        score = _plausibility(undo_double_encoding(read)[0])
        if score > best:
            best, text, encoding = score, read, candidate
    if best < _PLAUSIBLE:
        raise NotText("its encoding cannot be told; convert it to UTF-8")
    return text, encoding


def _plausibility(text: str) -> float:
    """Share of the characters beyond ASCII that Spanish texts have, other Latin letters counting 0.85."""
    beyond = [c for c in text if ord(c) > 126]
    if not beyond:
        return 1.0
    return sum(1.0 if c in _SPANISH else 0.85 if c in _LATIN else 0.0 for c in beyond) / len(beyond)
