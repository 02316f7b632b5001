"""The techniques of a questions generator one after the other on the same text and seed, to be seen side by side.

for frames in compare(studio, Ask(text, number=4)): print([frame.technique for frame in frames])
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from space import inputs
from space.question_frames import Ask, QuestionFrame
from space.questions import questions, techniques
from space.studio import Studio

COMPARE = "compare"
"""What the tab sends as the technique for all of them."""
Frames = tuple[QuestionFrame, ...]


def compare(studio: Studio, ask: Ask) -> Iterator[Frames]:
    """The list of each technique, as far as they are; each list may take as long as a single one. Raises what `questions` raises."""
    generator = studio.choose(ask.generator, studio.questioners)
    seed = inputs.seed(ask.seed, "seed")
    done: Frames = ()
    for name in techniques(generator):
        frames: Frames = ()
        for frame in questions(studio, replace(ask, technique=name, seed=seed)):
            frames = (*done, frame)
            yield frames
        done = frames


def lists(studio: Studio, ask: Ask) -> Iterator[Frames]:
    """One list or, for COMPARE, all of them."""
    if ask.technique == COMPARE:
        yield from compare(studio, ask)
        return
    for frame in questions(studio, ask):
        yield (frame,)
