"""A page (.html) as plain text, by Beautiful Soup: used by train/readers.py.

Scripts, navigation, forms, banners and lists of links are left out, and where the page marks its article, all that is outside;
each is counted. Title, date and address are those that the page states.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from typing import Any

from train.audit import Audit
from train.dates import find_date
from train.decoding import NotText, decoded
from train.readers import Meta, Reading

_CODE = "script style noscript template svg iframe object canvas math head".split()  # noqa: SIM905
_PARTS = "nav footer aside form button select dialog menu figcaption".split()  # noqa: SIM905
_ROLES = frozenset("navigation banner contentinfo search complementary menu menubar dialog alert".split())  # noqa: SIM905
_CLASS = re.compile(
    r"(?:nav|navbar|navigation|menu|breadcrumbs?|migas|sidebar|footer|masthead|cookies?|consent|gdpr|share|sharing|sharedaddy|social|"
    r"related|relacionad[ao]s|comments?|comentarios|respond|newsletter|advert\w*|ads?|banner|popup|modal|pagination|pager|skip|sr-only|"
    r"screen-reader-text|tags|byline)"
)
_BLOCKS = (
    "address article blockquote body center dd details div dl dt fieldset figure header html li main ol p pre section "  # noqa: SIM905
    "h1 h2 h3 h4 h5 h6 summary table tbody td tfoot th thead tr ul hr".split()
)
_LINKS, _LINK_SHARE = 3, 0.8  # from so many links on, a block that is link text to this share is no text
_MOSTLY = 0.5  # share of a page's text that no part left out by a guess may have
_SITE = re.compile(r"\s+[|»–—-]\s+[^|»]{3,60}$")
_BREAK, _PARAGRAPH = "\x1e", "\x1f"


def read_text(raw: bytes, name: str, audit: Audit) -> Reading:
    """The paragraphs of the page's article, and its title, date and address. Raises NotText."""
    from bs4 import BeautifulSoup, XMLParsedAsHTMLWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XMLParsedAsHTMLWarning)  # XHTML reads well as HTML
        soup = BeautifulSoup(decoded(raw, name, audit), "lxml")
    meta = _meta(soup)
    _drop_code(soup, name, audit)
    if soup.body is None or not soup.body.get_text(strip=True):
        raise NotText("it is a page without text (perhaps one that a program in it would fill)")
    _drop_parts(soup.body, audit)
    text = _plain(_article(soup.body, audit))
    if not text:
        raise NotText("nothing is left of the page without its navigation and lists of links")
    return Reading(text, meta)


def _meta(soup: Any) -> Meta:
    """What the page states: title (heading, og:title or <title> without the site's name), date, address."""

    def stated(*names: str) -> str:
        for name in names:
            for key in ("property", "name", "itemprop"):
                tag = soup.find("meta", attrs={key: re.compile(f"^{re.escape(name)}$", re.I)})
                if tag and str(tag.get("content") or "").strip():
                    return " ".join(str(tag["content"]).split())
        return ""

    headings = [text for tag in soup.find_all("h1") if (text := " ".join(tag.get_text(" ").split()))]
    window = " ".join(soup.title.get_text().split()) if soup.title else ""
    given = stated("og:title", "dc.title") or (_SITE.sub("", window) if window else "")
    named = [heading for heading in headings if heading in window]  # "Page - Site", either may be a heading
    single = headings[0] if len(headings) == 1 else given
    title = min(named, key=window.find) if named else single
    times = [str(tag.get("datetime") or tag.get_text()) for tag in soup.find_all("time")]
    dates = [stated("article:published_time", "datepublished", "dc.date", "date", "fecha"), *times]
    canonical = soup.find("link", rel="canonical")
    found = {
        "title": title,
        "date": next((date for text in dates if (date := find_date(text[:10]) or find_date(text))), ""),
        "source": str(canonical.get("href") or "") if canonical else stated("og:url"),
    }
    return {key: value for key, value in found.items() if value}


def _drop_code(soup: Any, name: str, audit: Audit) -> None:
    from bs4 import Comment, Declaration, Doctype, ProcessingInstruction

    parts = soup.find_all(_CODE)
    for part in parts:
        part.extract()
    for text in soup.find_all(
        string=lambda t: isinstance(t, Comment | Declaration | Doctype | ProcessingInstruction)
    ):
        text.extract()
    audit.dropped("HTML: scripts, styles and other code", name, len(parts))


def _drop_parts(body: Any, audit: Audit) -> None:
    """Takes out what is marked as no text, then what looks so by its name or its links and is not most of the page."""
    for part in body.find_all(lambda tag: tag.name in _PARTS or _is_hidden(tag) or tag.get("role") in _ROLES):
        _drop(part, "HTML: navigation, forms, footers and hidden parts", audit)
    for header in body.find_all("header"):
        if not header.find_parent(["article", "main"]) and not _most(header, body):
            _drop(header, "HTML: navigation, forms, footers and hidden parts", audit)
    for part in body.find_all(lambda tag: tag.name not in ("main", "article") and _is_named_so(tag)):
        if not _most(part, body):
            _drop(part, "HTML: parts named as menus, banners, comments and the like", audit)
    for part in body.find_all(["ul", "ol", "div", "table", "p", "section"]):
        if not part.decomposed and _is_links(part) and not _most(part, body):
            _drop(part, "HTML: lists of links", audit)


def _drop(part: Any, reason: str, audit: Audit) -> None:
    """Takes a part out; one without text is not worth a count."""
    text = "" if part.decomposed else part.get_text(" ", strip=True)
    audit.dropped(reason, text, int(bool(text)))
    part.decompose()


def _is_hidden(tag: Any) -> bool:
    style = re.sub(r"\s", "", str(tag.get("style") or "")).lower()
    return tag.has_attr("hidden") or "display:none" in style or tag.get("aria-hidden") == "true"


def _is_named_so(tag: Any) -> bool:
    """Whether a whole word of its id or classes says what it is: "main-menu", but not "menudencias"."""
    names = [*_words(tag.get("class") or []), *_words([tag.get("id") or ""])]
    return any(_CLASS.fullmatch(name) for name in names)


def _words(names: Iterable[str]) -> list[str]:
    return [word for name in names for word in [name.lower(), *re.split(r"[-_]+", name.lower())]]


def _is_links(tag: Any) -> bool:
    links = tag.find_all("a")
    if len(links) < _LINKS:
        return False
    whole = len(tag.get_text(strip=True))
    return sum(len(link.get_text(strip=True)) for link in links) >= _LINK_SHARE * whole


def _most(part: Any, body: Any) -> bool:
    if part.decomposed:
        return False
    return len(part.get_text(strip=True)) > _MOSTLY * len(body.get_text(strip=True))


def _article(body: Any, audit: Audit) -> Any:
    """The page's one <article> or <main>, when most of the text is in it; else the page."""
    for names in ({"name": "article"}, {"name": "main"}, {"attrs": {"role": "main"}}):
        found = body.find_all(**names)
        if len(found) == 1 and _most(found[0], body):
            article = found[0].extract()
            outside = body.get_text(" ", strip=True)
            audit.dropped("HTML: text outside of the article", outside, int(bool(outside)))
            return article
    return body


def _plain(article: Any) -> str:
    """The text with a blank line between blocks; <br> is a line, <hr> a line of dashes."""
    for text in article.find_all(string=True):
        if not text.find_parent("pre"):
            text.replace_with(re.sub(r"\s+", " ", text))
    for tag in article.find_all("br"):
        tag.replace_with(_BREAK)
    for tag in article.find_all(_BLOCKS):
        tag.insert_before(_PARAGRAPH)
        tag.insert_after(f"{_PARAGRAPH}---{_PARAGRAPH}" if tag.name == "hr" else _PARAGRAPH)
    text = re.sub(rf"{_BREAK}\s*{_BREAK}[\s{_BREAK}]*", _PARAGRAPH, article.get_text())
    blocks = [
        re.sub(r" *\n *", "\n", block.replace(_BREAK, "\n")).strip() for block in text.split(_PARAGRAPH)
    ]
    return "\n\n".join(block for block in blocks if block)
