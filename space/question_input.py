"""Where the text to ask about comes from, besides the keyboard: a file or an article of Wikipedia; used by `space/questions_tab.py`.

A text that the context does not hold comes in parts that fit, at paragraph and sentence ends (index/passages.py): one is in the
text field, the others are a choice away, and a line says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from index.passages import count_words, split
from space import inputs, text_files, wikipedia
from space.edge import language_of, visible_errors
from space.errors import EmptyField
from space.labels import Labels
from space.question_frames import MAX_TEXT_CHARS
from space.runs import PRIVATE, QUICK, STATE_SECONDS
from space.settings import Settings
from space.texts import say
from space.view import escape

MEGABYTES = text_files.MAX_BYTES // 1_000_000
HEAD_CHARS = 40
"""Of a part, shown where it can be chosen."""
READING: dict[str, Any] = {**PRIVATE, "concurrency_id": "texts", "concurrency_limit": 2}
"""Through the queue: only there does Gradio show an error to the visitor."""


@dataclass(frozen=True)
class Loaded:
    """A text by its name, in parts that fit; `address` is where it was found, or empty."""

    name: str
    parts: tuple[str, ...]
    words: int
    address: str = ""


def load(name: str, text: str, words: int, address: str = "") -> Loaded:
    """`text` in parts of about `words` words, none longer than the text field may be."""
    pieces = [piece.strip() for piece in split(text, words).pieces]
    held = [piece[n : n + MAX_TEXT_CHARS] for piece in pieces for n in range(0, len(piece), MAX_TEXT_CHARS)]
    return Loaded(name, tuple(held), count_words(text), address)


def origin(loaded: Loaded | None, part: int, language: str) -> str:
    """What is in the text field, and where it is from, as HTML."""
    if loaded is None:
        return ""
    key = "source.whole" if len(loaded.parts) == 1 else "source.parts"
    line = say(key, language, name=loaded.name, words=loaded.words, n=part + 1, of=len(loaded.parts))
    shown = f"<p>{escape(line)}</p>"
    if loaded.address:
        said = escape(say("source.license", language, license=wikipedia.LICENSE))
        link = f'<a href="{escape(loaded.address)}" target="_blank" rel="noopener">{escape(loaded.name)}</a>'
        shown += f"<p>{said} {link}</p>"
    return f'<div class="origin">{shown}</div>'


class TextInput:
    """The components, to be placed in a form; `wire` fills the text field from them."""

    def __init__(self, labels: Labels, settings: Settings, words: int) -> None:
        self._settings, self._words = settings, max(words, 1)
        self._loaded = gr.State(None, time_to_live=STATE_SECONDS)
        with labels.make(
            gr.Accordion,
            lambda language: {"label": say("source.title", language)},
            open=False,
            elem_classes="more",
        ):
            self._file = labels.make(
                gr.UploadButton,
                lambda language: {"label": say("source.file", language, limit=MEGABYTES)},
                file_types=list(text_files.KINDS),
                type="filepath",
                size="md",
                elem_id="file-questions",
            )
            with gr.Row(visible=settings.wikipedia is not None, elem_classes="fetch"):
                self._title = labels.box(
                    "article", lines=1, max_lines=1, scale=4, elem_id="article-questions"
                )
                self._fetch = labels.button(
                    "source.fetch", size="md", scale=1, min_width=90, elem_id="fetch-questions"
                )
        self._part = labels.make(
            gr.Dropdown, lambda language: {"label": say("source.part", language)}, visible=False, choices=[]
        )
        self._origin = gr.HTML()

    def wire(self, text: gr.Textbox, language: gr.Radio) -> None:
        """Connects the components with the text field."""
        filled = [text, self._part, self._origin, self._loaded]
        self._file.upload(self.read, [self._file, language], filled, **READING)
        asked = [self._title, language]
        self._fetch.click(self.fetch, asked, filled, **READING)
        self._title.submit(self.fetch, asked, filled, **READING)
        self._part.input(self.choose, [self._loaded, self._part, language], [text, self._origin], **QUICK)
        language.change(
            lambda loaded, part, to: origin(loaded, part or 0, language_of(to)),
            [self._loaded, self._part, language],
            self._origin,
            **QUICK,
        )

    def read(self, path: str, language: str) -> tuple[Any, ...]:
        """The text of an uploaded file, which is deleted."""
        with visible_errors(language_of(language)):
            file = Path(path)
            try:
                text = text_files.read_file(file)
            finally:
                file.unlink(missing_ok=True)
            return self._shown(load(file.name, text, self._words), language)

    def fetch(self, title: str, language: str) -> tuple[Any, ...]:
        """The article called `title`."""
        with visible_errors(language_of(language)):
            clean = inputs.clean_text(title, "article", wikipedia.MAX_TITLE_CHARS).text
            if not clean:
                raise EmptyField(field="article")
            assert self._settings.wikipedia is not None
            found = wikipedia.fetch(" ".join(clean.split()), self._settings.wikipedia)
            text = inputs.visible(found.text).text
            return self._shown(load(found.title, text, self._words, found.address), language)

    def choose(self, loaded: Loaded | None, part: int, language: str) -> tuple[Any, ...]:
        """Another part of what was loaded."""
        if loaded is None or part not in range(len(loaded.parts)):
            return gr.skip(), gr.skip()
        return loaded.parts[part], origin(loaded, part, language_of(language))

    def _shown(self, loaded: Loaded, language: str) -> tuple[Any, ...]:
        of = len(loaded.parts)
        choices = [(f"{n}/{of} · {part[:HEAD_CHARS]}…", n - 1) for n, part in enumerate(loaded.parts, 1)]
        chosen = gr.update(choices=choices, value=0, visible=of > 1)
        return loaded.parts[0], chosen, origin(loaded, 0, language_of(language)), loaded
