"""Teaches a small model to look words up in its context: induction heads by supervised attention.

Used by `python -m train pretrain --induction SHARE`.

A row repeats sequences of tokens: random ones, which only the context can predict, and pieces of the texts. That needs two attention
heads that are of no use without each other (Olsson et al., "In-context Learning and Induction Heads", 2022), so that on random rows alone,
a 5.5 M model learned nothing in 500 steps. Here the heads are told where to look: one of the first layer at the token before, two of the
middle layer at the token after the latest earlier occurrence of the present one. The rest of the circuit then learns by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

SHORTEST, LONGEST, MOST = 6, 60, 3
"""Tokens of a sequence, and how many different ones a row repeats."""
ATTENTION_WEIGHT = 0.5
HEADS = 2
"""Heads that look words up."""


@dataclass(frozen=True)
class Drills:
    """Rows of repeated sequences: one half of them random tokens, `frequencies` [vocabulary] being the chances of each, the other half
    pieces of `tokens`."""

    frequencies: np.ndarray
    tokens: np.ndarray

    @classmethod
    def of(cls, tokens: np.ndarray, tokenizer: Any) -> Drills:
        """Tokens as the square root of their counts in `tokens`, without special and byte tokens."""
        counts = np.bincount(tokens, minlength=len(tokenizer)).astype(float)
        pieces = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
        counts[[n for n, piece in enumerate(pieces) if piece.startswith("<")]] = 0
        roots = np.sqrt(counts)
        return cls(roots / roots.sum(), tokens)

    def rows(self, rng: np.random.Generator, count: int, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Token ids [count, length + 1], and which of the last `length` the context tells [count, length]."""
        pairs = [self._row(rng, length + 1) for _ in range(count)]
        ids, told = (np.stack(parts) for parts in zip(*pairs, strict=True))
        return ids, told[:, 1:]

    def _row(self, rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
        draw = self._random if rng.random() < 0.5 else self._text
        sequences = [
            draw(rng, int(rng.integers(SHORTEST, LONGEST))) for _ in range(int(rng.integers(1, MOST + 1)))
        ]
        ids: list[np.ndarray] = []
        told: list[np.ndarray] = []
        seen: set[int] = set()
        while sum(map(len, ids)) < size:
            chosen = int(rng.integers(len(sequences)))
            ids.append(sequences[chosen])
            # Which sequence comes is chance: its first two tokens tell.
            told.append((np.arange(len(ids[-1])) >= 2) & (chosen in seen))
            seen.add(chosen)
        return np.concatenate(ids)[:size], np.concatenate(told)[:size]

    def _random(self, rng: np.random.Generator, size: int) -> np.ndarray:
        return rng.choice(len(self.frequencies), size, p=self.frequencies)

    def _text(self, rng: np.random.Generator, size: int) -> np.ndarray:
        start = int(rng.integers(len(self.tokens) - size))
        return np.asarray(self.tokens[start : start + size], dtype=np.int64)


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
    before = first[:, 0].diagonal(offset=-1, dim1=1, dim2=2)
    places, known = lookups(inputs)
    found = middle[:, :HEADS].gather(3, places[:, None, :, None].expand(-1, HEADS, -1, 1))[..., 0]
    found = found.transpose(1, 2)[known]
    looking = -_log(before).mean() - _log(found).mean()
    return copying, looking


def lookups(inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """For each position of `inputs` [rows, length] the one after the latest earlier occurrence of its token, of those after the same
    token as here if there are any; and whether there is one at all (elsewhere the place is 0)."""
    import torch

    length = inputs.size(1)
    same = (inputs[:, :, None] == inputs[:, None, :]).tril(-1)
    pairs = torch.zeros_like(same)
    pairs[:, 1:, 1:] = same[:, 1:, 1:] & same[:, :-1, :-1]
    numbers = torch.arange(length, device=inputs.device)
    best = torch.where(same, numbers + length * pairs, -1).amax(-1)
    return torch.where(best >= 0, best % length, -1) + 1, best >= 0


def _log(probabilities: torch.Tensor) -> torch.Tensor:
    return probabilities.float().clamp_min(1e-30).log()
