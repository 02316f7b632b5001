"""An article of Wikipedia as plain text, by the Action API of a MediaWiki; used by `space/question_input.py`.

    article = fetch("Maria Sibylla Merian", "https://es.wikipedia.org")     # ORADOR_WIKIPEDIA_URL

Headings, tables, notes and lists of references are left out. The text is under CC BY-SA 4.0: whoever shows it names `address`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from space.text_errors import ArticleAmbiguous, ArticleMissing, WikipediaUnreachable

LICENSE = "CC BY-SA 4.0"
SECONDS = 10.0
MAX_BYTES = 5_000_000
MAX_TITLE_CHARS = 255
"""MediaWiki's own limit, in bytes."""
HEADERS = {"User-Agent": "Orador (text generators on Hugging Face Spaces) python-httpx"}
_HEADING = re.compile(r"^(={2,6})\s*(.*?)\s*\1$")
_APPENDICES = re.compile(
    r"(?:notas|referencias|bibliografía|véase también|enlaces externos|fuentes|lecturas|notes|references|see also|external links|further reading|sources|bibliography)\b",
    re.I,
)


@dataclass(frozen=True)
class Article:
    """`title` is the article's own, after redirects; `address` its page, in the version that was read."""

    title: str
    text: str
    address: str


def fetch(title: str, url: str) -> Article:
    """The article called `title` in the wiki at `url`.

    Raises ArticleMissing, ArticleAmbiguous, and WikipediaUnreachable where the wiki does not answer as one.
    """
    wanted = {
        "action": "query",
        "format": "json",
        "formatversion": "2",
        "prop": "extracts|info|pageprops",
        "ppprop": "disambiguation",
        "explaintext": "1",
        "exsectionformat": "wiki",
        "redirects": "1",
        "titles": title.replace("|", " "),
    }
    try:
        page = json.loads(_get(f"{url}/w/api.php", wanted))["query"]["pages"][0]
        if page.get("missing") or page.get("invalid") or not page.get("extract"):
            raise ArticleMissing(title=title)
        if "disambiguation" in page.get("pageprops", {}):
            raise ArticleAmbiguous(title=page["title"])
        address = (
            f"{url}/w/index.php?title={quote(page['title'].replace(' ', '_'))}&oldid={int(page['lastrevid'])}"
        )
        return Article(str(page["title"]), body(str(page["extract"])), address)
    except (httpx.HTTPError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise WikipediaUnreachable(url=url, reason=f"{type(error).__name__}: {error}"[:200]) from error


def body(extract: str) -> str:
    """The paragraphs of an extract, without headings and without the sections after the article itself."""
    kept: list[str] = []
    left_out = 0  # the depth of the appendix that is being read
    for line in extract.split("\n"):
        if heading := _HEADING.match(line.strip()):
            depth = len(heading[1])
            if not left_out or depth <= left_out:
                left_out = depth if _APPENDICES.match(heading[2]) else 0
        elif line.strip() and not left_out:
            kept.append(line.strip())
    return "\n\n".join(kept)


def _get(address: str, wanted: dict[str, Any]) -> bytes:
    """The answer, of MAX_BYTES at most. Raises httpx.HTTPError and ValueError."""
    with httpx.stream("GET", address, params=wanted, headers=HEADERS, timeout=SECONDS) as answer:
        answer.raise_for_status()
        content = b""
        for chunk in answer.iter_bytes():
            content += chunk
            if len(content) > MAX_BYTES:
                raise ValueError(f"more than {MAX_BYTES} bytes")
    return content
