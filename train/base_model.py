"""The base model: found by Hub id or folder, its tokenizer and its weights loaded.

Used by `python -m train sft` and `python -m train export`.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from space.files import file_sha256
from train.errors import BaseUnavailable, NoBaseWeights

CONFIGURATION = ["*.json", "*.model", "*.txt", "*.jinja"]


@dataclass(frozen=True)
class Base:
    """A base model on this disk. `id` is the Hub id or, for a folder, its name alone: no path is published."""

    id: str
    revision: str | None
    folder: Path

    def to_json(self) -> dict[str, Any]:
        """What a lineage keeps: the id says what it was called, the hash of the weights what it is."""
        return {"id": self.id, "revision": self.revision, "sha256": weights_sha256(self)}


def resolve(base: str, revision: str | None = None, weights: bool = True) -> Base:
    """Find `base`: a folder with a config.json, or a Hub id, downloaded at `revision` (weights only if asked).

    Raises BaseUnavailable when it is neither, NoBaseWeights when no weights are in it.
    """
    folder = Path(base)
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise BaseUnavailable(base=base, reason="the folder has no config.json")
        found = Base(folder.resolve().name, None, folder.resolve())
    else:
        folder = _download(base, revision, weights)
        found = Base(base, folder.name, folder)
    if weights and not has_weights(folder):
        raise NoBaseWeights(base=base)
    return found


def has_weights(folder: Path) -> bool:
    """Whether `folder` has weights of its own, in safetensors or in torch's format."""
    return any(folder.glob("*.safetensors")) or any(folder.glob("pytorch_model*.bin"))


def weights_sha256(base: Base) -> str:
    """The SHA-256 over those of the weight files, by which an adapter knows its base again (about 1 GB/s)."""
    paths = sorted(base.folder.glob("*.safetensors")) or sorted(base.folder.glob("pytorch_model*.bin"))
    return hashlib.sha256("".join(map(file_sha256, paths)).encode()).hexdigest()


def describe(base: Base) -> tuple[int, str]:
    """The number of parameters and the architecture (transformers' model_type), from the configuration alone."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(base.folder)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    return sum(weight.numel() for weight in model.parameters()), config.model_type


def _download(repo: str, revision: str | None, weights: bool) -> Path:
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", repo):
        raise BaseUnavailable(base=repo, reason="neither a folder nor a Hub id")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    patterns = [*CONFIGURATION, "*.safetensors"] if weights else CONFIGURATION
    try:
        folder = Path(snapshot_download(repo, revision=revision, allow_patterns=patterns))
        if weights and not has_weights(folder):
            snapshot_download(repo, revision=folder.name, allow_patterns=["pytorch_model*.bin"])
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise BaseUnavailable(base=repo, reason=" ".join(str(error).split()).rstrip(".")) from error
    return folder


def load_tokenizer(base: Base) -> Any:
    """The base model's fast tokenizer, with a padding token (the end of text where it has none)."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base.folder)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_model(base: Base, dtype: Any, four_bit: bool = False) -> Any:
    """The weights in `dtype` (a torch dtype) on the GPU where there is one; `four_bit` is NF4, double quantization."""
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    quantization = None
    if four_bit:
        quantization = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        )
    device = {"": 0} if torch.cuda.is_available() else {"": "cpu"}
    return AutoModelForCausalLM.from_pretrained(
        base.folder, dtype=dtype, quantization_config=quantization, device_map=device
    )
