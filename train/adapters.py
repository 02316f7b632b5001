"""PEFT adapters: whether a LoRA can become a GGUF file, and merging it into its base.

Used by `python -m train export`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from train.base_model import Base
from train.errors import NotAnAdapter, UnsupportedAdapter

ADAPTER_WEIGHTS = "adapter_model.safetensors"
_REFUSED = {
    "use_rslora": "rank-stabilised LoRA (use_rslora)",
    "use_dora": "DoRA (use_dora)",
    "rank_pattern": "ranks that differ by layer (rank_pattern)",
    "alpha_pattern": "alphas that differ by layer (alpha_pattern)",
    "modules_to_save": "whole saved modules (modules_to_save)",
    "trainable_token_indices": "trained tokens (trainable_token_indices)",
    "layer_replication": "repeated layers (layer_replication)",
    "alora_invocation_tokens": "activated LoRA (alora_invocation_tokens)",
}
_EMBEDDINGS = ("lora_embedding_", "embed_tokens", "word_embeddings", ".wte.", "lm_head")


def read_adapter(folder: Path) -> dict[str, Any]:
    """The adapter's configuration, once it is known that llama.cpp can hold it.

    Refused by name: what the converter gets wrong in silence (rank-stabilised LoRA, patterns of rank or alpha) or
    rejects, and adapters on embeddings, which abort the process at the first decode when embeddings are tied.
    Raises NotAnAdapter, UnsupportedAdapter.
    """
    from safetensors import safe_open

    for name in ("adapter_config.json", ADAPTER_WEIGHTS):
        if not (folder / name).is_file():
            raise NotAnAdapter(path=folder, missing=name)
    config: dict[str, Any] = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    if config.get("peft_type") != "LORA":
        raise UnsupportedAdapter(feature=f"another method than LoRA ({config.get('peft_type')})")
    for option, feature in _REFUSED.items():
        if config.get(option):
            raise UnsupportedAdapter(feature=feature)
    if config.get("bias", "none") != "none" or config.get("lora_bias"):
        raise UnsupportedAdapter(feature="trained biases (bias)")
    with safe_open(folder / ADAPTER_WEIGHTS, "pt") as weights:
        on_embeddings = [name for name in weights.keys() if any(part in name for part in _EMBEDDINGS)]  # noqa: SIM118
    if on_embeddings:
        raise UnsupportedAdapter(feature=f"an adapter on the embeddings ({on_embeddings[0]})")
    return config


def merge(base: Base, adapter: Path, dtype: str, out: Path) -> None:
    """Write the base model's weights with the adapter added, in the torch type named `dtype`, into `out`.

    The base is loaded in that type, never in 4 bits: merged into quantized weights, most of the adapter is
    rounded away.
    """
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base.folder, dtype=getattr(torch, dtype))
    PeftModel.from_pretrained(model, adapter).merge_and_unload(safe_merge=True).save_pretrained(out)
