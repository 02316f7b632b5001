"""What a GGUF gives where the trained model gave its reference, by llama.cpp: the rows of the parity gate for one file.

Used by `python -m train export` and `python -m train parity`. Prompts are rendered and tokenised by the code that serves.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from index.errors import OradorError
from space.settings import available_cores
from train.gguf_facts import chat_template
from train.parity_examples import Conversation
from train.parity_reference import Greedy, Measured, Reference
from train.parity_rows import END, GREEDY_TOKENS, LOSS, LOSS_FLOOR, SURPRISE, TIE, UNQUANTIZED, Row
from train.scoring import Scorer

ADAPTER = "adapter"


@dataclass(frozen=True)
class Candidate:
    """A GGUF to check: kind "base" or "merged", and the adapter's GGUF that goes with a base."""

    path: Path
    kind: str
    quantization: str
    adapter: Path | None = None

    @property
    def name(self) -> str:
        return f"{self.kind} {self.quantization}{' + adapter' if self.adapter else ''}"


@dataclass(frozen=True)
class _Read:
    """The answers as the GGUF reads them: nats of each token of each, whether the ids were those of training, and how
    often the end token was the most probable one."""

    nats: list[np.ndarray]
    same: bool
    ends: int


def check(candidate: Candidate, reference: Reference) -> list[Row]:
    """All rows of one file; one row when llama.cpp cannot load it."""
    expected = reference.base if candidate.adapter is None and candidate.kind == "base" else reference.tuned
    try:
        template = chat_template(candidate.path)
        scorer = _open(candidate, reference, template or "")
    except OradorError as error:
        return [Row(candidate.name, "loads", "a model that loads", str(error), "–", False)]
    try:
        rows = list(_token_rows(candidate.name, scorer, reference))
        rows.insert(0, _template_row(candidate.name, template, reference.template))
        if reference.chats and expected:
            rows += _chat_rows(candidate, scorer, reference, expected)
    except OradorError as error:  # a template that cannot be rendered, or content that it cannot hold
        rows = [Row(candidate.name, "chat template", "one that renders", str(error), "–", False)]
    finally:
        scorer.close()
    return rows


def _open(candidate: Candidate, reference: Reference, template: str) -> Scorer:
    longest = max((len(chat.ids) for chat in [*reference.chats, *reference.stress_chats]), default=0)
    adapters = {ADAPTER: candidate.adapter} if candidate.adapter else {}
    # A wrong template may write longer prompts than training did.
    context = 2 * longest + GREEDY_TOKENS + 64
    return Scorer(candidate.path, adapters, template, context, available_cores(os.environ))


def _template_row(what: str, found: str | None, expected: str | None) -> Row:
    shown = [
        f"sha256 {sha256(text.encode()).hexdigest()[:8]}" if text else "none" for text in (expected, found)
    ]
    return Row(what, "chat template", shown[0], shown[1], "the same", (found or None) == (expected or None))


def _token_rows(what: str, scorer: Scorer, reference: Reference) -> Iterator[Row]:
    wrong = [text for text, ids in reference.stress if scorer.vocabulary.tokenize(text) != ids]
    yield _counted(what, "tokens of texts", len(reference.stress), wrong[:1], len(wrong))


def _chat_rows(candidate: Candidate, scorer: Scorer, reference: Reference, expected: Measured) -> list[Row]:
    what, kind = candidate.name, candidate.quantization
    adapter = ADAPTER if candidate.adapter else None
    chats = [*reference.chats, *reference.stress_chats]
    wrong = sum(scorer.tokens(chat.prompt, chat.answer) != (chat.ids, chat.start) for chat in chats)
    read = _read(scorer, reference.chats, adapter)
    rows = [
        _counted(what, "tokens of conversations", len(chats), [], wrong),
        _bos_row(what, scorer, reference),
        _end_row(what, scorer, reference),
        _end_probability_row(what, kind, read, expected),
        _loss_row(what, kind, read.nats, expected),
    ]
    if kind in UNQUANTIZED:
        rows += [_surprise_row(what, read, expected), _greedy_row(what, scorer, expected.greedy, adapter)]
        if adapter:
            alone = _read(scorer, reference.chats, None)
            rows.append(_loss_row(f"{candidate.kind} {kind} alone", kind, alone.nats, reference.base))
    return rows


def _counted(what: str, check: str, total: int, examples: Sequence[str], wrong: int) -> Row:
    found = f"{total - wrong} of {total}" + "".join(f"; not {text!r}" for text in examples)
    return Row(what, check, f"{total} of {total}", found, "all", wrong == 0)


def _read(scorer: Scorer, chats: Sequence[Conversation], adapter: str | None) -> _Read:
    nats, same, ends = [], True, 0
    for chat in chats:
        ids, start = scorer.tokens(chat.prompt, chat.answer)
        same = same and ids == chat.ids
        each: list[np.ndarray] = []
        for first, logits in scorer.logits(ids, start, adapter):
            wanted = ids[first : first + len(logits)]
            each.append(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(logits)), wanted])
            last = int(logits[-1].argmax())
        nats.append(np.concatenate(each))
        ends += last == ids[-1]
    return _Read(nats, same, ends)


def _bos_row(what: str, scorer: Scorer, reference: Reference) -> Row:
    """As other programs than Orador read a prompt: rendered as one text, and whatever the tokenizer adds by itself."""
    wanted = found = 0
    for chat in reference.chats:
        text = "".join(part.text for part in scorer.template.parts(chat.prompt))
        wanted += chat.ids[: chat.start].count(reference.bos)
        found += tokenize_as_others(scorer.context.model.pointer, text).count(reference.bos)
    number = len(reference.chats)
    shown = [f"{count} in {number} prompts" for count in (wanted, found)]
    return Row(what, "BOS", shown[0], shown[1], "the same", wanted == found)


def tokenize_as_others(model: Any, text: str) -> list[int]:
    """The ids of a rendered prompt as llama.cpp's own programs make them: special tokens read, BOS added if the GGUF says so."""
    import llama_cpp

    data = text.encode("utf-8")
    tokens = (llama_cpp.llama_token * (len(data) + 8))()
    vocabulary = llama_cpp.llama_model_get_vocab(model)
    count = llama_cpp.llama_tokenize(vocabulary, data, len(data), tokens, len(tokens), True, True)
    return list(tokens[:count])


def _end_row(what: str, scorer: Scorer, reference: Reference) -> Row:
    chat = reference.chats[0]
    end = scorer.tokens(chat.prompt, chat.answer)[0][-1]
    stops = end in scorer.vocabulary.ends
    names = {marker.id: name for name, marker in scorer.vocabulary.markers.items()}
    shown = [f"{names.get(token, 'no special token')} ({token})" for token in (reference.end, end)]
    found = shown[1] if stops else f"{shown[1]}, which does not end a text"
    return Row(what, "end token", shown[0], found, "the same", stops and end == reference.end)


def _end_probability_row(what: str, kind: str, read: _Read, expected: Measured) -> Row:
    wanted, found = (float(np.mean([each[-1] for each in nats])) for nats in (expected.nats, read.nats))
    limit = END[kind]
    return Row(
        what,
        "end token's log-probability",
        f"{-wanted:.3f}, the most probable in {expected.ends} of {len(expected.nats)}",
        f"{-found:.3f}, in {read.ends}",
        f"± {limit} nats",
        abs(found - wanted) <= limit,
    )


def _loss_row(what: str, kind: str, nats: list[np.ndarray], expected: Measured) -> Row:
    wanted, found = expected.nats_per_token, float(np.concatenate(nats).mean())
    passed = abs(found - wanted) <= max(LOSS[kind] * wanted, LOSS_FLOOR)
    shown = f"{found:.4f} ({found / wanted - 1:+.2%})"
    return Row(what, "nats per token", f"{wanted:.4f}", shown, f"± {LOSS[kind]:.1%}", passed)


def _surprise_row(what: str, read: _Read, expected: Measured) -> Row:
    """Token by token, where an adapter a little too strong does not hide in a mean."""
    name, limit = "difference of a token's log-probability", f"≤ {SURPRISE} nats"
    if not read.same:
        return Row(what, name, "0", "other tokens than training's", limit, False)
    found = float(np.abs(np.concatenate(read.nats) - np.concatenate(expected.nats)).mean())
    return Row(what, name, "0", f"{found:.4f}", limit, found <= SURPRISE)


def _greedy_row(what: str, scorer: Scorer, texts: Sequence[Greedy], adapter: str | None) -> Row:
    """Token by token along training's text: the same most probable one, or one that training holds for as good."""
    tokens = wrong = ties = 0
    for text in texts:
        for first, logits in scorer.logits(text.ids, text.start, adapter):
            for place, choice in enumerate(logits.argmax(axis=1).tolist(), first):
                tokens += 1
                if choice != text.ids[place]:
                    near = text.logits[place - text.start][choice] > -TIE
                    ties, wrong = ties + near, wrong + (not near)
    expected = f"{tokens} tokens of {len(texts)} texts"
    found = f"{tokens - wrong} agree" + (f", {ties} of them near ties" if ties else "")
    return Row(what, "greedy texts", expected, found, f"all (ties: {TIE} nats)", wrong == 0)
