"""Cleans a text and gives its paragraphs: used by `python -m train prepare`.

Unicode NFC, control and zero-width characters, typographic spaces, HTML, Markdown marks, hard-wrapped lines, separators
and page furniture, stage directions. What is taken out is counted in the audit.
"""

from __future__ import annotations

import html
import itertools
import re
import unicodedata

from index.passages import sentences
from train.audit import Audit

_BREAKS = re.compile(r"\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_CONTROL = re.compile(
    r"[\x00-\x08\x0e-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffd\ue000-\uf8ff]"
)
_SPACES = re.compile(r"[\t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_HIDDEN_HTML = re.compile(r"<!--.*?-->|<(script|style|head|noscript)\b.*?</\1\s*>", re.S | re.I)
_BLOCK_TAG = re.compile(
    r"</?(p|div|br|h[1-6]|li|ul|ol|tr|td|table|blockquote|section|article|hr|html|body)\b[^<>]*>", re.I
)
_INLINE_TAG = re.compile(
    r"</?(a|abbr|b|i|u|em|strong|span|font|sup|sub|small|img|code|s|q|cite|o:p|center)\b[^<>]*>", re.I
)
_ENTITY = re.compile(r"&(#\d{1,7}|#x[0-9a-f]{1,6}|[a-z]{2,8}\d?);", re.I)
_MARKDOWN = (  # characters of which a text has one where the pattern can match: most texts have none
    ("\\", re.compile(r"\\(?=\s|$)"), ""),  # Pandoc's hard line break
    ("\\", re.compile(r"\\([-.*_#\[\]()!\"'`])"), r"\1"),
    ("[", re.compile(r"!?\[([^\[\]]*)\]\((?:[^()\s]+)(?:\s+\"[^\"]*\")?\)"), r"\1"),
    ("*_", re.compile(r"(\*\*|__)(\s*)(\S(?:.*?\S)?)??\s*\1"), r"\2\3"),
    ("*", re.compile(r"(?<![\w*])\*(\S(?:[^*\n]*\S)?)\*(?![\w*])"), r"\1"),
    ("_", re.compile(r"(?<!\w)_(\S(?:[^_\n]*\S)?)_(?!\w)"), r"\1"),
    ("#", re.compile(r"^\s{0,3}#{1,6}\s+(.*?)\s*#*\s*$", re.M), r"\1\n"),
    (">", re.compile(r"^\s{0,3}>\s?", re.M), ""),
    ("*•▪●", re.compile(r"^\s*[*•▪●]\s+", re.M), ""),
)
_FURNITURE = re.compile(
    r"(?:https?://|www\.)\S+$|pic\.twitter\.com|^(?:compartir|compartir en|imprimir|leer m[aá]s|ver m[aá]s|tweet|facebook|twitter|whatsapp|"
    r"descargar(?: pdf)?|volver(?: arriba)?|suscr[ií]bete\b.{0,60}|s[ií]guenos en\b.{0,60}|p[aá]gina \d+(?: de \d+)?|copyright\b.{0,80}|©.{0,80})[.:!]?$",
    re.I,
)
_DIRECTION = re.compile(r"\s*[(\[]([^()\[\]]{3,70})[)\]]")
_DIRECTION_WORDS = re.compile(
    r"\b(?:aplau|apaus|risas?\b|ovaci|m[uú]sica\b|v[ií]tores|abuche|applau|laugh|cheer)|"
    r"^(?:r[ií]en?\b|riendo|vitorea|silbid|silencio$|llanto|llora|pausa\b|corean?\b|coro$|cantan?\b|gritan\b|gritos\b|inicia\b|finaliza\b|termina\b|fin del?\b|"
    r"v[ií]deo\b|audio\b|habla en\b|saluda en\b|mensaje en\b|interpretaci[oó]n del\b|traducci[oó]n\b|subt[ií]tul|pieza musical|se proyecta|proyecci|"
    r"music\b|crosstalk|sighs|suspira|suspiro|carraspea|tose$|tos$|audience$|(?:sing|whistl|shout|cough|clapp|beatbox|sobb?)(?:s|es|ing)\b)",
    re.I,
)
_LOST = re.compile(
    r"inaudible|ininteligible|inentendible|no se (?:oye|escucha|entiende)|unintelligible|falla de (?:audio|transmisi)",
    re.I,
)
_DATE_LINE = re.compile(
    r"^[\[(]?(?:(?:lunes|martes|mi[eé]rcoles|jueves|viernes|s[aá]bado|domingo),?\s+)?\d{1,2}\s+de\s+[a-z]+,?\s+(?:de[l]?\s+)?\d{4}[\])]?\.?$",
    re.I,
)
_BEFORE_MARK = re.compile(r" ([,.;:!?…])")
_TERMINAL = re.compile(r"[.!?…:;][\"'»”’)\]*_]*$")
_WRAP_MAX = 120  # characters: hard-wrapped lines are shorter than this
_WRAP_MIN = 25  # characters: median below which short lines are verses or a list, not wrapped prose


def plain_text(text: str, audit: Audit, name: str) -> str:
    """Characters and HTML made plain: NFC, one kind of space, no control or zero-width characters, no tags."""
    text = _BREAKS.sub("\n", text)
    text = _without_html(text, audit, name)
    text, spaces = _SPACES.subn(" ", text)
    text, controls = _CONTROL.subn("", text)
    audit.repaired("typographic spaces made plain", name, spaces)
    audit.repaired("control and invisible characters removed", name, controls)
    normal = unicodedata.normalize("NFC", text)
    audit.repaired("texts brought to Unicode NFC", name, int(normal != text))
    return normal


def paragraphs(text: str, audit: Audit, name: str) -> list[str]:
    """The paragraphs of a plain text: wrapped lines joined, Markdown marks and furniture gone, spaces collapsed."""
    for needed, pattern, replacement in _MARKDOWN:
        if any(map(text.__contains__, needed)):
            text = pattern.sub(replacement, text)
    lines = [line.strip() for line in text.split("\n")]
    joined = _unwrap(lines) if _is_wrapped(lines) else [line for line in lines if line]
    audit.repaired("hard-wrapped texts joined", name, int(len(joined) < sum(map(bool, lines)) * 0.9))
    result = []
    for paragraph in joined:
        paragraph = " ".join(paragraph.split())
        if not any(c.isalpha() for c in paragraph):
            audit.dropped("lines: separators and numbers", paragraph)
        elif len(paragraph) < 200 and _FURNITURE.search(paragraph):
            audit.dropped("lines: page furniture and links", paragraph)
        elif _DATE_LINE.match(paragraph):
            audit.dropped("lines: dates", paragraph)
        else:
            result.append(paragraph)
    headings = [paragraph for paragraph in result if _is_capitals(paragraph)]
    if len(headings) > len(result) / 4:  # a text written in capitals
        return result
    for heading in headings:
        audit.dropped("lines: headings in capitals", heading)
    return [paragraph for paragraph in result if paragraph not in headings]


def without_directions(paragraph: str, audit: Audit) -> str:
    """The paragraph without "(Aplausos)" and kin; a sentence with "(Inaudible)" goes whole, since it is incomplete."""
    if not any(map(paragraph.__contains__, "([")):
        return _tidy(paragraph)
    kept = []
    for sentence in sentences(paragraph):
        if any(_LOST.search(m[1]) for m in _DIRECTION.finditer(sentence)):
            audit.dropped("sentences with an inaudible part", sentence)
            continue
        kept.append(sentence)

    def drop(match: re.Match[str]) -> str:
        if not _DIRECTION_WORDS.search(match[1]):
            return match[0]
        audit.dropped("stage directions", match[0].strip())
        return " "  # "bien.(Risas)Y ahora" are two sentences

    return _tidy(_DIRECTION.sub(drop, "".join(kept)))


def is_complete(paragraph: str) -> bool:
    """Whether the paragraph ends a sentence (a colon or a comma does not)."""
    return re.search(r"[.!?…][\"'»”’)\]]*$", paragraph) is not None


def _tidy(text: str) -> str:
    """The text with single spaces and none before a punctuation mark; nothing when it has no letter."""
    text = _BEFORE_MARK.sub(r"\1", " ".join(text.split()))
    return text if any(c.isalpha() for c in text) else ""


def _is_capitals(paragraph: str) -> bool:
    return paragraph.isupper() and len(paragraph.split()) >= 4


def _without_html(text: str, audit: Audit, name: str) -> str:
    if "<" in text:
        text, hidden = _HIDDEN_HTML.subn("\n", text)
        text, blocks = _BLOCK_TAG.subn("\n", text)
        text, inline = _INLINE_TAG.subn("", text)
        audit.repaired("HTML tags removed", name, hidden + blocks + inline)
    for _ in range(2):  # "&amp;nbsp;" is escaped twice
        text, entities = _ENTITY.subn(lambda m: html.unescape(m[0]), text)
        audit.repaired("HTML entities resolved", name, entities)
        if not entities:
            break
    return text


def _is_wrapped(lines: list[str]) -> bool:
    """Whether most lines that have a next line stop mid-sentence, at a width that an editor or subtitles would give."""
    pairs = [a for a, b in itertools.pairwise(lines) if a and b]
    if len(pairs) < 3:
        return False
    lengths = sorted(map(len, pairs))
    if lengths[int(len(lengths) * 0.95)] > _WRAP_MAX or lengths[len(lengths) // 2] < _WRAP_MIN:
        return False
    return sum(not _TERMINAL.search(line) for line in pairs) > len(pairs) / 2


def _unwrap(lines: list[str]) -> list[str]:
    blocks: list[list[str]] = [[]]
    for line in lines:
        if line:
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    width = sorted(map(len, filter(None, lines)))[int(sum(map(bool, lines)) * 0.9)]
    spaced = sum(len(block) > 1 for block in blocks) > 1
    result = []
    for block in filter(None, blocks):
        result.extend([block] if spaced else _by_short_lines(block, width))
    return [_join(block) for block in result]


def _by_short_lines(block: list[str], width: int) -> list[list[str]]:
    """Without blank lines a paragraph ends at a line that ends a sentence well before the right margin."""
    parts: list[list[str]] = [[]]
    for line in block:
        parts[-1].append(line)
        if is_complete(line) and len(line) < width * 0.75:
            parts.append([])
    return [part for part in parts if part]


def _join(lines: list[str]) -> str:
    text = lines[0]
    for line in lines[1:]:
        hyphenated = re.search(r"[a-záéíóúüñ]-$", text) and re.match(r"[a-záéíóúüñ]", line)
        text = text[:-1] + line if hyphenated else f"{text} {line}"
    return text
