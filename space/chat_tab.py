"""The chat tab: bubbles, a message, Stop, and Start again, over `space/chatting.py`; used by `space/tabs.py`.

The conversation lives in the page's state, for an hour after its last use, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from space import chat_view as view
from space.bundle import Generator
from space.chatting import ChatFrame, Talk, chat
from space.edge import language_of, visible_errors
from space.endpoints import queue_of
from space.errors import EmptyField
from space.inputs import MAX_SEED
from space.labels import Labels
from space.runs import PRIVATE, QUICK, STATE_SECONDS
from space.studio import Studio
from space.style import show_script
from space.texts import say
from space.view import lead

TAKE: dict[str, Any] = {**PRIVATE, "concurrency_limit": None, "show_progress": "hidden"}
"""Queued, since the browser shows no error of an event that is not."""
EXAMPLES = 4
FOCUS_SCRIPT = "() => { if (matchMedia('(hover: hover)').matches) document.querySelector('#message-chat textarea')?.focus(); }"
"""Back to the message after a reply; not on a phone, where it would open the keyboard."""


def build_chat(labels: Labels, studio: Studio, language: gr.Radio) -> None:
    """The components of the tab, wired."""
    _Chat(labels, studio, language).wire()


class _Chat:
    def __init__(self, labels: Labels, studio: Studio, language: gr.Radio) -> None:
        self.studio = studio
        self.language = language
        self.frame = gr.State(None, time_to_live=STATE_SECONDS)
        first = studio.personas[0]
        with gr.Column(elem_id="chat", elem_classes="form-column"):
            labels.html(lambda lang: lead("chat.lead", lang))
            self.generator = labels.generators(self.studio.personas)
            self.log = gr.HTML(
                view.conversation(None, first.values["persona"], labels.first), elem_id="sheet-chat"
            )
            self.status = gr.HTML(view.status(None, labels.first))
            with gr.Row(elem_classes="say"):
                self.message = labels.box("message", lines=1, max_lines=5, scale=6, elem_id="message-chat")
                self.send = labels.button(
                    "send", variant="primary", scale=1, min_width=100, elem_id="write-chat"
                )
            with gr.Row(elem_classes="tools"):
                self.begin = labels.button("chat.begin", size="sm", elem_id="begin-chat")
                self.stop = labels.button("stop", size="sm", interactive=False, elem_id="stop-chat")
                self.again = labels.button("again", size="sm", elem_id="again-chat")
            self.examples = labels.chips(self.message, _samples(first), "values")
            with labels.make(
                gr.Accordion, lambda lang: {"label": say("more", lang)}, open=False, elem_classes="more"
            ):
                self.creativity = labels.field(
                    gr.Slider, "creativity", "creativity.info", minimum=0, maximum=1, step=0.05, value=0.5
                )
                self.seed = labels.field(
                    gr.Number, "seed", "seed.info", value=-1, precision=0, minimum=-1, maximum=MAX_SEED
                )
        self.shown = [self.log, self.status, self.frame]
        self.settled = [*self.shown, self.message, self.send, self.begin, self.stop]

    def wire(self) -> None:
        """What happens at a click."""
        known = [self.language, self.frame, self.generator]
        runs = [
            self._run(self.send.click, self.said, [self.message, *known]),
            self._run(self.message.submit, self.said, [self.message, *known]),
            self._run(
                self.examples.click, lambda row, *rest: self.said(row[0], *rest), [self.examples, *known]
            ),
            self._run(self.begin.click, lambda *rest: self.asked("", *rest), known),
        ]
        settle: dict[str, Any] = {"fn": self.settle, "inputs": known, "outputs": self.settled, **QUICK}
        stopped = self.stop.click(cancels=runs, **settle)
        stopped.then(**settle)  # a frame that was on its way may arrive after the first
        for change in (self.again.click, self.generator.change):
            change(self.restart, [self.language, self.generator], self.settled, cancels=runs, **QUICK)
        self.generator.change(self.other_examples, self.generator, self.examples, **QUICK)
        self.language.change(self.relabel, known, [self.log, self.status], **QUICK)

    def _run(self, trigger: Callable[..., Any], take: Callable[..., Any], inputs: list[Any]) -> Any:
        """Wires one way to go on; returns the event that Stop cancels."""
        taken = trigger(take, inputs, self.settled, js=show_script("sheet-chat"), **TAKE)
        run = taken.success(
            self.run,
            [self.language, self.frame, self.creativity, self.seed],
            self.shown,
            show_progress="minimal",
            show_progress_on=self.status,
            **PRIVATE,
            **queue_of(self.studio),
        )
        known = [self.language, self.frame, self.generator]
        run.failure(self.settle, known, self.settled, **QUICK)
        done = run.then(self.settle, known, self.settled, **QUICK)
        done.then(None, js=FOCUS_SCRIPT, **PRIVATE)
        return run

    def said(self, message: Any, language: str, frame: ChatFrame | None, name: str) -> list[Any]:
        """The visitor's message in its bubble. An empty one is an error: another button lets the persona write."""
        with visible_errors(language_of(language)):
            if not isinstance(message, str) or not message.strip():
                raise EmptyField(field="message")
            return self.asked(message, language, frame, name)

    def asked(self, message: str, language: str, frame: ChatFrame | None, name: str) -> list[Any]:
        """The turn as it waits for its reply: Stop instead of Send."""
        with visible_errors(language_of(language)):
            chosen = self.studio.choose(name, self.studio.personas)
        before = tuple(frame.history) if frame and frame.generator == chosen.name else ()
        waiting = ChatFrame("queued", 0, chosen.values["persona"], chosen.name, message.strip(), before)
        off, on = gr.update(interactive=False), gr.update(interactive=True)
        return [*self.show(waiting, language), gr.update(value="", interactive=False), off, off, on]

    def run(self, language: str, frame: ChatFrame, creativity: Any, seed: Any) -> Iterator[list[Any]]:
        """The frames of one reply."""
        with visible_errors(language_of(language)):
            talk = Talk(frame.said, frame.before, creativity, seed, frame.generator)
            for step in chat(self.studio, talk):
                yield self.show(step, language)

    def show(self, frame: ChatFrame, language: str) -> list[Any]:
        language = language_of(language)
        return [view.conversation(frame, frame.persona, language), view.status(frame, language), frame]

    def settle(self, language: str, frame: ChatFrame | None, name: str) -> list[Any]:
        """After a reply, a Stop or an error: Send again. A message without any reply goes back to where it was written."""
        if frame is None:
            return self.restart(language, name)
        if frame.phase in view.WORKING:
            frame = replace(frame, phase="stopped")
        said = gr.update(interactive=True)
        if frame.said and not frame.bubbles:
            said, frame = gr.update(interactive=True, value=frame.said), replace(frame, said="")
        on, off = gr.update(interactive=True), gr.update(interactive=False)
        return [*self.show(frame, language), said, on, on, off]

    def restart(self, language: str, name: str) -> list[Any]:
        """An empty conversation."""
        shown = [*self._empty(language, name), None]
        on, off = gr.update(interactive=True), gr.update(interactive=False)
        return [*shown, gr.update(interactive=True, value=""), on, on, off]

    def relabel(self, language: str, frame: ChatFrame | None, name: str) -> list[Any]:
        return self.show(frame, language)[:2] if frame else self._empty(language, name)

    def _empty(self, language: str, name: str) -> list[Any]:
        persona = self.studio.choose(name, self.studio.personas).values["persona"]
        language = language_of(language)
        return [view.conversation(None, persona, language), view.status(None, language)]

    def other_examples(self, name: str) -> Any:
        chosen = self.studio.choose(name, self.studio.personas)
        return gr.update(samples=_samples(chosen), visible=bool(chosen.examples))


def _samples(generator: Generator) -> list[list[str]]:
    return [[example.get("message", "")] for example in generator.examples[:EXAMPLES]]
