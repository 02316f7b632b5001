"""The endpoint /chat: yields (bubbles, details), the reply so far; added by `space/endpoints.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from space import chatting
from space.chat_view import note_texts
from space.chatting import ChatFrame, Talk
from space.edge import language_of, visible_errors
from space.originality_view import figures
from space.studio import Studio

Details = dict[str, Any]


def chat_endpoint(studio: Studio) -> Callable[..., Any]:
    """The function behind /chat."""

    def chat(
        message: str,
        history: list[dict] | None = None,
        creativity: float = 0.5,
        seed: int = -1,
        generator: str = "",
        language: str = "es",
    ) -> Iterator[tuple[list[str], Details]]:
        """Answers as a persona in a chat: a machine that imitates a person. Gives the reply so far as a list of bubbles, and its details with the history for the next turn.

        Args:
            message: what you say, in Spanish, a line for each bubble; empty lets the persona write unasked
            history: the history of the last details, a list of role and content; null to begin
            creativity: 0 (predictable) to 1 (surprising)
            seed: the same seed gives the same reply; -1 draws one
            generator: a name from info; empty for the first
            language: of notes and errors, es or en
        """
        language = language_of(language)
        with visible_errors(language):
            for frame in chatting.chat(studio, Talk(message, history, creativity, seed, generator)):
                yield list(frame.bubbles), details(frame, language)

    return chat


def details(frame: ChatFrame, language: str) -> Details:
    """A reply's figures, notes and the history with it as JSON."""
    return {
        "phase": frame.phase,
        "persona": frame.persona,
        "tokens": frame.tokens,
        "tokens_per_second": round(frame.tokens_per_second, 1),
        "first_token_seconds": None if frame.first_token is None else round(frame.first_token, 3),
        "seed": frame.seed,
        "cached": frame.cached,
        "generator": frame.generator,
        "originality": figures(frame.originality),
        "notes": [
            {"key": note.key, "message": message}
            for note, message in zip(frame.notes, note_texts(frame, language), strict=True)
        ],
        "history": frame.history,
    }
