"""How the next token is chosen: a chain of llama.cpp's samplers over the logits of a context; used by `space/writing.py`."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import llama_cpp

from space.errors import GrammarInvalid
from space.native import Context, Sampling, begin_log, reason

PENALTY_WINDOW = 64


class Sampler:
    """A chain of llama.cpp's samplers: forbidden tokens, grammar, top-k, penalties, top-p, min-p, temperature, seeded choice.

    `grammar` is a GBNF with the rule `root`; one that llama.cpp cannot read raises GrammarInvalid.
    """

    def __init__(self, context: Context, sampling: Sampling, grammar: str | None = None) -> None:
        self._context = context
        vocabulary = context.model.vocabulary
        never = (llama_cpp.llama_logit_bias * len(vocabulary.never))()
        for n, token in enumerate(vocabulary.never):
            never[n].token, never[n].bias = token, -math.inf
        # First, so that nothing is left to free where it fails.
        held = [self._grammar(grammar)] if grammar is not None else []
        # Penalties after top-k look up some 40 candidates instead of the whole vocabulary (0.2 ms a token at 8k).
        links = [
            llama_cpp.llama_sampler_init_logit_bias(vocabulary.size, len(never), never),
            *held,
            llama_cpp.llama_sampler_init_top_k(sampling.top_k),
            llama_cpp.llama_sampler_init_penalties(
                vocabulary.size, PENALTY_WINDOW, sampling.repeat_penalty, 0.0, 0.0
            ),
        ]
        if sampling.temperature > 0:
            links += [
                llama_cpp.llama_sampler_init_top_p(sampling.top_p, 1),
                llama_cpp.llama_sampler_init_min_p(sampling.min_p, 1),
                llama_cpp.llama_sampler_init_temp(sampling.temperature),
                llama_cpp.llama_sampler_init_dist(sampling.seed),
            ]
        else:
            links.append(llama_cpp.llama_sampler_init_greedy())
        parameters = llama_cpp.llama_sampler_chain_default_params()
        parameters.no_perf = True
        self._chain = llama_cpp.llama_sampler_chain_init(parameters)
        for link in links:
            llama_cpp.llama_sampler_chain_add(self._chain, link)

    def _grammar(self, text: str) -> Any:
        begin_log()
        vocabulary = llama_cpp.llama_model_get_vocab(self._context.model.pointer)
        link = llama_cpp.llama_sampler_init_grammar(vocabulary, text.encode(), b"root")
        if not link:
            raise GrammarInvalid(reason=reason())
        return link

    def sample(self, row: int, forbidden: Iterable[int] = ()) -> int:
        """Chooses the token that follows the one decoded in `row`, none of `forbidden`."""
        for token in forbidden:
            self._context.logits(row)[token] = -math.inf
        return llama_cpp.llama_sampler_sample(self._chain, self._context.pointer, row)

    def close(self) -> None:
        """Frees the chain and its links."""
        if self._chain:
            llama_cpp.llama_sampler_free(self._chain)
            self._chain = None
