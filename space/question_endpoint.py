"""The endpoint /questions: yields (items, details), the list so far; added by `space/endpoints.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from space.edge import language_of, visible_errors
from space.question_exports import asked_text
from space.question_frames import Ask, Asked, QuestionFrame
from space.question_list import ShortAnswer
from space.questions import questions as ask_questions
from space.studio import Studio
from space.texts import say

Details = dict[str, Any]


def questions_endpoint(studio: Studio) -> Callable[..., Any]:
    """The function behind /questions."""

    def questions(
        text: str,
        number: int = 5,
        types: str = "short",
        level: str = "",
        technique: str = "questions",
        seed: int = -1,
        generator: str = "",
        language: str = "es",
    ) -> Iterator[tuple[list[Details], Details]]:
        """Writes questions about a text, with their answers and the sentence that shows them. Gives the list so far and the details.

        Args:
            text: the text to ask about, in Spanish; as long as the model's context allows
            number: how many, 1 to 10
            types: short (short answers), truefalse (statements) or both
            level: such as B1, or words of yours; empty for none
            technique: questions (fine-tuned), questions_zero_shot, questions_few_shot or questions_system
            seed: the same seed gives the same list; -1 draws one
            generator: a name from info; empty for the first
            language: of notes and errors, es or en
        """
        language = language_of(language)
        with visible_errors(language):
            ask = Ask(text, number, types, level, technique, seed, generator)
            for frame in ask_questions(studio, ask):
                yield [listed(asked) for asked in frame.items], details(frame, language)

    return questions


def listed(asked: Asked) -> Details:
    """An item as JSON: `answer` is a text, or whether a statement is true."""
    item = asked.item
    return {
        "type": asked.kind,
        "question": asked_text(asked),
        "answer": item.answer if isinstance(item, ShortAnswer) else item.true,
        "correction": "" if isinstance(item, ShortAnswer) else item.correction,
        "evidence": asked.evidence,
        "doubt": asked.doubt,
    }


def details(frame: QuestionFrame, language: str) -> Details:
    """A frame's figures and notes as JSON."""
    return {
        "phase": frame.phase,
        "number": frame.number,
        "technique": frame.technique,
        "rounds": frame.rounds,
        "dropped": frame.dropped,
        "tokens": frame.tokens,
        "tokens_per_second": round(frame.tokens_per_second, 1),
        "seed": frame.seed,
        "cached": frame.cached,
        "generator": frame.generator,
        "notes": [
            {"key": note.key, "message": say(f"note.{note.key}", language, **note.values)}
            for note in frame.notes
        ],
    }
