"""Convert a base model and its adapter to GGUF and quantize, with llama.cpp's own converters.

    python -m train export --base microsoft/Phi-3-mini-4k-instruct --adapter runs/talks/adapter --out gguf/
    python -m train export --base BASE --adapter runs/talks/adapter --out gguf/ --quantize Q4_K_M,Q8_0 --merge

Writes the base model once for each quantization, the adapter as a LoRA (F16), with --merge the merged model too,
and at last export.json with sizes and SHA-256.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from train import llamacpp
from train.adapters import merge, read_adapter
from train.base_model import Base, resolve
from train.errors import ConversionFailed, NotEnoughDisk, UnknownQuantization, UnsupportedAdapter
from train.gguf_names import ModelName, model_name

BITS = {"Q4_0": 4.6, "Q4_K_M": 4.9, "Q5_K_M": 5.7, "Q6_K": 6.6, "Q8_0": 8.5, "F16": 16.0}
"""Bits a weight of each quantization, for the check of disk space."""

TORCH_TYPES = {"f16": "float16", "bf16": "bfloat16", "f32": "float32"}


@dataclass(frozen=True)
class Job:
    """One export: where from, where to, how named, and the quantizations wanted."""

    base: Base
    adapter: Path | None
    out: Path
    name: ModelName
    tuned: ModelName
    quantizations: tuple[str, ...]
    outtype: str
    parameters: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--base", required=True, help="base model: folder or Hub id")
    parser.add_argument("--revision", help="revision of the base model on the Hub")
    parser.add_argument("--adapter", type=Path, help="adapter folder of `python -m train sft`")
    parser.add_argument("--out", type=Path, required=True, help="folder for the GGUF files and export.json")
    known = ", ".join(llamacpp.QUANTIZATIONS)
    parser.add_argument("--quantize", default="Q4_K_M", help=f"comma separated, of {known} (default Q4_K_M)")
    parser.add_argument(
        "--merge", action="store_true", help="also write base and adapter merged into one model"
    )
    parser.add_argument("--skip-base", action="store_true", help="do not write the base model (made before)")
    parser.add_argument("--name", help="name of the base model (default: its id or folder)")
    parser.add_argument("--adapter-name", help="name of the adapter (default: the folder of its run)")
    parser.add_argument(
        "--outtype", choices=list(TORCH_TYPES), default="f16", help="type to quantize from (default f16)"
    )


def run(args: argparse.Namespace) -> None:
    job = make_job(args)
    for entry in export(job, merged=args.merge, with_base=not args.skip_base)["files"]:
        print(
            f"{job.out / entry['path']}  {entry['size'] / 1e6:.1f} MB  {entry['kind']} {entry['quantization']}"
        )


def make_job(args: argparse.Namespace) -> Job:
    """Check everything that can be checked before any conversion.

    Raises UnknownQuantization, NotAnAdapter, UnsupportedAdapter, BaseUnavailable, NoBaseWeights, NotEnoughDisk.
    """
    kinds = tuple(dict.fromkeys(kind.strip().upper() for kind in args.quantize.split(",")))
    for kind in kinds:
        if kind not in llamacpp.QUANTIZATIONS:
            raise UnknownQuantization(name=kind, known=", ".join(llamacpp.QUANTIZATIONS))
    if args.adapter:
        _check_adapter(read_adapter(args.adapter), args.merge)
    base = resolve(args.base, args.revision)
    parameters, architecture = _describe(base)
    name = model_name(args.name or base.id, parameters, architecture)
    tuned = name.tuned(args.adapter_name or args.adapter.resolve().parent.name) if args.adapter else name
    job = Job(base, args.adapter, args.out, name, tuned, kinds, args.outtype, parameters)
    _check_disk(job, args.merge)
    return job


def _check_adapter(config: dict[str, Any], merged: bool) -> None:
    if config.get("fan_in_fan_out") and not merged:
        raise UnsupportedAdapter(feature="transposed layers, as in gpt2 (only --merge can export it)")


def _describe(base: Base) -> tuple[int, str]:
    """The number of parameters and the architecture (transformers' model_type)."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(base.folder)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    return sum(weight.numel() for weight in model.parameters()), config.model_type


def _check_disk(job: Job, merged: bool) -> None:
    wide = 4 if job.outtype == "f32" else 2
    results = sum(BITS[kind] / 8 for kind in job.quantizations) * (2 if merged else 1)
    needed = job.parameters * (results + wide + (wide if merged else 0))
    job.out.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(job.out).free
    if needed > free:
        raise NotEnoughDisk(needed=needed / 1e9, path=job.out, free=free / 1e9)


def export(job: Job, merged: bool = False, with_base: bool = True) -> dict[str, Any]:
    """Convert and quantize; returns what export.json holds.

    The files get their places when all are made; export.json is written last. Raises ConversionFailed,
    SourceUnavailable, SourceMismatch.
    """
    with tempfile.TemporaryDirectory(dir=job.out, prefix=".export-") as folder:
        scratch = Path(folder)
        files = _models(job, job.base.folder, job.name, "base", scratch) if with_base else []
        if (
            job.adapter
            and not json.loads((job.adapter / "adapter_config.json").read_text())["fan_in_fan_out"]
        ):
            files.append(_lora(job, job.adapter, scratch))
        if job.adapter and merged:
            merge(job.base, job.adapter, TORCH_TYPES[job.outtype], scratch / "merged")
            files += _models(job, scratch / "merged", job.tuned, "merged", scratch)
        (job.out / "export.json").unlink(missing_ok=True)
        for entry in files:
            (scratch / entry["path"]).replace(job.out / entry["path"])
    result = {"format": 1, "files": files, "lineage": _lineage(job)}
    draft = job.out / "export.json.tmp"
    draft.write_text(json.dumps(result, ensure_ascii=False, indent=1), encoding="utf-8")
    draft.replace(job.out / "export.json")
    return result


def _models(job: Job, weights: Path, name: ModelName, kind: str, scratch: Path) -> list[dict[str, Any]]:
    """One GGUF of the model in `weights` for each quantization; the tokenizer is always the base model's."""
    staged, plain = scratch / f"{kind}-staged", scratch / f"{kind}.gguf"
    _stage(job, weights, staged)
    print(f"Converting {name} ({job.outtype})", flush=True)
    llamacpp.convert_model(staged, plain, str(name), job.outtype)
    _check_no_bos(plain)
    shutil.rmtree(staged)
    shutil.rmtree(scratch / "merged", ignore_errors=True)
    for quantization in sorted(
        job.quantizations, key="F16".__eq__
    ):  # F16 last: it may be the intermediate file
        target = scratch / name.file(quantization)
        if quantization == "F16" and job.outtype == "f16":
            plain.replace(target)
            continue
        print(f"Quantizing {target.name}", flush=True)
        odd = llamacpp.quantize(plain, target, quantization)
        if odd:
            print(
                f"{len(odd)} tensors have rows that are no multiple of 256 and got a larger format than {quantization}"
            )
    plain.unlink(missing_ok=True)
    return [
        _entry(scratch / name.file(quantization), quantization, kind) for quantization in job.quantizations
    ]


def _lora(job: Job, adapter: Path, scratch: Path) -> dict[str, Any]:
    target = scratch / job.tuned.file("F16", lora=True)
    print(f"Converting {target.name}", flush=True)
    llamacpp.convert_lora(adapter, job.base.folder, target)
    return _entry(target, "F16", "adapter")


def _stage(job: Job, weights: Path, staged: Path) -> None:
    """A folder to convert: links to weights and base tokenizer, with the chat template trained and no BOS of its own.

    A prompt is written by the chat template, which has a BOS where the model wants one; a tokenizer that adds
    another would give the model a beginning that it was not trained on.
    """
    staged.mkdir()
    model_files = (
        "*.safetensors",
        "*.safetensors.index.json",
        "pytorch_model*",
        "config.json",
        "generation_config.json",
    )
    for pattern in model_files:
        for path in weights.glob(pattern):
            (staged / path.name).symlink_to(path.resolve())
    for pattern in ("*.json", "*.model", "*.txt", "*.jinja"):
        for path in job.base.folder.glob(pattern):
            if not (staged / path.name).exists() and not path.name.endswith(".index.json"):
                (staged / path.name).symlink_to(path.resolve())
    config_path = job.base.folder / "tokenizer_config.json"
    config = json.loads(config_path.read_text(encoding="utf-8")) if config_path.is_file() else {}
    template = job.adapter / "chat_template.jinja" if job.adapter else None
    if template and template.is_file():
        config["chat_template"] = template.read_text(encoding="utf-8")
    config["add_bos_token"] = False
    (staged / "tokenizer_config.json").unlink(missing_ok=True)
    (staged / "tokenizer_config.json").write_text(json.dumps(config, ensure_ascii=False), encoding="utf-8")


def _check_no_bos(path: Path) -> None:
    from gguf import GGUFReader

    reader = GGUFReader(path)
    field = reader.get_field("tokenizer.ggml.add_bos_token")
    if field is None or field.contents():
        raise ConversionFailed(
            step="the tokenizer's conversion", path=path.name, reason="it adds a BOS by itself"
        )
    if reader.get_field("tokenizer.chat_template") is None:
        print("The base model has no chat template: the GGUF has none either")


def _entry(path: Path, quantization: str, kind: str) -> dict[str, Any]:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    size = path.stat().st_size
    return {"path": path.name, "sha256": digest, "size": size, "quantization": quantization, "kind": kind}


def _lineage(job: Job) -> dict[str, Any]:
    """The run of the adapter as run.json tells it, the base model and the version of llama.cpp's converters."""
    path = job.adapter.resolve().parent / "run.json" if job.adapter else None
    run_record = json.loads(path.read_text(encoding="utf-8")) if path and path.is_file() else None
    return {
        "base": {"id": job.base.id, "revision": job.base.revision},
        "llama_cpp_python": llamacpp.pinned_version(),
        "run": run_record,
    }
