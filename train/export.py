"""Convert a base model and its adapter to GGUF and quantize, with llama.cpp's own converters.

    python -m train export --base microsoft/Phi-3-mini-4k-instruct --adapter runs/talks/adapter --out gguf/
    python -m train export --base BASE --adapter runs/talks/adapter --out gguf/ --quantize Q4_K_M,Q8_0 --merge

Writes the base model once for each quantization, the adapter as a LoRA (F16), with --merge the merged model too,
and at last export.json with sizes and SHA-256. Every file goes through the parity gate (train/parity.py) first: PARITY.md
says how near it is to the trained model, and a row that fails ends the export with an error.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from space.files import file_sha256
from train import llamacpp
from train.adapters import merge, read_adapter
from train.base_model import Base, describe, resolve
from train.errors import ConversionFailed, NotEnoughDisk, UnknownQuantization, UnsupportedAdapter
from train.gguf_names import ModelName, model_name
from train.lineage import converted
from train.parity import EXPORT, TABLE, Gate, write_parity
from train.parity_gguf import Candidate
from train.parity_rows import require_passed, table

BITS = {"Q4_0": 4.6, "Q4_K_M": 4.9, "Q5_K_M": 5.7, "Q6_K": 6.6, "Q8_0": 8.5, "F16": 16.0}
"""Bits a weight of each quantization, for the check of disk space."""

TORCH_TYPES = {"f16": "float16", "bf16": "bfloat16", "f32": "float32"}


@dataclass(frozen=True)
class Job:
    """One export: where from, where to, how named, the quantizations wanted; `data` is what the gate checks with."""

    base: Base
    adapter: Path | None
    out: Path
    name: ModelName
    tuned: ModelName
    quantizations: tuple[str, ...]
    outtype: str
    parameters: int
    data: Path | None = None
    parity: bool = True


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
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="output of `prepare` whose held-out examples the parity gate uses (default: those that the run kept)",
    )
    parser.add_argument(
        "--without-parity",
        action="store_true",
        help="do not compare the files with the trained model; `publish` will refuse them",
    )


def run(args: argparse.Namespace) -> None:
    """The command. Raises ParityFailed after everything is written, and the errors of `make_job` and `export`."""
    job = make_job(args)
    result = export(job, merged=args.merge, with_base=not args.skip_base)
    for entry in result["files"]:
        print(
            f"{job.out / entry['path']}  {entry['size'] / 1e6:.1f} MB  {entry['kind']} {entry['quantization']}"
        )
    if "parity" in result:
        print(table(result["parity"]))
        require_passed(result["parity"], job.out)


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
    parameters, architecture = describe(base)
    name = model_name(args.name or base.id, parameters, architecture)
    tuned = name.tuned(args.adapter_name or args.adapter.resolve().parent.name) if args.adapter else name
    job = Job(
        base,
        args.adapter,
        args.out,
        name,
        tuned,
        kinds,
        args.outtype,
        parameters,
        args.data,
        not args.without_parity,
    )
    _check_disk(job, args.merge)
    return job


def _check_adapter(config: dict[str, Any], merged: bool) -> None:
    if config.get("fan_in_fan_out") and not merged:
        raise UnsupportedAdapter(feature="transposed layers, as in gpt2 (only --merge can export it)")


def _check_disk(job: Job, merged: bool) -> None:
    wide = 4 if job.outtype == "f32" else 2
    results = sum(BITS[kind] / 8 for kind in job.quantizations) * (2 if merged else 1)
    needed = job.parameters * (results + wide + (wide if merged else 0))
    job.out.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(job.out).free
    if needed > free:
        raise NotEnoughDisk(needed=needed / 1e9, path=job.out, free=free / 1e9)


def export(job: Job, merged: bool = False, with_base: bool = True) -> dict[str, Any]:
    """Convert, quantize and compare with the trained model; returns what export.json holds.

    The files get their places when all are made; export.json is written last, also when the comparison failed. Raises
    ConversionFailed, SourceUnavailable, SourceMismatch, NotPrepared, BadExample.
    """
    lineage = converted(job.base, job.adapter) | {"llama_cpp_python": llamacpp.pinned_version()}
    with tempfile.TemporaryDirectory(dir=job.out, prefix=".export-") as folder:
        scratch = Path(folder)
        gate = Gate(job.base, job.adapter, job.data) if job.parity else None
        files = _lora(job, scratch)
        adapter = scratch / files[0]["path"] if files else None
        if with_base or gate:  # a base that was made before is made again to check the adapter with
            source = Source(job.base.folder, "base", job.name)
            made = _checked(job, source, scratch, gate, adapter)
            files = (made if with_base else []) + files
        if job.adapter and merged:
            merge(job.base, job.adapter, TORCH_TYPES[job.outtype], scratch / "merged")
            files += _checked(job, Source(scratch / "merged", "merged", job.tuned), scratch, gate, None)
        (job.out / EXPORT).unlink(missing_ok=True)
        for entry in files:
            (scratch / entry["path"]).replace(job.out / entry["path"])
    parity = {"parity": gate.record()} if gate else {}
    result: dict[str, Any] = {"format": 1, "files": files, "lineage": lineage, **parity}
    _write(result, job.out)
    return result


def _write(result: dict[str, Any], out: Path) -> None:
    """PARITY.md, where there is a comparison, and at last export.json."""
    (out / TABLE).unlink(missing_ok=True)
    if "parity" in result:
        write_parity(result["parity"], out)
    draft = out / "export.json.tmp"
    draft.write_text(json.dumps(result, ensure_ascii=False, indent=1), encoding="utf-8")
    draft.replace(out / EXPORT)


@dataclass(frozen=True)
class Source:
    """A model to convert: its weights, "base" or "merged", and how its files are named."""

    weights: Path
    kind: str
    name: ModelName


def _models(job: Job, source: Source, scratch: Path) -> tuple[Path, dict[str, Path]]:
    """One GGUF of `source` for each quantization, and the one in 16 or 32 bits that they are made from; the tokenizer is
    always the base model's."""
    staged, plain = scratch / f"{source.kind}-staged", scratch / f"{source.kind}.gguf"
    _stage(job, source.weights, staged)
    print(f"Converting {source.name} ({job.outtype})", flush=True)
    llamacpp.convert_model(staged, plain, str(source.name), job.outtype)
    _check_no_bos(plain)
    shutil.rmtree(staged)
    shutil.rmtree(scratch / "merged", ignore_errors=True)
    made = {}
    for quantization in job.quantizations:
        target = made[quantization] = scratch / source.name.file(quantization)
        print(f"Quantizing {target.name}", flush=True)
        if quantization == "F16" and job.outtype == "f16":
            target.hardlink_to(plain)
            continue
        odd = llamacpp.quantize(plain, target, quantization)
        if odd:
            print(
                f"{len(odd)} tensors have rows that are no multiple of 256 and got a larger format than {quantization}"
            )
    return plain, made


def _checked(
    job: Job, source: Source, scratch: Path, gate: Gate | None, adapter: Path | None
) -> list[dict[str, Any]]:
    """The GGUFs of `source`, compared with the trained model, as entries of export.json."""
    plain, made = _models(job, source, scratch)
    if gate:
        files = {job.outtype.upper(): plain, **made}
        gate.check([Candidate(path, source.kind, name, adapter) for name, path in files.items()])
    plain.unlink()
    return [_entry(path, quantization, source.kind) for quantization, path in made.items()]


def _lora(job: Job, scratch: Path) -> list[dict[str, Any]]:
    """The adapter as a LoRA; nothing where there is none, or its layers are transposed (gpt2)."""
    if not job.adapter or read_adapter(job.adapter).get("fan_in_fan_out"):
        return []
    target = scratch / job.tuned.file("F16", lora=True)
    print(f"Converting {target.name}", flush=True)
    llamacpp.convert_lora(job.adapter, job.base.folder, target)
    return [_entry(target, "F16", "adapter")]


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
    size = path.stat().st_size
    entry = {"path": path.name, "sha256": file_sha256(path), "size": size}
    return {**entry, "quantization": quantization, "kind": kind}
