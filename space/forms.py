"""The form of one tab: what a visitor fills in; used by `space/tabs.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from space import view
from space.bundle import Generator
from space.inputs import MAX_PASSAGES, MAX_SEED
from space.labels import Labels
from space.studio import Studio
from space.texts import say

EXAMPLES = 4
THRESHOLD_RANGE = (0.0, 1.0)


@dataclass(frozen=True)
class Form:
    """The components of one tab's form. `grounding` is the number of passages and the threshold, in the RAG tab."""

    topics: gr.Textbox
    field: gr.Textbox
    opening: gr.Textbox
    minutes: gr.Slider
    creativity: gr.Slider
    seed: gr.Number
    generator: gr.Dropdown
    grounding: tuple[gr.Slider, ...]
    examples: gr.Dataset
    write: gr.Button
    stop: gr.Button

    @property
    def inputs(self) -> list[Any]:
        """In the order of the fields of `Speech` and `Grounded`."""
        return [
            self.topics,
            self.field,
            self.opening,
            self.minutes,
            self.creativity,
            self.seed,
            self.generator,
            *self.grounding,
        ]


def build_form(labels: Labels, studio: Studio, name: str, generators: list[Generator]) -> Form:
    """The form of the tab `name` ("finetuned" or "rag")."""
    first = generators[0]
    labels.html(lambda language: view.lead(f"{name}.lead", language))
    generator = labels.generators(generators)
    topics = labels.box("topics", lines=2, max_lines=4, elem_id=f"topics-{name}")
    examples = labels.chips(topics, samples(first), "index")
    field = labels.box("field", lines=1, max_lines=2)
    minutes = labels.field(
        gr.Slider,
        "minutes",
        "minutes.info",
        values={"wpm": first.words_per_minute},
        minimum=1,
        maximum=studio.max_minutes,
        step=1,
        value=1,
    )
    with labels.make(
        gr.Accordion, lambda language: {"label": say("more", language)}, open=False, elem_classes="more"
    ):
        grounding = _grounding(labels, studio, first) if name == "rag" else ()
        opening = labels.box("opening", lines=2, max_lines=4)
        creativity = labels.field(
            gr.Slider, "creativity", "creativity.info", minimum=0, maximum=1, step=0.05, value=0.5
        )
        seed = labels.field(
            gr.Number, "seed", "seed.info", value=-1, precision=0, minimum=-1, maximum=MAX_SEED
        )
    with gr.Row(elem_classes="actions"):
        write = labels.button("generate", variant="primary", size="lg", scale=3, elem_id=f"write-{name}")
        stop = labels.button(
            "stop", size="lg", scale=1, min_width=90, interactive=False, elem_id=f"stop-{name}"
        )
    return Form(
        topics, field, opening, minutes, creativity, seed, generator, grounding, examples, write, stop
    )


def _grounding(labels: Labels, studio: Studio, generator: Generator) -> tuple[gr.Slider, gr.Slider]:
    threshold = studio.threshold(generator)
    low, high = THRESHOLD_RANGE
    return (
        labels.field(gr.Slider, "passages", minimum=1, maximum=MAX_PASSAGES, step=1, value=5),
        labels.field(
            gr.Slider,
            "threshold",
            "threshold.info",
            values={"value": f"{threshold:.2f}"},
            minimum=min(low, threshold),
            maximum=max(high, threshold),
            step=0.01,
            value=round(threshold, 2),
        ),
    )


def samples(generator: Generator) -> list[list[str]]:
    """What the chips under the topics say."""
    return [[example.get("topics", "")] for example in generator.examples[:EXAMPLES]]
