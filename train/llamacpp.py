"""llama.cpp's converters and quantizer, of the version that serves.

The converters are not on PyPI; they are in the source of llama-cpp-python. The source of the version pinned in
requirements.txt is fetched once through pip (77 MB, about 10 s), checked against the hash below, and the 2 MB
needed are kept in `.cache/llama.cpp-<version>/`. To fetch it ahead of an export:

    python -c "from train import llamacpp; print(llamacpp.source())"
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path, PurePosixPath

from train.errors import ConversionFailed, SourceMismatch, SourceUnavailable, UnpinnedSource

ROOT = Path(__file__).parents[1]
CACHE = ROOT / ".cache"
HASHES = {"0.3.36": "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e"}
"""SHA-256 of llama-cpp-python's source archive on PyPI. A change of version in requirements.txt adds one."""

QUANTIZATIONS = ("Q4_K_M", "Q4_0", "Q5_K_M", "Q6_K", "Q8_0", "F16")
"""What `quantize` makes; Q4_K_M is the default of the export."""

_NEEDED = re.compile(r"vendor/llama\.cpp/(convert_(hf|lora)_to_gguf\.py|(conversion|gguf-py/gguf)/.+\.py)")


def pinned_version(requirements: Path = ROOT / "requirements.txt") -> str:
    """The version of llama-cpp-python that the Space installs. Raises UnpinnedSource when it is not pinned."""
    found = re.search(r"^llama-cpp-python==([\w.]+)", requirements.read_text(encoding="utf-8"), re.MULTILINE)
    if not found:
        raise UnpinnedSource(version="?", path=requirements.name)
    return found[1]


def source(cache: Path = CACHE) -> Path:
    """The folder with the converters, fetched when absent.

    Raises SourceUnavailable (pip failed), SourceMismatch (another archive than the pinned one), UnpinnedSource.
    """
    version = pinned_version()
    folder = cache / f"llama.cpp-{version}"
    if folder.is_dir():
        return folder
    if version not in HASHES:
        raise UnpinnedSource(version=version, path="train/llamacpp.py")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        archive = download(version, Path(scratch))
        unpack(archive, HASHES[version], Path(scratch) / "source")
        try:
            (Path(scratch) / "source").rename(folder)
        except OSError:  # another process was first
            if not folder.is_dir():
                raise
    return folder


def download(version: str, folder: Path, *pip_options: str) -> Path:
    """llama-cpp-python's source archive, through this interpreter's pip. Raises SourceUnavailable."""
    print(f"Fetching the source of llama-cpp-python {version} (77 MB, once)", flush=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check"]
    command += ["--no-binary", "llama-cpp-python", "--dest", str(folder), *pip_options]
    done = subprocess.run(
        [*command, f"llama-cpp-python=={version}"], capture_output=True, text=True, check=False
    )
    archives = list(folder.glob("*.tar.gz"))
    if done.returncode or not archives:
        raise SourceUnavailable(version=version, reason=_last_lines(done.stderr))
    return archives[0]


def unpack(archive: Path, sha256: str, folder: Path, needed: re.Pattern[str] = _NEEDED) -> None:
    """Extract the converters, or whatever is `needed` of llama.cpp's source, from `archive` into `folder`.

    Raises SourceMismatch when the hash differs.
    """
    with archive.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != sha256:
        raise SourceMismatch(path=archive.name, expected=sha256, found=found)
    with tarfile.open(archive) as tar:
        for member in tar:
            path = PurePosixPath(*PurePosixPath(member.name).parts[1:])
            if member.isfile() and needed.fullmatch(str(path)):
                member.name = str(path.relative_to("vendor/llama.cpp"))
                tar.extract(member, folder, filter="data")


def convert_model(model: Path, out: Path, name: str, outtype: str = "f16") -> None:
    """Write the GGUF of a Hugging Face folder; `name` becomes general.name.

    `name` must contain "phi3" for a Phi-3: llama.cpp strips the space after special tokens only then.
    Raises ConversionFailed with the converter's last lines.
    """
    _convert("convert_hf_to_gguf.py", str(model), "--model-name", name, "--outtype", outtype, out=out)


def convert_lora(adapter: Path, base: Path, out: Path, outtype: str = "f16") -> None:
    """Write the GGUF of a PEFT LoRA; of the base model's folder only configuration and tokenizer are read.

    Raises ConversionFailed with the converter's last lines.
    """
    _convert("convert_lora_to_gguf.py", str(adapter), "--base", str(base), "--outtype", outtype, out=out)


def _convert(script: str, *arguments: str, out: Path) -> None:
    folder = source()
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(folder / "gguf-py")}
    command = [sys.executable, str(folder / script), *arguments, "--outfile", str(out)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode or not out.is_file():
        out.unlink(missing_ok=True)
        raise ConversionFailed(step=script, path=arguments[0], reason=_last_lines(done.stderr))


def quantize(source_gguf: Path, out: Path, kind: str, threads: int | None = None) -> list[str]:
    """Quantize a 16- or 32-bit GGUF as `kind`, one of QUANTIZATIONS but F16.

    Returns the tensors whose rows are no multiple of 256, which K-quants cannot hold: llama.cpp gives them a
    larger format (Q5_0, Q8_0) instead. Raises ConversionFailed.
    """
    import llama_cpp
    from llama_cpp._logger import set_verbose

    set_verbose(False)
    options = llama_cpp.llama_model_quantize_default_params()
    options.nthread = threads or os.cpu_count() or 1
    options.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{kind}")
    paths = str(source_gguf).encode(), str(out).encode()
    if llama_cpp.llama_model_quantize(*paths, options) or not out.is_file():
        out.unlink(missing_ok=True)
        raise ConversionFailed(
            step=f"quantization {kind}", path=source_gguf.name, reason="see the lines above"
        )
    return _odd_tensors(out) if "_K" in kind else []


def _odd_tensors(path: Path) -> list[str]:
    from gguf import GGUFReader

    tensors = GGUFReader(path).tensors
    return [t.name for t in tensors if len(t.shape) > 1 and int(t.shape[0]) % 256]


def _last_lines(text: str, count: int = 8) -> str:
    return "\n".join(text.strip().splitlines()[-count:])
