"""What the buttons of a tab have in common: how a run begins, ends and fails; used by `space/tabs.py` and `space/questions_tab.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from space.edge import language_of
from space.endpoints import queue_of
from space.studio import Studio
from space.style import show_script

PRIVATE: dict[str, Any] = {"api_visibility": "private"}
QUICK: dict[str, Any] = {**PRIVATE, "queue": False, "show_progress": "hidden"}
STATE_SECONDS = 3600
"""How long a page's state is kept after its last use."""


class Runs:
    """`form` has write, stop and inputs; `sheet` has status, frame, outputs and tools; `place` is the sheet's element id."""

    def __init__(self, studio: Studio, language: gr.Radio, form: Any, sheet: Any, place: str) -> None:
        self.studio = studio
        self.language = language
        self.form = form
        self.sheet = sheet
        self.place = place
        self.buttons = [form.write, form.stop, *sheet.tools]

    def start(self, trigger: Callable[..., Any], frames: Callable[..., Any] | None = None) -> Any:
        """Wires one way to begin `frames` (None: `run`); returns the event that Stop cancels."""
        sheet = self.sheet
        begun = trigger(
            self.begin, self.language, [*sheet.outputs, *self.buttons], js=show_script(self.place), **QUICK
        )
        run = begun.then(
            frames or self.run,
            [self.language, *self.form.inputs],
            sheet.outputs,
            show_progress="minimal",
            show_progress_on=sheet.status,
            **PRIVATE,
            **queue_of(self.studio),
        )
        run.then(self.idle, sheet.frame, self.buttons, **QUICK)
        run.failure(self.failed, [sheet.frame, self.language], [sheet.status, *self.buttons], **QUICK)
        return run

    def settle(self, runs: list[Any]) -> None:
        """Wires Stop, which cancels `runs`."""
        sheet = self.sheet
        as_it_is = {
            "fn": self.stop,
            "inputs": [sheet.frame, self.language],
            "outputs": sheet.outputs,
            **QUICK,
        }
        stopped = self.form.stop.click(cancels=runs, **as_it_is)
        # A frame that was on its way when Stop was pressed can arrive after it: the sheet is settled a second time.
        stopped.then(**as_it_is).then(self.idle, sheet.frame, self.buttons, **QUICK)

    def begin(self, language: str) -> list[Any]:
        """An empty sheet, and Stop instead of Write."""
        off, on = gr.update(interactive=False), gr.update(interactive=True)
        return [*self.empty(language_of(language)), off, on, *self.tools(False)]

    def idle(self, frame: Any) -> list[Any]:
        """Write instead of Stop; the tools only where something was written."""
        written = frame is not None and self.written(frame)
        return [gr.update(interactive=True), gr.update(interactive=False), *self.tools(written)]

    def failed(self, frame: Any, language: str) -> list[Any]:
        """After an error, which its own message has told; Gradio calls a run failed that Stop has ended too: its sheet stays."""
        if frame is not None and self.over(frame):
            return [gr.update(), *self.idle(frame)]
        return [self.resting(language_of(language)), *self.idle(None)]

    def tools(self, interactive: bool) -> list[Any]:
        return [gr.update(interactive=interactive) for _ in self.sheet.tools]

    def empty(self, language: str) -> list[Any]:
        """The sheet's outputs while a run begins."""
        raise NotImplementedError

    def run(self, language: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """The sheet's outputs, frame by frame."""
        raise NotImplementedError

    def stop(self, frame: Any, language: str) -> tuple[Any, ...]:
        """The sheet's outputs with what was written until now."""
        raise NotImplementedError

    def written(self, frame: Any) -> bool:
        """Whether `frame` holds something to copy or save."""
        raise NotImplementedError

    def over(self, frame: Any) -> bool:
        """Whether `frame` is a run's last one, finished or stopped."""
        raise NotImplementedError

    def resting(self, language: str) -> str:
        """The status line while nothing happens."""
        raise NotImplementedError
