"""The tab of questions: a text, what to ask, the list, and its files, over `space/questions.py`; used by `space/tabs.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from textwrap import shorten
from typing import Any

import gradio as gr

from space import question_view as view
from space.bundle import Generator
from space.edge import language_of, visible_errors
from space.inputs import MAX_SEED
from space.labels import Labels
from space.question_compare import COMPARE, Frames, lists
from space.question_exports import KINDS, export
from space.question_frames import MAX_TEXT_CHARS, Ask
from space.question_input import TextInput
from space.question_list import MAX_NUMBER, TYPES
from space.questions import ITEM_TOKENS, techniques
from space.runs import PRIVATE, QUICK, STATE_SECONDS, Runs
from space.studio import PROMPT_TOKENS, TOKENS_PER_WORD, Studio
from space.style import SAVE_SCRIPT
from space.text_errors import OneListNeeded
from space.texts import say
from space.view import lead, waiting

EXAMPLES, SAMPLE_CHARS = 4, 40
NUMBER = 5
PLACE = "sheet-questions"
SAVING: dict[str, Any] = {**PRIVATE, "show_progress": "hidden", "concurrency_limit": 4}
"""Through the queue: only there does Gradio show an error to the visitor."""

COUNT_SCRIPT = """(text) => {
  const place = document.getElementById('count-questions');
  if (!place) return;
  place.firstElementChild.textContent = [...(text || '')].length;
  place.classList.toggle('over', [...(text || '')].length > Number(place.dataset.limit));
}"""
SHOW_SCRIPT = f"""() => {{
  const all = [...document.querySelectorAll('#{PLACE} .solution')];
  const open = all.some(one => !one.open);
  all.forEach(one => {{ one.open = open; }});
}}"""
PRINT_SCRIPT = "() => window.print()"


def build_questions(labels: Labels, studio: Studio, language: gr.Radio) -> None:
    """The components of the tab, wired."""
    with gr.Row(elem_classes="columns"):
        with gr.Column(scale=5, min_width=300, elem_classes="form-column"):
            form = _Form(labels, studio)
        with gr.Column(scale=8, min_width=300, elem_id=PLACE):
            sheet = _Sheet(labels, studio.bundle.name, language)
    _Runs(studio, language, form, sheet, PLACE).wire()


class _Form:
    """What a visitor fills in; `inputs` in the order of the fields of `Ask`."""

    def __init__(self, labels: Labels, studio: Studio) -> None:
        generators = studio.questioners
        first = generators[0]
        words = int((studio.bundle.context - NUMBER * ITEM_TOKENS - PROMPT_TOKENS) / TOKENS_PER_WORD)
        labels.html(lambda language: lead("questions.lead", language))
        self.generator = labels.generators(generators)
        self.text = labels.make(
            gr.Textbox,
            lambda language: {
                "label": say("text", language),
                "info": say("text.info", language, words=max(words, 0) // 10 * 10),
                "placeholder": say("text.hint", language),
            },
            lines=9,
            max_lines=16,
            elem_id="text-questions",
        )
        labels.html(lambda language: view.counter(language, MAX_TEXT_CHARS))
        self.source = TextInput(labels, studio.settings, words)
        self.examples = labels.chips(gr.Textbox(visible=False), _samples(first), "index")
        self.number = labels.field(
            gr.Slider,
            "number",
            minimum=1,
            maximum=MAX_NUMBER,
            step=1,
            value=NUMBER,
            elem_id="number-questions",
        )
        self.types = labels.make(
            gr.Radio, lambda language: _choices("types", TYPES, language), value="short", elem_classes="pills"
        )
        self._more(labels, first)
        self._actions(labels)
        self.inputs = [
            self.text, self.number, self.types, self.level, self.technique, self.seed, self.generator
        ]  # fmt: skip

    def _more(self, labels: Labels, first: Generator) -> None:
        with labels.make(
            gr.Accordion, lambda language: {"label": say("more", language)}, open=False, elem_classes="more"
        ):
            self.level = labels.box("level", lines=1, max_lines=1)
            names = _techniques(first)
            self.technique = labels.make(
                gr.Radio,
                lambda language: {
                    **_choices("technique", names, language),
                    "info": say("technique.info", language),
                },
                value=names[0],
                elem_classes="pills",
            )
            self.seed = labels.field(
                gr.Number, "seed", "seed.info", value=-1, precision=0, minimum=-1, maximum=MAX_SEED
            )

    def _actions(self, labels: Labels) -> None:
        with gr.Row(elem_classes="actions"):
            self.write = labels.button(
                "questions.generate", variant="primary", size="lg", scale=3, elem_id="write-questions"
            )
            self.stop = labels.button(
                "stop", size="lg", scale=1, min_width=90, interactive=False, elem_id="stop-questions"
            )


class _Sheet:
    """The list, its figures, and what can be done with it."""

    def __init__(self, labels: Labels, model: str, language: gr.Radio) -> None:
        self.model = model
        self.frame = gr.State((), time_to_live=STATE_SECONDS)
        self.status = gr.HTML(view.status(None, labels.first))
        self.list = gr.HTML(view.sheet(None, labels.first))
        file = gr.JSON(visible="hidden")
        with gr.Row(elem_classes="tools"):
            show = labels.button("questions.show", size="sm", interactive=False)
            show.click(None, js=SHOW_SCRIPT, **PRIVATE)
            self.tools = [show]
            for kind in KINDS:
                button = labels.button(
                    f"questions.{kind}", size="sm", interactive=False, elem_id=f"{PLACE}-{kind}"
                )
                made = button.click(self._file(kind), [self.frame, language], file, **SAVING)
                made.then(None, file, js=SAVE_SCRIPT, **PRIVATE)
                self.tools.append(button)
            paper = labels.button("questions.print", size="sm", interactive=False)
            paper.click(None, js=PRINT_SCRIPT, **PRIVATE)
            self.tools.append(paper)
        self.outputs = [self.status, self.list, self.frame]

    def _file(self, kind: str) -> Callable[[Frames, str], dict[str, str] | None]:
        def make(frames: Frames, language: str) -> dict[str, str] | None:
            with visible_errors(language_of(language)):
                if len(frames) > 1:
                    raise OneListNeeded(seed=frames[0].seed)
                return export(frames[0], kind, self.model, language_of(language)) if frames else None

        return make


class _Runs(Runs):
    """What the buttons do."""

    def wire(self) -> None:
        form, sheet = self.form, self.sheet
        form.source.wire(form.text, self.language)
        form.text.change(None, form.text, js=COUNT_SCRIPT, **PRIVATE)
        filled = form.examples.click(
            self.example,
            [form.examples, form.generator],
            [form.text, form.number, form.types, form.level],
            **QUICK,
        )
        runs = [self.start(form.write.click), self.start(filled.then)]
        self.settle(runs)
        form.generator.change(
            self.other, [form.generator, self.language], [form.examples, form.technique], **QUICK
        )
        self.language.change(self.relabel, [sheet.frame, self.language], sheet.outputs, **QUICK)

    def empty(self, language: str) -> list[Any]:
        return [waiting(language), view.sheet(None, language), ()]

    def run(self, language: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """The frames of one list, or of those that are compared."""
        language = language_of(language)
        with visible_errors(language):
            for frames in lists(self.studio, Ask(*values)):
                yield self.shown(frames, language)

    def shown(self, frames: Frames, language: str) -> tuple[Any, ...]:
        return *view.shown(frames, language), frames

    def stop(self, frames: Frames, language: str) -> tuple[Any, ...]:
        """What was written until now."""
        if frames and frames[-1].phase != "done":
            frames = (*frames[:-1], replace(frames[-1], phase="stopped", partial=""))
        return self.shown(frames, language_of(language))

    def relabel(self, frames: Frames, language: str) -> tuple[Any, ...]:
        return self.shown(frames, language_of(language))

    def written(self, frames: Frames) -> bool:
        return any(frame.items for frame in frames)

    def over(self, frames: Frames) -> bool:
        return bool(frames) and frames[-1].phase in ("done", "stopped")

    def resting(self, language: str) -> str:
        return view.status(None, language)

    def example(self, number: int, name: str) -> list[Any]:
        example = self.studio.choose(name, self.studio.questioners).examples[number]
        return [
            example["text"],
            int(example.get("number", NUMBER)),
            example.get("types", "short"),
            example.get("level", ""),
        ]

    def other(self, name: str, language: str) -> list[Any]:
        """The examples and techniques of another generator."""
        chosen = self.studio.choose(name, self.studio.questioners)
        names = _techniques(chosen)
        shown = _choices("technique", names, language_of(language))
        return [
            gr.update(samples=_samples(chosen), visible=bool(chosen.examples)),
            gr.update(**shown, value=names[0]),
        ]


def _techniques(generator: Generator) -> list[str]:
    """What a visitor can choose: each technique, or all where there are several."""
    names = techniques(generator)
    return [*names, COMPARE] if len(names) > 1 else names


def _choices(key: str, values: tuple[str, ...] | list[str], language: str) -> dict[str, Any]:
    return {
        "label": say(key, language),
        "choices": [(say(f"{key}.{value}", language), value) for value in values],
    }


def _samples(generator: Generator) -> list[list[str]]:
    texts = [example.get("title") or example["text"] for example in generator.examples[:EXAMPLES]]
    return [[shorten(text, SAMPLE_CHARS, placeholder="…")] for text in texts]
