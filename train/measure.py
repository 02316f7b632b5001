"""Negative log-likelihood of answers: the one measure of training, validation and comparison.

python -m train sft ...        # prints it before and after training
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from train.chat_examples import IGNORED, Example

LOGITS_IN_A_BATCH = 2**27
"""Tokens times vocabulary of one forward pass: 0.5 GB of float32 logits."""


def completion_loss(model: Any, examples: Sequence[Example]) -> float:
    """Mean negative log-likelihood, in nats per trained token, over all trained tokens of `examples`.

    Every trained token counts the same, whatever the batch it is in. The model's mode is put back.
    """
    import torch
    from tqdm.auto import tqdm

    was_training = model.training
    model.eval()
    total, count = 0.0, 0
    batches = list(_batches(examples, max(1, LOGITS_IN_A_BATCH // model.config.get_text_config().vocab_size)))
    with torch.inference_mode():
        for batch in tqdm(batches, desc="validation", leave=False):
            loss, tokens = _batch_loss(model, batch)
            total, count = total + loss, count + tokens
    model.train(was_training)
    return total / count


def _batches(examples: Sequence[Example], limit: int) -> Iterator[list[Example]]:
    """Examples of like length together; padded, a batch has at most `limit` tokens (or is one example)."""
    batch: list[Example] = []
    for example in sorted(examples, key=lambda e: len(e.ids)):
        if batch and len(example.ids) * (len(batch) + 1) > limit:
            yield batch
            batch = []
        batch.append(example)
    if batch:
        yield batch


def _batch_loss(model: Any, batch: list[Example]) -> tuple[float, int]:
    import torch

    width = max(len(example.ids) for example in batch)
    ids = torch.tensor([e.ids + [0] * (width - len(e.ids)) for e in batch], device=model.device)
    labels = torch.tensor([e.labels + [IGNORED] * (width - len(e.ids)) for e in batch], device=model.device)
    mask = torch.tensor([[1] * len(e.ids) + [0] * (width - len(e.ids)) for e in batch], device=model.device)
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1]
    wanted = labels[:, 1:] != IGNORED
    loss = torch.nn.functional.cross_entropy(logits[wanted].float(), labels[:, 1:][wanted], reduction="sum")
    return loss.item(), int(wanted.sum())
