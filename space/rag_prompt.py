"""The prompt of the RAG tab: which passages are in it, and how much of each; used by `space/generators.py`.

prompt = RagPrompt(engine, template, {"topics": "el mar"})
found = shorten(prompt, fit(prompt, found, 300), "el mar", index, 720)
messages = prompt.messages(context_text(found))

Passages are given whole while the model reads them quickly, or where it has read them before. Where there is more to read than it reads in
the time that a visitor may wait, of the others the sentences that matter for the topics are given (space/condense.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from index.search import Index
from space.condense import Excerpt, condense, context_of
from space.engine import Engine, Request
from space.frames import Found
from space.prompts import Message, PromptTemplate, format_context

LEAST_PASSAGES = 128
"""Tokens of passages that are given however slowly they are read: some sentences, so that nothing need be made up."""

Passages = tuple[Found, ...]


@dataclass(frozen=True)
class RagPrompt:
    """A template with its values but the context; the answer begins with `opening`."""

    engine: Engine
    template: PromptTemplate
    values: Mapping[str, str]
    opening: str = ""
    adapter: str | None = None

    def request(self, found: Passages) -> Request:
        """What is read before a text begins; the passages that are given whole can be kept by the engine."""
        whole = (
            item.hit.passage.text for item in found if item.used and (not item.excerpt or item.excerpt.whole)
        )
        passages = tuple(" ".join(text.split()) for text in whole)
        return Request(self.messages(context_text(found)), self.opening, self.adapter, passages=passages)

    def messages(self, context: str) -> list[Message]:
        """What is sent to the model."""
        return self.template.render(context=context, **self.values)

    def size(self, context: str) -> int:
        """The tokens of the prompt."""
        return self.engine.count(self.messages(context), self.opening)


def context_text(found: Passages) -> str:
    """The passages used, as the prompt has them."""
    used = (item for item in found if item.used)
    return format_context([item.excerpt.text if item.excerpt else item.hit.passage.text for item in used])


def fit(prompt: RagPrompt, found: Passages, room: float) -> Passages:
    """`found` with as many of the best ones used as leave `room` tokens for the speech; at least one."""
    used = len(found)
    while used > 1 and prompt.engine.context - prompt.size(context_text(found[:used])) < room:
        used -= 1
    return tuple(replace(item, used=n < used) for n, item in enumerate(found))


def reading_budget(engine: Engine, seconds: float) -> int | None:
    """Tokens of a prompt that `engine` reads in `seconds`; None where it does not know its speed."""
    return None if engine.reading_speed is None else int(engine.reading_speed * seconds)


def shorten(prompt: RagPrompt, found: Passages, query: str, index: Index, budget: int | None) -> Passages:
    """`found` as it is where at most `budget` tokens are to be read; else those used with the sentences that matter for `query`.

    A passage that the engine has read before stays whole. Another of which no sentence fits is not used. Where none of any
    fits LEAST_PASSAGES, all stay whole.
    """
    if budget is None:
        return found
    used = [item for item in found if item.used]
    hot = prompt.engine.hot(prompt.request(found))
    cold = [item for item, known in zip(used, hot, strict=True) if not known]
    bare = prompt.size("")
    if not cold or prompt.size(context_text(tuple(cold))) <= budget:
        return found
    room = max(budget - bare, LEAST_PASSAGES)
    excerpts = condense(
        [item.hit for item in cold], query, room, lambda text: prompt.size(text) - bare, index
    )
    if not context_of(excerpts) or all(excerpt.whole for excerpt in excerpts):
        return found
    shortened = iter(excerpts)
    return tuple(
        _with(item, next(shortened)) if n < len(used) and not hot[n] else item for n, item in enumerate(found)
    )


def _with(item: Found, excerpt: Excerpt) -> Found:
    return replace(item, used=bool(excerpt.chosen), excerpt=excerpt)
