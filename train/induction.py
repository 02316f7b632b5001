"""Teaches a small model to look words up in its context: induction heads by supervised attention.

Used by `python -m train pretrain --induction SHARE`.

A row holds a piece of the texts, or random tokens, which only the context can predict, as a question, and as the answer the same in
another order, every span of it once: an answer that repeats itself would teach to say things twice. That needs attention heads that are
of no use without each other (Olsson et al., "In-context Learning and Induction Heads", 2022), so that on random rows alone, a 5.5 M
model learned nothing in 500 steps. Here the heads are told where to look: those of the first layer at the tokens before, one each, two of
the middle layer at the token after the earlier place where the last three tokens stood too. One token would not do: after "de la" a passage goes on in
many ways, and a model that jumps from one to the other glues words together. Of several such places the first: an answer that looks up what it has
itself said goes round in circles. The rest of the circuit then learns by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

SHORTEST, LONGEST = 6, 60
"""Tokens of a span."""
MATCH = 3
"""Tokens that tell a place."""
ATTENTION_WEIGHT = 0.5
HEADS = 2
"""Heads that look words up."""
EXCERPTS = 0.7
"""Share of the pieces that are excerpts of the texts; the others are random tokens."""
QUESTION, ANSWER = ["<|user|>"], ["<|end|>", "<|assistant|>"]


@dataclass(frozen=True)
class Drills:
    """Rows of pieces, of `tokens` or of random ones (`frequencies` [vocabulary]: the chances of each), between the tokens `question` and
    `answer`, each followed by its spans in another order."""

    frequencies: np.ndarray
    tokens: np.ndarray
    question: np.ndarray
    answer: np.ndarray

    @classmethod
    def of(cls, tokens: np.ndarray, tokenizer: Any) -> Drills:
        """Tokens as the square root of their counts in `tokens`, without special and byte tokens."""
        counts = np.bincount(tokens, minlength=len(tokenizer)).astype(float)
        pieces = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
        counts[[n for n, piece in enumerate(pieces) if piece.startswith("<")]] = 0
        roots = np.sqrt(counts)
        marks = (np.array(tokenizer.convert_tokens_to_ids(names)) for names in (QUESTION, ANSWER))
        return cls(roots / roots.sum(), tokens, *marks)

    def rows(self, rng: np.random.Generator, count: int, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Token ids [count, length + 1], and which of the last `length` the context tells [count, length]."""
        pairs = [self._row(rng, length + 1) for _ in range(count)]
        ids, told = (np.stack(parts) for parts in zip(*pairs, strict=True))
        return ids, told[:, 1:]

    def _row(self, rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
        ids, told = zip(*_filling(self._exercises(rng, size), size), strict=True)
        return np.concatenate(ids)[:size], np.concatenate(told)[:size]

    def _exercises(self, rng: np.random.Generator, size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Parts of a row: a piece of a sixth to half of `size`, its spans, the next piece. A span's first tokens tell which one it is."""
        while True:
            piece = self._piece(rng, int(rng.integers(size // 6, size // 2)))
            yield _untold(np.concatenate([self.question, piece, self.answer]))
            spans = np.split(piece, _cuts(rng, len(piece)))
            for n in rng.permutation(len(spans)):
                yield spans[n], np.arange(len(spans[n])) >= MATCH
            yield _untold(self.answer[:1])

    def _piece(self, rng: np.random.Generator, length: int) -> np.ndarray:
        if rng.random() < EXCERPTS:
            start = int(rng.integers(len(self.tokens) - length))
            return np.asarray(self.tokens[start : start + length], dtype=np.int64)
        return rng.choice(len(self.frequencies), length, p=self.frequencies)


def _untold(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return ids, np.zeros(len(ids), dtype=bool)


def _cuts(rng: np.random.Generator, length: int) -> list[int]:
    """Where spans of SHORTEST to LONGEST tokens end in a piece of `length`; the last takes what is left."""
    cuts = [int(rng.integers(SHORTEST, LONGEST))]
    while cuts[-1] < length:
        cuts.append(cuts[-1] + int(rng.integers(SHORTEST, LONGEST)))
    return cuts[:-1]


def _filling(
    parts: Iterator[tuple[np.ndarray, np.ndarray]], size: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """As many of `parts` as make a row of `size`, or a little more."""
    filled = 0
    while filled < size:
        part = next(parts)
        filled += len(part[0])
        yield part


def losses(model: Any, ids: torch.Tensor, told: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean nats of the tokens that the context tells, and of where the supervised heads look (each mean -log probability).

    `ids` [rows, length + 1], `told` bool [rows, length]; `model` is a causal model of transformers with two layers or more.
    """
    import torch

    inputs = ids[:, :-1]
    kept = model.config._attn_implementation
    model.set_attn_implementation("eager")  # the only one that returns attentions
    output = model.model(input_ids=inputs, use_cache=False, output_attentions=True)
    model.set_attn_implementation(kept)
    logits = model.lm_head(output.last_hidden_state[told])
    copying = torch.nn.functional.cross_entropy(logits.float(), ids[:, 1:][told])
    first, middle = output.attentions[0], output.attentions[len(output.attentions) // 2]
    behind = range(1, 1 + min(MATCH, max(1, first.size(1) - 1)))  # one head is left as it is
    before = torch.stack([_log(first[:, n - 1].diagonal(offset=-n, dim1=1, dim2=2)).mean() for n in behind])
    places, known = lookups(inputs)
    found = middle[:, :HEADS].gather(3, places[:, None, :, None].expand(-1, HEADS, -1, 1))[..., 0]
    found = found.transpose(1, 2)[known]
    looking = -before.mean() - _log(found).mean()
    return copying, looking


def lookups(inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """For each position of `inputs` [rows, length] the one after the earlier place where most of the last MATCH tokens stood, the present one
    among them, the first of several; and whether there is one at all (elsewhere the place is 0)."""
    import torch

    length = inputs.size(1)
    same = (inputs[:, :, None] == inputs[:, None, :]).tril(-1)
    matched, run = same.long(), same
    for n in range(1, MATCH):
        run = run.clone()
        run[:, n:, n:] &= same[:, :-n, :-n]
        run[:, :n] = False
        run[:, :, :n] = False
        matched += run
    earliness = torch.arange(length, 0, -1, device=inputs.device)
    best = torch.where(same, earliness + (length + 1) * matched, 0).amax(-1)
    return torch.where(best > 0, length + 1 - best % (length + 1), 0), best > 0


def _log(probabilities: torch.Tensor) -> torch.Tensor:
    return probabilities.float().clamp_min(1e-30).log()
