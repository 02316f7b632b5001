"""A PDF as plain text, by PDFium (pypdfium2): used by train/readers.py.

Lines become paragraphs by their distance, indent, size and length. Headers and footers that pages repeat and page numbers are left
out and counted, words divided at a line's end are joined. Text in the order in which the PDF holds it.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise, takewhile
from statistics import median
from typing import Any

from train.audit import Audit
from train.clean import is_complete
from train.decoding import NotText
from train.readers import Meta, Reading

_PASSWORD = 4  # FPDF_ERR_PASSWORD
_HYPHEN = re.compile(
    r"[\ufffe\x02\u00ad]"
)  # what PDFium writes for a hyphen at a line's end, and the soft hyphen
_LIGATURE = re.compile(r"[\ufb00-\ufb06]")
_PAGE_NUMBER = re.compile(r"[\W_]*(?:p[aá]g(?:ina)?\.?\s*)?\d{1,4}(?:\s*(?:de|/)\s*\d{1,4})?[\W_]*", re.I)
_EDGE = 3  # most lines of a header or footer
_REPEATED = 0.3  # share of the pages (and two at least) on which such a line stands
_APART, _INDENT, _LARGER = (
    1.35,
    0.8,
    1.15,
)  # of the usual distance of lines; of a line's height; of the size before
_SHORT = 0.85  # of the usual width, under which a line that ends a sentence ends its paragraph
_COLUMN, _FULL = 8, 4  # points within which lines begin at the same place; lines that show where such end
_COUNTING_WORDS = 10  # most words of a line that has the page's number in it
_FEW = 20  # characters per page under which a PDF is taken for images
_UNNAMED = re.compile(
    r"(?:microsoft (?:word|powerpoint).*|untitled|sin t[ií]tulo|documento?\d*|.*\.\w{3,4}|\W*)", re.I
)


@dataclass(frozen=True)
class Line:
    """A line and its place in points, from the left and from the bottom of the page."""

    text: str
    left: float
    right: float
    top: float
    bottom: float
    height: float


def read_text(raw: bytes, name: str, audit: Audit) -> Reading:
    """The paragraphs and the title that the PDF gives itself. Raises NotText for encrypted, damaged and scanned ones."""
    import pypdfium2

    if b"%PDF" not in raw[:1024]:
        raise NotText("it is no PDF, or a damaged one")
    try:
        document = pypdfium2.PdfDocument(raw)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == _PASSWORD:
            raise NotText("the PDF is encrypted; save it without its password") from error
        raise NotText(f"it cannot be read as a PDF: {error}") from error
    try:
        pages = [_lines(page) for page in document]
        title = str(document.get_metadata_dict().get("Title") or "").strip()
    except pypdfium2.PdfiumError as error:
        raise NotText(f"a page of the PDF cannot be read: {error}") from error
    finally:
        document.close()
    if sum(len(line.text) for page in pages for line in page) < _FEW * len(pages):
        raise NotText(
            f"its {len(pages)} pages are images without text; make it text with an OCR program first"
        )
    audit.dropped("PDF: pages without text (images or blank)", name, sum(not page for page in pages))
    text = "\n\n".join(_paragraphs(_without_furniture(pages, audit)))
    if not text:
        raise NotText("nothing is left of the PDF without its headers, footers and page numbers")
    meta: Meta = {} if _UNNAMED.fullmatch(title) else {"title": title}
    return Reading(text, meta)


def _lines(page: Any) -> list[Line]:
    """The lines of a page, in the order of the file."""
    textpage = page.get_textpage()
    text = textpage.get_text_range()
    result = []
    at = 0
    for content in text.splitlines(keepends=True):
        first, last = at + len(content) - len(content.lstrip()), at + len(content.rstrip()) - 1
        at += len(content)
        if first > last:
            continue
        left, _, _, top = textpage.get_charbox(first, loose=True)
        _, bottom, right, _ = textpage.get_charbox(last, loose=True)
        boxes = [textpage.get_charbox(i, loose=True) for i in range(first, last + 1, 1 + (last - first) // 8)]
        height = median(upper - lower for _, lower, _, upper in boxes)  # a word may be in another font
        result.append(Line(_plain(content), left, right, top, bottom, height))
    return result


def _plain(line: str) -> str:
    """The line with its divided words joined (PDFium gives such two lines as one) and ligatures as letters."""
    joined = re.sub(
        rf"(?<=\w){_HYPHEN.pattern}\s*(?=[^\W\d_])",
        lambda m: "" if m.string[m.end()].islower() else "-",
        line,
    )
    letters = _LIGATURE.sub(lambda m: unicodedata.normalize("NFKC", m[0]), _HYPHEN.sub("-", joined))
    return " ".join(letters.split())


def _without_furniture(pages: list[list[Line]], audit: Audit) -> list[list[Line]]:
    """The pages without the lines at their edges that are page numbers or stand on other pages too, at the same height."""
    keys = [[_key(line, number) for line in page] for number, page in enumerate(pages)]
    seen = Counter(key for page in keys for key in set(page))
    least = max(2, _REPEATED * len(pages))
    result = []
    for number, page in enumerate(pages):

        def repeated(line: Line, number: int = number) -> bool:
            return seen[_key(line, number)] >= least

        ordered = sorted(page, key=lambda line: -line.top)
        furniture = [*_furniture(ordered, repeated), *_furniture(ordered[::-1], repeated)]
        for line in furniture:
            what = "headers and footers that pages repeat" if repeated(line) else "page numbers"
            audit.dropped(f"PDF: {what}", line.text)
        result.append([line for line in page if line not in furniture])
    return result


def _furniture(lines: list[Line], repeated: Callable[[Line], bool]) -> list[Line]:
    """The lines from an edge inwards that are no text; none when more repeat than a header has (the text itself does)."""
    found = list(
        takewhile(lambda line: repeated(line) or _PAGE_NUMBER.fullmatch(line.text), lines[: _EDGE + 1])
    )
    return found if len(found) <= _EDGE else []


def _key(line: Line, page: int) -> tuple[str, int]:
    """The line and its height, the same on all pages for what counts them ("Página 3 de 9")."""
    text = line.text.lower()
    if len(text.split()) <= _COUNTING_WORDS and not is_complete(text):
        text = re.sub(r"\d{1,5}", lambda match: f"#{int(match[0]) - page}", text, count=1)
    return text, round(line.top)


def _paragraphs(pages: list[list[Line]]) -> list[str]:
    lines = [(number, line) for number, page in enumerate(pages) for line in page]
    if not lines:
        return []
    layout = _Layout(pages)
    result = [lines[0][1].text]
    for (page, before), (next_page, line) in pairwise(lines):
        together = page == next_page and line.top <= before.top  # else a new page or column
        if layout.parted(before, line) or (together and layout.spaced(before, line)):
            result.append(line.text)
        else:
            result[-1] = _joined(result[-1], line.text)
    return result


class _Layout:
    """What is usual in a document: the distance of lines, and for lines that begin at the same place where they end."""

    def __init__(self, pages: list[list[Line]]) -> None:
        steps = [a.bottom - b.bottom for page in pages for a, b in pairwise(page) if a.bottom > b.bottom]
        self._step = median(steps) if steps else 0.0
        rights: dict[int, list[float]] = defaultdict(list)
        for page in pages:
            for line in page:
                rights[round(line.left / _COLUMN)].append(line.right)
        self._margins = {
            left: sorted(found)[int(len(found) * 0.9)]
            for left, found in rights.items()
            if len(found) >= _FULL
        }

    def spaced(self, before: Line, line: Line) -> bool:
        """Whether there is more than the usual distance between two lines."""
        return before.bottom - line.bottom > _APART * self._step

    def parted(self, before: Line, line: Line) -> bool:
        """Whether a paragraph ends between two lines, by their shape."""
        complete = is_complete(before.text)
        if not complete and line.text[0].islower():
            return False
        if not 1 / _LARGER < line.height / max(before.height, 1e-6) < _LARGER:
            return True
        if not any(map(str.isalnum, before.text)) or not any(map(str.isalnum, line.text)):
            return True  # a rule of dashes or stars
        margin = max(line.right, self._margins.get(round(before.left / _COLUMN), 0.0))
        if not complete:
            return before.right + _first_word(line) < margin
        indented = line.left - before.left > _INDENT * line.height
        return indented or before.right - before.left < _SHORT * (margin - before.left)


def _first_word(line: Line) -> float:
    """About the width of the line's first word and a space: a line to which the next one's would have fitted was ended there
    (a label, a heading)."""
    return (line.right - line.left) * (len(line.text.split()[0]) + 2) / len(line.text)


def _joined(text: str, line: str) -> str:
    if re.search(r"[^\W\d_]-$", text) and line[:1].islower():
        return text[:-1] + line
    return f"{text} {line}"
