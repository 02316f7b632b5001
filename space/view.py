"""Frames as HTML: everything that a person, a document or a model wrote is escaped here, and only here."""

from __future__ import annotations

import html
from collections.abc import Sequence

from space.bundle import Bundle, Generator
from space.frames import Found, Frame
from space.texts import say

# gr.HTML reads its value through a JS template string and Handlebars, so their marks are escaped too.
_TEMPLATE_MARKS = str.maketrans({"{": "&#123;", "}": "&#125;", "$": "&#36;", "`": "&#96;", "@": "&#64;"})


def escape(text: str) -> str:
    """`text` as it is, whatever marks it holds."""
    return html.escape(text, quote=True).translate(_TEMPLATE_MARKS)


def paper(frame: Frame | None, language: str) -> str:
    """The speech on its sheet."""
    label = escape(say("paper.label", language))
    if frame is None or not frame.text:
        waiting = frame is not None and frame.phase != "done"
        body = '<p class="hollow"><span class="caret"></span></p>' if waiting else ""
        body = body or f'<p class="hollow">{escape(say("paper.empty", language))}</p>'
        return f'<article class="paper" aria-label="{label}">{body}</article>'
    paragraphs = [" ".join(block.split()) for block in frame.text.split("\n\n") if block.strip()]
    blocks = [f"<p>{escape(block)}</p>" for block in paragraphs]
    if frame.phase == "writing" and blocks:
        blocks[-1] = blocks[-1].removesuffix("</p>") + '<span class="caret"></span></p>'
    busy = "true" if frame.phase == "writing" else "false"
    return f'<article class="paper" lang="es" aria-label="{label}" aria-busy="{busy}">{"".join(blocks)}</article>'


def status(frame: Frame | None, language: str) -> str:
    """What is going on, the figures, and the notes."""
    if frame is None:
        return _state("idle", language)
    state = say(f"status.{frame.phase}", language, percent=round(frame.progress * 100))
    items = [f'<span class="state {frame.phase}">{escape(state)}</span>']
    if frame.words and frame.text:
        seconds = frame.speech_seconds
        items.append(_item(say("stat.words", language, n=frame.words)))
        items.append(_item(say("stat.speech", language, time=f"{seconds // 60}:{seconds % 60:02d}")))
    if frame.tokens_per_second:
        items.append(_item(say("stat.speed", language, n=f"{frame.tokens_per_second:.0f}")))
    items.append(_item(say("stat.seed", language, n=frame.seed)))
    if frame.cached:
        items.append(_item(say("stat.cached", language)))
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in note_texts(frame, language))
    return f'<div class="status" role="status"><div class="figures">{"".join(items)}</div>{notes}</div>'


def _item(text: str) -> str:
    return f"<span>{escape(text)}</span>"


def note_texts(frame: Frame, language: str) -> list[str]:
    """The notes of a frame in words."""
    return [say(f"note.{note.key}", language, **note.values) for note in frame.notes]


def passages(found: Sequence[Found], language: str) -> str:
    """The passages with their relevance, score and source, each to be opened."""
    if not found:
        return ""
    cards = "".join(_passage(number, item, language) for number, item in enumerate(found, 1))
    title = escape(say("passages.title", language))
    return f'<section class="passages" aria-label="{title}"><h3>{title}</h3>{cards}</section>'


def _passage(number: int, item: Found, language: str) -> str:
    passage = item.hit.passage
    piece = say("passages.piece", language, n=passage.position + 1)
    source = " · ".join(part for part in (passage.source, piece) if part)
    relevance = say(f"relevance.{item.relevance}", language)
    dropped = "" if item.used else f'<span class="dropped">{escape(say("passages.dropped", language))}</span>'
    return (
        f'<details class="passage {item.relevance}{"" if item.used else " unused"}"><summary>'
        f'<span class="number">{number}</span><span class="head"><b>{escape(passage.title or passage.document)}</b>'
        f"<small>{escape(source)}</small></span>"
        f'<span class="score">{escape(relevance)}{dropped}<i>{item.hit.score:.2f}</i></span></summary>'
        f'<p id="passage-{number}" lang="es">{_content(item)}</p></details>'
    )


def _content(item: Found) -> str:
    """The text of a passage; where the model was given only some sentences, these are marked."""
    if item.excerpt is None:
        return escape(" ".join(item.hit.passage.text.split()))
    sentences = [escape(" ".join(sentence.split())) for sentence in item.excerpt.sentences]
    chosen = item.excerpt.chosen
    return " ".join(f"<mark>{s}</mark>" if n in chosen else s for n, s in enumerate(sentences))


def waiting(language: str) -> str:
    """The status between the click and the first frame."""
    return _state("queued", language)


def _state(key: str, language: str) -> str:
    text = escape(say(f"status.{key}", language))
    return f'<div class="status" role="status"><div class="figures"><span class="state {key}">{text}</span></div></div>'


def masthead(language: str) -> str:
    """The name and what it is."""
    return f'<header class="masthead"><h1>Orador</h1><p>{escape(say("tagline", language))}</p></header>'


def lineage(bundle: Bundle, language: str) -> str:
    """Where what speaks here comes from."""
    adapter = ", ".join(path.name for path in bundle.adapters.values())
    rows = [
        ("lineage.bundle", bundle.name),
        ("lineage.base", bundle.base.name),
        ("lineage.adapter", adapter or say("lineage.none", language)),
        ("lineage.index", ", ".join(bundle.indexes) or say("lineage.none", language)),
        ("lineage.context", f"{bundle.context} tokens"),
        ("lineage.license", str(bundle.lineage.get("license") or "–")),
        ("lineage.created", bundle.created[:10]),
    ]
    items = "".join(
        f"<div><dt>{escape(say(key, language))}</dt><dd>{escape(value)}</dd></div>" for key, value in rows
    )
    return f'<footer class="lineage"><dl>{items}</dl></footer>'


def lead(key: str, language: str) -> str:
    """A tab's opening sentence."""
    return f'<p class="lead">{escape(say(key, language))}</p>'


def generator_title(generator: Generator, language: str) -> str:
    return generator.title.get(language) or generator.title["es"]
