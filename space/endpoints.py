"""The endpoints for programs, stable: /finetuned, /rag, /questions, /chat, /search and /info. docs/api.md has examples that run.

/finetuned yields (text, details), /rag (text, passages, details), /questions (items, details), /chat (bubbles, details); all but details is cumulative.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import gradio as gr

from space import generators as gen
from space import grounding_view
from space.chat_endpoint import chat_endpoint
from space.chat_history import MAX_CHARS, MAX_MESSAGES
from space.edge import language_of, visible_errors
from space.frames import Found, Frame, Grounded, Speech
from space.inputs import MAX_FIELD_WORDS, MAX_PASSAGES, MAX_SEED, MAX_TOPIC_WORDS
from space.originality_view import figures
from space.question_endpoint import questions_endpoint
from space.question_frames import MAX_TEXT_CHARS
from space.question_list import MAX_NUMBER
from space.studio import Studio
from space.view import note_texts

Details = dict[str, Any]


def queue_of(studio: Studio) -> dict[str, Any]:
    """The queue of all events that write texts: as many at once as the engine has room for."""
    return {"concurrency_id": "llm", "concurrency_limit": studio.settings.parallel}


def add_endpoints(studio: Studio) -> None:
    """Adds the endpoints to the Blocks being built; each only where a generator of the bundle serves it."""
    if studio.speakers:
        _add(_finetuned(studio), "finetuned", tuple[str, dict], **queue_of(studio))
    if studio.questioners:
        _add(questions_endpoint(studio), "questions", tuple[list[dict], dict], **queue_of(studio))
    if studio.personas:
        _add(chat_endpoint(studio), "chat", tuple[list[str], dict], **queue_of(studio))
    _add(_info(studio), "info", dict, concurrency_limit=4)
    if studio.grounded:
        _add(_rag(studio), "rag", tuple[str, list[dict], dict], **queue_of(studio))
        _add(_search(studio), "search", list[dict], concurrency_id="search", concurrency_limit=1)


def _add(function: Callable[..., Any], name: str, returns: Any, **limits: Any) -> None:
    # gr.api reads types from annotations, and one output for each member of a tuple, also for a generator.
    annotations = {"language": str, "generator": str, **function.__annotations__, "return": returns}
    function.__annotations__ = {key: _TYPES.get(value, value) for key, value in annotations.items()}
    gr.api(function, api_name=name, **limits)


_TYPES: dict[Any, Any] = {
    "str": str,
    "int": int,
    "float": float,
    "float | None": float | None,
    "bool": bool,
    "list[dict] | None": list[dict] | None,
}


def _finetuned(studio: Studio) -> Callable[..., Any]:
    def finetuned(
        topics: str,
        field: str = "",
        opening: str = "",
        minutes: float = 3,
        creativity: float = 0.5,
        seed: int = -1,
        generator: str = "",
        language: str = "es",
    ) -> Iterator[tuple[str, Details]]:
        """Writes a speech on some topics with the fine-tuned model. Gives the text so far and its details.

        Args:
            topics: one or several, separated by commas, at most 60 words; Spanish works best
            field: what the speaker is an expert in; empty for the topics themselves
            opening: a first line that the speech continues
            minutes: length of the speech, about 130 words a minute
            creativity: 0 (predictable) to 1 (surprising)
            seed: the same seed gives the same text; -1 draws one
            generator: a name from info; empty for the first
            language: of notes and errors, es or en
        """
        language = language_of(language)
        with visible_errors(language):
            speech = Speech(topics, field, opening, minutes, creativity, seed, generator)
            for frame in gen.finetuned(studio, speech):
                yield frame.text, details(frame, language)

    return finetuned


def _rag(studio: Studio) -> Callable[..., Any]:
    def rag(
        topics: str,
        passages: int = 5,
        threshold: float | None = None,
        field: str = "",
        opening: str = "",
        minutes: float = 3,
        creativity: float = 0.5,
        seed: int = -1,
        generator: str = "",
        language: str = "es",
        without_context: bool = False,
    ) -> Iterator[tuple[str, list[Details], Details]]:
        """Writes a speech from passages of the documents. Gives the text so far, the passages and the details; an empty text with a note means that no passage scored enough. The last details say which passage bears out which sentence, if any does.

        Args:
            topics: one or several, separated by commas, at most 60 words; Spanish works best
            passages: how many passages, 1 to 10
            threshold: lowest score of a passage, 0 to 1; null for what the index advises
            field: what the speaker is an expert in; empty for the topics themselves
            opening: a first line that the speech continues
            minutes: length of the speech, about 130 words a minute
            creativity: 0 (predictable) to 1 (surprising)
            seed: the same seed gives the same text; -1 draws one
            generator: a name from info; empty for the first
            language: of notes and errors, es or en
            without_context: where no passage scores enough, true writes without any and says so in a note; false writes nothing
        """
        language = language_of(language)
        with visible_errors(language):
            speech = Grounded(
                topics,
                field,
                opening,
                minutes,
                creativity,
                seed,
                generator,
                passages,
                threshold,
                without_context,
            )
            for frame in gen.rag(studio, speech):
                yield frame.text, listed(frame.passages), details(frame, language)

    return rag


def _search(studio: Studio) -> Callable[..., Any]:
    def search(
        query: str,
        passages: int = 5,
        threshold: float | None = None,
        generator: str = "",
        language: str = "es",
    ) -> list[Details]:
        """Finds the passages of the documents that match a query, best first, with score and source.

        Args:
            query: what to look for, at most 60 words
            passages: how many passages, 1 to 10
            threshold: lowest score of a passage, 0 to 1; null for what the index advises
            generator: a name from info; empty for the first with documents
            language: of errors, es or en
        """
        with visible_errors(language_of(language)):
            return listed(gen.search(studio, query, passages, threshold, generator))

    return search


def _info(studio: Studio) -> Callable[..., Any]:
    def info() -> Details:
        """What this Space serves: generators, models, limits, lineage."""
        return about(studio)

    return info


def details(frame: Frame, language: str) -> Details:
    """A frame's figures and notes as JSON."""
    keys = [note.key for note in frame.notes]
    return {
        "phase": frame.phase,
        "words": frame.words,
        "speech_seconds": frame.speech_seconds,
        "tokens": frame.tokens,
        "tokens_per_second": round(frame.tokens_per_second, 1),
        "first_token_seconds": None if frame.first_token is None else round(frame.first_token, 3),
        "seed": frame.seed,
        "cached": frame.cached,
        "generator": frame.generator,
        "originality": figures(frame.originality),
        "grounding": grounding_view.figures(frame.grounding),
        "notes": [
            {"key": key, "message": message}
            for key, message in zip(keys, note_texts(frame, language), strict=True)
        ],
    }


def listed(found: Sequence[Found]) -> list[Details]:
    """Passages as JSON."""
    return [
        {
            "score": round(item.hit.score, 4),
            "relevance": item.relevance,
            "used": item.used,
            "title": item.hit.passage.title,
            "source": item.hit.passage.source,
            "document": item.hit.passage.document,
            "position": item.hit.passage.position,
            "text": item.hit.passage.text,
            "given": item.excerpt.text if item.excerpt else None,
        }
        for item in found
    ]


def about(studio: Studio) -> Details:
    """The answer of /info."""
    import llama_cpp

    bundle = studio.bundle
    settings = studio.settings
    return {
        "bundle": bundle.name,
        "warning": str(studio.warning) if studio.warning else None,
        "created": bundle.created,
        "base": bundle.base.name,
        "adapters": {name: path.name for name, path in bundle.adapters.items()},
        "indexes": sorted(bundle.indexes),
        "context": bundle.context,
        "generators": [
            {
                "name": generator.name,
                "kind": generator.kind,
                "title": generator.title,
                "tabs": [
                    tab
                    for tab, members in (
                        ("finetuned", studio.speakers),
                        ("rag", studio.grounded),
                        ("questions", studio.questioners),
                        ("chat", studio.personas),
                    )
                    if generator in members
                ],
                "adapter": generator.adapter,
                "index": generator.index,
                "words_per_minute": generator.words_per_minute,
                "values": generator.values,
            }
            for generator in bundle.generators
        ],
        "limits": {
            "characters": settings.max_chars,
            "topic_words": MAX_TOPIC_WORDS,
            "field_words": MAX_FIELD_WORDS,
            "minutes": studio.max_minutes,
            "passages": MAX_PASSAGES,
            "seed": MAX_SEED,
            "questions": MAX_NUMBER,
            "question_text_characters": MAX_TEXT_CHARS,
            "history_messages": MAX_MESSAGES,
            "history_characters": MAX_CHARS,
            "queue": settings.queue_size,
            "seconds": settings.deadline,
        },
        "engine": {
            "llama_cpp_python": llama_cpp.__version__,
            "threads": studio.threads,
            "calibration": asdict(studio.calibration) if studio.calibration else None,
            "machine": platform.machine(),
            "loaded": studio.loaded,
        },
        "lineage": bundle.lineage,
    }
