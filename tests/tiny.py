"""A tiny Phi-3 of random weights, built for the tests: `tests/conftest.py` offers it as fixtures.

Hidden size and intermediate size are multiples of 256, so that K-quants apply. The tokenizer is a real one,
trained on the project's own talks.

    python -m tests.tiny OUT        # builds the folder, an F16 and a Q8_0 GGUF and a LoRA GGUF
"""

from __future__ import annotations

import sys
from pathlib import Path

from train import llamacpp
from train.tokenizer import train_tokenizer

TALKS = Path(__file__).parents[1] / "train" / "texts" / "talks"
VOCABULARY = 2048
NAME = "phi3-tiny-0.002B-v1.0"


def talk_paragraphs() -> list[str]:
    """The paragraphs of the project's talks."""
    texts = (path.read_text(encoding="utf-8") for path in sorted(TALKS.glob("*.md")))
    return [line for text in texts for line in text.splitlines() if line.strip()]


def build_model(out: Path, seed: int = 0) -> Path:
    """A Hugging Face folder with the tiny Phi-3: 2 layers, 4 heads, context 1024, vocabulary 2048."""
    import torch
    from transformers import Phi3Config, Phi3ForCausalLM

    train_tokenizer(talk_paragraphs(), VOCABULARY, out)
    torch.manual_seed(seed)
    config = Phi3Config(
        vocab_size=VOCABULARY,
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=1024,
        original_max_position_embeddings=1024,
        sliding_window=None,
        bos_token_id=1,
        eos_token_id=VOCABULARY - 11,
        pad_token_id=VOCABULARY - 11,
    )
    Phi3ForCausalLM(config).half().save_pretrained(out)
    return out


def build_gguf(model: Path, out: Path, kind: str = "F16") -> Path:
    """The GGUF file `out` of `model`, through llama.cpp's own converter and quantizer."""
    if kind == "F16":
        llamacpp.convert_model(model, out, NAME)
        return out
    plain = out.with_suffix(".f16")
    llamacpp.convert_model(model, plain, NAME)
    llamacpp.quantize(plain, out, kind)
    plain.unlink()
    return out


def build_adapter(model: Path, out: Path, scale: float = 0.05, seed: int = 1) -> Path:
    """A PEFT folder with a LoRA (rank 8) on all linear layers, its weights random and so large that texts change."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    adapted = get_peft_model(
        base, LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
    )
    for name, weight in adapted.named_parameters():
        if ".lora_" in name:
            torch.nn.init.normal_(weight, std=scale)
    adapted.save_pretrained(out)
    return out


def build_lora_gguf(model: Path, out: Path) -> Path:
    """The GGUF file `out` of a random LoRA for `model`."""
    adapter = build_adapter(model, out.parent / f"{out.stem}-adapter")
    llamacpp.convert_lora(adapter, model, out)
    return out


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    tiny = build_model(folder / "model")
    build_gguf(tiny, folder / "phi3-tiny-F16.gguf")
    build_gguf(tiny, folder / "phi3-tiny-Q8_0.gguf", "Q8_0")
    build_lora_gguf(tiny, folder / "phi3-tiny-F16-LoRA.gguf")
