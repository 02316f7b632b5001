"""Converts a sentence-transformers model to GGUF: `python -m train export-embedder MODEL --out F.gguf`.

MODEL is a Hub id or a folder of a BERT or XLM-R type encoder. `python -m index build ... --embedder MODEL --embedder-gguf
F.gguf` then puts it into an index, after comparing its vectors with the model's. A static model needs no conversion.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from train import llamacpp
from train.errors import ConversionFailed, NotAnEncoder

TYPES = ("f32", "f16", "q8_0")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a Hub id or a folder")
    parser.add_argument("--out", type=Path, required=True, help="the GGUF file to write")
    parser.add_argument("--type", choices=TYPES, default="f16", help="of the weights (default f16)")


def run(args: argparse.Namespace) -> None:
    path = export_embedder(args.model, args.out, args.type)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


def export_embedder(model: str, out: Path, outtype: str = "f16") -> Path:
    """Writes the GGUF `out` of the sentence-transformers model `model`; its pooling goes into the metadata.

    Raises NotAnEncoder for a folder that is no transformer with a pooling, ConversionFailed from the converter.
    """
    folder = Path(model)
    if not folder.is_dir():
        from huggingface_hub import snapshot_download

        patterns = ["*.json", "*.txt", "*.model", "*.safetensors"]
        folder = Path(
            snapshot_download(model, allow_patterns=patterns, ignore_patterns=["onnx/*", "openvino/*"])
        )
    if not (folder / "config.json").is_file() or not list(folder.glob("*_Pooling/config.json")):
        raise NotAnEncoder(path=model)
    out.parent.mkdir(parents=True, exist_ok=True)
    _convert(folder, out, Path(model).name, outtype)
    return out


def _convert(folder: Path, out: Path, name: str, outtype: str) -> None:
    converters = llamacpp.source()
    script = Path(__file__).with_name("convert_encoder.py")
    options = ["--model-name", name, "--outtype", outtype, "--outfile", str(out)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(converters / "gguf-py")}
    command = [sys.executable, str(script), str(converters), str(folder), *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode or not out.is_file():
        out.unlink(missing_ok=True)
        raise ConversionFailed(step=script.name, path=folder, reason="\n".join(done.stderr.splitlines()[-8:]))
