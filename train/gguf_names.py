"""Names of GGUF files and of the models in them, after the GGUF naming convention.

`<Base>-<Size>-<Finetune>-<Version>-<ENCODING>[-LoRA].gguf`
(https://github.com/ggml-org/ggml/blob/master/docs/gguf.md#gguf-naming-convention). Used by `python -m train export`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

CONVENTION = re.compile(
    r"^(?P<BaseName>[A-Za-z0-9\s]*(?:(?:-(?:(?:[A-Za-z\s][A-Za-z0-9\s]*)|(?:[0-9\s]*)))*))"
    r"-(?:(?P<SizeLabel>(?:\d+x)?(?:\d+\.)?\d+[A-Za-z](?:-[A-Za-z]+(\d+\.)?\d+[A-Za-z]+)?)"
    r"(?:-(?P<FineTune>[A-Za-z0-9\s-]+))?)?"
    r"-(?:(?P<Version>v\d+(?:\.\d+)*))(?:-(?P<Encoding>(?!LoRA|vocab)[\w_]+))?(?:-(?P<Type>LoRA|vocab))?"
    r"(?:-(?P<Shard>\d{5}-of-\d{5}))?\.gguf$"
)
"""The convention's own expression."""

_SIZE = re.compile(r"\d+(\.\d+)?[KMBT]", re.IGNORECASE)
_PARAMETERS = re.compile(r"\d+(\.\d+)?[MBT]", re.IGNORECASE)
_VERSION = re.compile(r"v\d+(\.\d+)*")
_TUNED = {"instruct", "chat", "it", "base"}


@dataclass(frozen=True)
class ModelName:
    """The parts of a name; joined they are the model's general.name, with an encoding the file's name."""

    base: str
    size: str
    finetune: str = ""
    version: str = "v1.0"

    def __str__(self) -> str:
        return "-".join(part for part in (self.base, self.size, self.finetune, self.version) if part)

    def file(self, encoding: str, lora: bool = False) -> str:
        """The file's name for one encoding, such as Q4_K_M."""
        return f"{self}-{encoding}{'-LoRA' if lora else ''}.gguf"

    def tuned(self, adapter: str) -> ModelName:
        """The name of this model fine-tuned as `adapter`."""
        return replace(self, finetune="-".join(part for part in (self.finetune, _clean(adapter)) if part))


def model_name(identifier: str, parameters: int, architecture: str) -> ModelName:
    """The name of a base model from its Hub id, folder or chosen name, with its size in parameters.

    A Phi-3 whose name has neither "phi3" nor "phi-3" gets "phi3-" before it: by that name alone llama.cpp knows
    that spaces after special tokens are to be stripped.
    """
    parts = [part for part in _clean(identifier.rsplit("/", 1)[-1]).split("-") if part]
    version = next((part for part in parts if _VERSION.fullmatch(part)), "v1.0")
    size = next((part for part in parts if _PARAMETERS.fullmatch(part)), size_label(parameters))
    rest = [part for part in parts if part not in (version, size)]
    cut = next(
        (n for n, p in enumerate(rest) if n and (_SIZE.fullmatch(p) or p.lower() in _TUNED)), len(rest)
    )
    base = "-".join(part.replace(".", "") for part in rest[:cut]) or architecture
    if architecture == "phi3" and not re.search(r"phi-?3", base, re.IGNORECASE):
        base = f"phi3-{base}"
    return ModelName(base, size, "-".join(part.replace(".", "") for part in rest[cut:]), version)


def size_label(parameters: int) -> str:
    """A number of parameters as the convention writes it: 3.8B, 135M, 2.4M."""
    for unit, name in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")):
        if parameters >= unit or name == "K":
            value = parameters / unit
            return f"{value:.1f}{name}" if value < 10 and round(value, 1) % 1 else f"{value:.0f}{name}"
    raise AssertionError


def _clean(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-.")
