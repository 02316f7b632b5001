"""What the metadata of a GGUF says of it, and whether an adapter belongs to a base; used by `python -m train bundle`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from train.errors import BundlePartInvalid


@dataclass(frozen=True)
class GgufFacts:
    """What a bundle takes from the metadata of a base GGUF; `context` in tokens."""

    architecture: str
    chat_template: str
    context: int

    @classmethod
    def read(cls, path: Path) -> GgufFacts:
        """Raises BundlePartInvalid for a file that is no GGUF, or has no chat template or context length."""
        metadata = _Metadata(path)
        architecture = metadata.need("general.architecture")
        context = int(metadata.need(f"{architecture}.context_length"))
        return cls(architecture, metadata.need("tokenizer.chat_template"), context)

    def check_adapter(self, path: Path) -> None:
        """Raises BundlePartInvalid for a file that is no adapter of this architecture."""
        metadata = _Metadata(path)
        kind, architecture = metadata.need("general.type"), metadata.need("general.architecture")
        if (kind, architecture) != ("adapter", self.architecture):
            reason = f"it is a {kind} for {architecture}, an adapter for {self.architecture} is needed"
            raise BundlePartInvalid(path=path, reason=reason)


def chat_template(path: Path) -> str | None:
    """The chat template in a GGUF, None for a GGUF without one. Raises BundlePartInvalid for a file that is none."""
    field = _Metadata(path).reader.get_field("tokenizer.chat_template")
    return str(field.contents()) if field else None


class _Metadata:
    def __init__(self, path: Path) -> None:
        from gguf import GGUFReader

        self.path = path
        try:
            self.reader = GGUFReader(path)
        except (OSError, ValueError, IndexError) as error:
            raise BundlePartInvalid(path=path, reason=f"it is not a readable GGUF ({error})") from error

    def need(self, key: str) -> str:
        field = self.reader.get_field(key)
        if field is None:
            raise BundlePartInvalid(
                path=self.path, reason=f"its metadata has no {key}; export it with `train export`"
            )
        return str(field.contents())
