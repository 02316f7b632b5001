"""What the trained model gives, by transformers: token ids, log-probabilities, greedy texts.

The side of the parity gate (`python -m train export`) that everything else is compared with. The model is loaded once and
freed before any GGUF is.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from train.base_model import Base, describe, load_model, load_tokenizer
from train.chat_examples import end_tokens
from train.parity_examples import LONGEST, Conversation, conversations, sample
from train.parity_rows import GREEDY_PROMPTS, GREEDY_TOKENS
from train.parity_texts import STRESS


@dataclass(frozen=True)
class Greedy:
    """A text written by always taking the most probable token: `ids` with the prompt, the text from `start` on;
    `logits` [tokens of the text, vocabulary], each row's highest 0."""

    ids: list[int]
    start: int
    logits: np.ndarray


@dataclass(frozen=True)
class Measured:
    """One model on the conversations: nats of each token of each answer with its end token; how often the end token was the
    most probable one where it stands; greedy texts."""

    nats: list[np.ndarray]
    ends: int
    greedy: list[Greedy]

    @property
    def nats_per_token(self) -> float:
        return float(np.concatenate(self.nats).mean())


@dataclass(frozen=True)
class Reference:
    """`tuned` is None without an adapter; `stress_chats` are the stress texts as conversations, never measured; `end`, the
    token that ends an answer, and `bos` are -1 where there is none."""

    template: str | None
    end: int
    bos: int
    stress: list[tuple[str, list[int]]]
    stress_chats: list[Conversation]
    chats: list[Conversation]
    base: Measured
    tuned: Measured | None
    dtype: str


@dataclass(frozen=True)
class Subject:
    """What is measured: a base, its adapter, the template it was trained with (None: the base's own), conversations."""

    base: Base
    adapter: Path | None
    template: str | None
    rows: Sequence[dict[str, Any]]


def measure(subject: Subject) -> Reference:
    """Tokenize and measure. Without a chat template there are only token ids of plain texts, and no conversations."""
    tokenizer = load_tokenizer(subject.base)
    tokenizer.chat_template = subject.template or tokenizer.chat_template
    ends = end_tokens(tokenizer, subject.base)
    chats: list[Conversation] = []
    stress_chats: list[Conversation] = []
    if tokenizer.chat_template:
        chats = sample(subject.rows, tokenizer, ends, _context(subject.base))
        both = [[{"role": role, "content": text} for role in ("user", "assistant")] for text in STRESS]
        stress_chats = conversations([{"messages": pair} for pair in both], tokenizer, ends, LONGEST)
    base, tuned, dtype = _measured(subject, chats)
    return Reference(
        template=tokenizer.chat_template,
        end=chats[0].ids[-1] if chats else -1,
        bos=-1 if tokenizer.bos_token_id is None else tokenizer.bos_token_id,
        stress=[(text, tokenizer(text, add_special_tokens=False)["input_ids"]) for text in STRESS],
        stress_chats=stress_chats,
        chats=chats,
        base=base,
        tuned=tuned,
        dtype=dtype,
    )


def _context(base: Base) -> int:
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(base.folder).get_text_config()
    return getattr(config, "max_position_embeddings", None) or LONGEST


def _measured(subject: Subject, chats: list[Conversation]) -> tuple[Measured, Measured | None, str]:
    """Base and tuned model, from one copy of the weights that is gone afterwards."""
    dtype = _dtype(describe(subject.base)[0])
    model = load_model(subject.base, dtype)
    tuned = None
    if subject.adapter:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, str(subject.adapter))
        tuned = _measure(model.eval(), chats)
    with model.disable_adapter() if subject.adapter else nullcontext():
        base = _measure(model.eval(), chats)
    del model
    gc.collect()
    return base, tuned, str(dtype).removeprefix("torch.")


def _dtype(parameters: int) -> Any:
    """float32, in which the reference has no rounding of its own, where memory allows; else bfloat16."""
    import psutil  # type: ignore[import-untyped]
    import torch

    on_gpu = torch.cuda.is_available()
    free = torch.cuda.mem_get_info()[0] if on_gpu else psutil.virtual_memory().available
    return torch.float32 if parameters * 4.5 < free else torch.bfloat16


def _measure(model: Any, chats: Sequence[Conversation]) -> Measured:
    nats, ends = [], 0
    for chat in chats:
        each, best = token_nats(model, chat.ids, chat.start)
        nats.append(each)
        ends += int(best[-1]) == chat.ids[-1]
    greedy = [_greedy(model, chat.ids[: chat.start], chat.ids[-1]) for chat in chats[:GREEDY_PROMPTS]]
    return Measured(nats, ends, greedy)


def token_nats(model: Any, ids: list[int], start: int) -> tuple[np.ndarray, np.ndarray]:
    """Nats of each token from `start` on, given all before it; and the most probable token in its place."""
    import torch

    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([ids], device=model.device), use_cache=False).logits[0]
        logits = logits[start - 1 : -1].float()
        wanted = torch.tensor(ids[start:], device=model.device)
        each = torch.nn.functional.cross_entropy(logits, wanted, reduction="none")
    return each.double().cpu().numpy(), logits.argmax(dim=-1).cpu().numpy()


def _greedy(model: Any, prompt: list[int], end: int) -> Greedy:
    import torch

    ids, rows, memory = list(prompt), [], None
    with torch.inference_mode():
        for _ in range(GREEDY_TOKENS):
            new = torch.tensor([ids if memory is None else ids[-1:]], device=model.device)
            out = model(input_ids=new, past_key_values=memory, use_cache=True)
            row, memory = out.logits[0, -1].float().cpu().numpy(), out.past_key_values
            ids.append(int(row.argmax()))
            rows.append(row - row.max())
            if ids[-1] == end:
                break
    return Greedy(ids, len(prompt), np.stack(rows))
