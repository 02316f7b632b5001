"""A Phi-3 tokenizer of one's own: SentencePiece BPE with byte fallback and Phi-3's special tokens.

Used by `python -m train pretrain`. The same vocabulary is written twice: `tokenizer.model` (what llama.cpp's
converter reads) and `tokenizer.json` (what transformers reads); both give the same ids.
"""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterable
from pathlib import Path

ADDED_TOKENS = (
    "<|endoftext|>",
    "<|assistant|>",
    "<|placeholder1|>",
    "<|placeholder2|>",
    "<|placeholder3|>",
    "<|placeholder4|>",
    "<|system|>",
    "<|end|>",
    "<|placeholder5|>",
    "<|placeholder6|>",
    "<|user|>",
)
"""Phi-3's tokens after the SentencePiece vocabulary, in the order of its ids 32000 to 32010."""

END_OF_TEXT, END_OF_TURN = "<|endoftext|>", "<|end|>"

CHAT_TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'system' %}{{'<|system|>\n"
    "' + message['content'] + '<|end|>\n"
    "'}}{% elif message['role'] == 'user' %}{{'<|user|>\n"
    "' + message['content'] + '<|end|>\n"
    "'}}{% elif message['role'] == 'assistant' %}{{'<|assistant|>\n"
    "' + message['content'] + '<|end|>\n"
    "'}}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n"
    "' }}{% else %}{{ eos_token }}{% endif %}"
)
"""Phi-3's chat template, byte for byte as Microsoft publishes it and as trl knows it."""

FILES = (
    "tokenizer.model",
    "tokenizer.json",
    "tokenizer_config.json",
    "added_tokens.json",
    "special_tokens_map.json",
    "chat_template.jinja",
)


def train_tokenizer(texts: Iterable[str], vocab_size: int, out: Path) -> None:
    """Train on `texts` (one paragraph or document each) and write the tokenizer files into `out`.

    `vocab_size` counts Phi-3's 11 added tokens. Settings as llama's: identity normalization, spaces kept,
    digits split, unknown characters as bytes.
    """
    import sentencepiece

    out.mkdir(parents=True, exist_ok=True)
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=model,
        model_type="bpe",
        vocab_size=vocab_size - len(ADDED_TOKENS),
        byte_fallback=True,
        character_coverage=0.9999,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        split_digits=True,
        max_sentence_length=20_000,
        num_threads=2,
        minloglevel=1,
    )
    (out / "tokenizer.model").write_bytes(model.getvalue())
    _write_fast_tokenizer(model.getvalue(), out)


def _write_fast_tokenizer(model: bytes, out: Path) -> None:
    import sentencepiece
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers
    from transformers.tokenization_utils_base import generate_merges

    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    vocabulary = {processor.id_to_piece(n): n for n in range(processor.get_piece_size())}
    tokenizer = Tokenizer(
        models.BPE(
            vocab=vocabulary,
            merges=generate_merges(vocabulary),
            unk_token="<unk>",
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    plain = {"<unk>", "<s>", END_OF_TEXT}
    names = ("<unk>", "<s>", "</s>", *ADDED_TOKENS)
    tokenizer.add_special_tokens(
        [AddedToken(name, normalized=False, special=True, rstrip=name not in plain) for name in names]
    )
    tokenizer.save(str(out / "tokenizer.json"))
    added = {name: len(vocabulary) + n for n, name in enumerate(ADDED_TOKENS)}
    (out / "added_tokens.json").write_text(json.dumps(added, indent=1), encoding="utf-8")
    _write_config({**{name: vocabulary[name] for name in names[:3]}, **added}, plain, out)


def _write_config(ids: dict[str, int], plain: set[str], out: Path) -> None:
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_bos_token": False,
        "add_eos_token": False,
        "bos_token": "<s>",
        "eos_token": END_OF_TEXT,
        "pad_token": END_OF_TEXT,
        "unk_token": "<unk>",
        "clean_up_tokenization_spaces": False,
        "model_max_length": 4096,
        "padding_side": "left",
        "chat_template": CHAT_TEMPLATE,
        "added_tokens_decoder": {
            str(number): {
                "content": name,
                "lstrip": False,
                "normalized": False,
                "rstrip": name not in plain,
                "single_word": False,
                "special": True,
            }
            for name, number in ids.items()
        },
    }
    text = json.dumps(config, ensure_ascii=False, indent=1)
    (out / "tokenizer_config.json").write_text(text, encoding="utf-8")


def copy_tokenizer(source: Path, destination: Path) -> None:
    """Copy the tokenizer files beside saved weights, over what transformers wrote there.

    `save_pretrained` of transformers 5 drops `add_bos_token` and does not write `tokenizer.model`; a GGUF
    converted from such a folder begins every prompt with a BOS too many.
    """
    for name in FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, destination / name)
        else:
            (destination / name).unlink(missing_ok=True)
