"""The page: two tabs over `space/generators.py`. It only wires; what is shown is made in `space/view.py`.

`python app.py` serves it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from space import generators as gen
from space import grounding_view, report_view, view
from space.bundle import Generator
from space.chat_tab import build_chat
from space.downloads import MIME, download
from space.edge import language_of, visible_errors
from space.endpoints import add_endpoints
from space.forms import Form, build_form, samples
from space.frames import Frame, Grounded, Speech
from space.labels import Labels
from space.originality_view import meter
from space.questions_tab import build_questions
from space.runs import PRIVATE, QUICK, STATE_SECONDS, Runs
from space.studio import Studio
from space.style import SAVE_SCRIPT, copy_script
from space.texts import say


def build(studio: Studio) -> gr.Blocks:
    """The whole interface for `studio`, not yet launched."""
    with gr.Blocks(title="Orador", analytics_enabled=False, fill_width=True) as demo:
        _Page(studio).build()
        add_endpoints(studio)
    return demo


class _Page:
    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.labels = Labels(studio.settings.language)

    def build(self) -> None:
        labels, bundle = self.labels, self.studio.bundle
        with gr.Row(elem_id="head"):
            labels.html(lambda language: view.masthead(language), scale=1)
            self.language = gr.Radio(
                choices=[("Español", "es"), ("English", "en")],
                value=labels.first,
                label="Idioma / Language",
                show_label=False,
                container=False,
                elem_id="language",
            )
        with gr.Tabs():
            for name, generators in (("finetuned", self.studio.speakers), ("rag", self.studio.grounded)):
                if generators:
                    with labels.make(gr.Tab, _tab_label(name), id=name):
                        self.tab(name, generators)
            if self.studio.questioners:
                with labels.make(gr.Tab, _tab_label("questions"), id="questions"):
                    build_questions(labels, self.studio, self.language)
            if self.studio.personas:
                with labels.make(gr.Tab, _tab_label("chat"), id="chat"):
                    build_chat(labels, self.studio, self.language)
            report, titles = report_view.read_report(bundle), report_view.titles_of(bundle)
            if report_view.page(report, titles, labels.first):
                with labels.make(gr.Tab, _tab_label("report"), id="report"):
                    labels.html(lambda language: report_view.page(report, titles, language))
        with labels.make(gr.Accordion, _label("about"), open=False, elem_classes="about"):
            labels.make(gr.Markdown, lambda language: {"value": say("about.text", language)})
        labels.html(lambda language: view.lineage(bundle, language))
        self.language.change(labels.updates, self.language, labels.components, **QUICK)

    def tab(self, name: str, generators: list[Generator]) -> None:
        with gr.Row(elem_classes="columns"):
            with gr.Column(scale=5, min_width=300, elem_classes="form-column"):
                form = build_form(self.labels, self.studio, name, generators)
            with gr.Column(scale=8, min_width=300, elem_id=f"sheet-{name}"):
                sheet = _Sheet(self.labels, self.language, self.studio.bundle.name, f"sheet-{name}")
        runs = _Runs(self.studio, name, self.language, form, sheet)
        runs.wire(generators)


class _Sheet:
    """The right side of a tab: passages, speech, figures, and what can be done with the speech."""

    def __init__(self, labels: Labels, language: gr.Radio, model: str, place: str) -> None:
        first = labels.first
        self.model = model
        self.frame = gr.State(None, time_to_live=STATE_SECONDS)
        self.status = gr.HTML(view.status(None, first))
        self.alone = labels.button(
            "without_context", size="sm", visible=False, elem_id=f"{place}-alone", elem_classes="alone"
        )
        self.passages = gr.HTML()
        self.paper = labels.html(lambda lang: view.paper(None, lang))
        file = gr.JSON(visible="hidden")
        with gr.Row(elem_classes="tools"):
            copy = labels.button("copy", size="sm", interactive=False)
            copy.click(None, js=copy_script(place), **PRIVATE)
            self.tools = [copy]
            for kind in MIME:
                button = gr.Button(f".{kind}", size="sm", interactive=False, elem_id=f"{place}-{kind}")
                made = button.click(self._file(kind), [self.frame, language], file, **QUICK)
                made.then(None, file, js=SAVE_SCRIPT, **PRIVATE)
                self.tools.append(button)

    @property
    def outputs(self) -> list[Any]:
        return [self.status, self.passages, self.paper, self.alone, self.frame]

    def _file(self, kind: str) -> Callable[[Frame | None, str], dict[str, str] | None]:
        def make(frame: Frame | None, language: str) -> dict[str, str] | None:
            with visible_errors(language_of(language)):
                return download(frame, kind, self.model, language_of(language)) if frame else None

        return make


class _Runs(Runs):
    """What the buttons of one tab do."""

    def __init__(self, studio: Studio, name: str, language: gr.Radio, form: Form, sheet: _Sheet) -> None:
        super().__init__(studio, language, form, sheet, f"sheet-{name}")
        self.name = name

    def wire(self, generators: list[Generator]) -> None:
        form = self.form
        filled = form.examples.click(
            lambda n, name: self.example(generators, n, name),
            [form.examples, form.generator],
            [form.topics, form.field, form.opening],
            **QUICK,
        )
        runs = [self.start(form.write.click), self.start(form.topics.submit), self.start(filled.then)]
        if self.name == "rag":
            runs.append(self.start(self.sheet.alone.click, self.run_alone))
        self.settle(runs)
        form.generator.change(
            lambda name: self.other_examples(generators, name), form.generator, form.examples, **QUICK
        )

    def empty(self, language: str) -> list[Any]:
        return [view.waiting(language), "", view.paper(None, language), gr.update(visible=False), None]

    def run(self, language: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """The frames of one text."""
        language = language_of(language)
        with visible_errors(language):
            if self.name == "rag":
                frames = gen.rag(self.studio, Grounded(*values))
            else:
                frames = gen.finetuned(self.studio, Speech(*values))
            for frame in frames:
                yield self.shown(frame, language)

    def run_alone(self, language: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """As `run`, without passages where none scores enough."""
        yield from self.run(language, *values, True)

    def shown(self, frame: Frame, language: str) -> tuple[Any, ...]:
        return (
            view.status(frame, language) + meter(frame.originality, language, frame.phase),
            view.passages(frame.passages, language),
            grounding_view.paper(frame, language),
            gr.update(visible="nothing" in [note.key for note in frame.notes]),
            frame,
        )

    def stop(self, frame: Frame | None, language: str) -> tuple[Any, ...]:
        """What was written until now, as it is."""
        language = language_of(language)
        if frame is None:
            return view.status(None, language), "", view.paper(None, language), gr.update(visible=False), None
        stopped = gen.grounded(self.studio, replace(frame, phase="stopped"))
        return self.shown(frame if frame.phase == "done" else stopped, language)

    def written(self, frame: Frame) -> bool:
        return bool(frame.text)

    def over(self, frame: Frame) -> bool:
        return frame.phase in ("done", "stopped")

    def resting(self, language: str) -> str:
        return view.status(None, language)

    def example(self, generators: list[Generator], number: int, name: str) -> list[str]:
        example = self.studio.choose(name, generators).examples[number]
        return [example.get(key, "") for key in ("topics", "field", "opening")]

    def other_examples(self, generators: list[Generator], name: str) -> Any:
        chosen = self.studio.choose(name, generators)
        return gr.update(samples=samples(chosen), visible=bool(chosen.examples))


def _tab_label(name: str) -> Callable[[str], dict[str, Any]]:
    return _label(f"tab.{name}")


def _label(key: str) -> Callable[[str], dict[str, Any]]:
    return lambda language: {"label": say(key, language)}
