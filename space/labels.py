"""Components whose texts follow the language choice; used by `space/tabs.py`.

gr.I18n translates by the browser's language alone, so the choice on the page goes through gr.update.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from space.bundle import Generator
from space.edge import language_of
from space.texts import say
from space.view import generator_title

Props = Callable[[str], dict[str, Any]]


class Labels:
    """Makes components in the language `first` and remembers how to say them in the other one."""

    def __init__(self, first: str) -> None:
        self.first = first
        self._known: list[tuple[Any, Props]] = []

    @property
    def components(self) -> list[Any]:
        """All that change with the language, in the order of `updates`."""
        return [component for component, _ in self._known]

    def updates(self, language: str) -> list[Any]:
        """The components' texts in `language`."""
        return [gr.update(**props(language_of(language))) for _, props in self._known]

    def make(self, kind: Callable[..., Any], props: Props, **fixed: Any) -> Any:
        """A component of `kind`; `props` gives what depends on the language."""
        component = kind(**props(self.first), **fixed)
        self._known.append((component, props))
        return component

    def html(self, show: Callable[[str], str], **fixed: Any) -> gr.HTML:
        return self.make(gr.HTML, lambda language: {"value": show(language)}, **fixed)

    def button(self, key: str, **fixed: Any) -> gr.Button:
        return self.make(gr.Button, lambda language: {"value": say(key, language)}, **fixed)

    def box(self, key: str, **fixed: Any) -> gr.Textbox:
        """A text field: its label, the line of help below it and an example of what to write."""
        return self.make(
            gr.Textbox,
            lambda language: {
                "label": say(key, language),
                "info": say(f"{key}.info", language),
                "placeholder": say(f"{key}.hint", language),
            },
            **fixed,
        )

    def generators(self, among: Sequence[Generator]) -> gr.Dropdown:
        """The choice of a generator, shown where there are several."""
        return self.make(
            gr.Dropdown,
            lambda language: {
                "label": say("generator", language),
                "choices": [(generator_title(g, language), g.name) for g in among],
            },
            value=among[0].name,
            visible=len(among) > 1,
        )

    def chips(self, filled: gr.Textbox, samples: list[list[str]], kind: str) -> gr.Dataset:
        """Examples to try at a click, each a row of `samples`; `kind` ("index" or "values") is what a click gives."""
        return self.make(
            gr.Dataset,
            lambda language: {"label": say("examples", language)},
            components=[filled],
            samples=samples,
            type=kind,
            layout="gallery",
            container=False,
            visible=bool(samples),
            elem_classes="chips",
        )

    def field(self, kind: Callable[..., Any], key: str, info: str | None = None, **fixed: Any) -> Any:
        """Another kind of field; `info` is the finished line of help's key, with `fixed["values"]` filled in."""
        values = fixed.pop("values", {})
        return self.make(
            kind,
            lambda language: {
                "label": say(key, language),
                **({"info": say(info, language, **values)} if info else {}),
            },
            **fixed,
        )
