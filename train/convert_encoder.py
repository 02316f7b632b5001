"""Runs llama.cpp's converter on a BERT whose WordPiece vocabulary it does not list; started by train/embedder_gguf.py.

    PYTHONPATH=CONVERTERS/gguf-py python train/convert_encoder.py CONVERTERS MODEL --outfile F.gguf

The converter recognises pre-tokenizers by the hash of one text's tokens, so that every BERT with a vocabulary of its own is
refused, although llama.cpp runs all WordPiece vocabularies by the same code and ignores the name. `index build` compares the
vectors afterwards. To be removed when the converter names WordPiece vocabularies without that hash
(`get_vocab_base_pre` in conversion/base.py).
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    converters = Path(sys.argv.pop(1))
    sys.path.insert(0, str(converters))
    from conversion.bert import BertModel  # type: ignore[import-not-found]

    listed = BertModel.get_vocab_base_pre

    def by_hash_or_default(self: Any, tokenizer: Any) -> str:
        try:
            return str(listed(self, tokenizer))
        except NotImplementedError:
            return "default"

    BertModel.get_vocab_base_pre = by_hash_or_default
    runpy.run_path(str(converters / "convert_hf_to_gguf.py"), run_name="__main__")


if __name__ == "__main__":
    main()
