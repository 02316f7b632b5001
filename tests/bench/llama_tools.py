"""Builds llama-server and llama-bench from the source of the llama-cpp-python that is pinned, for the comparisons.

    python -m tests.bench.llama_tools

Needs cmake and a C++ compiler, and ten minutes on two cores, once; the two programs are kept in .cache/. The source comes as for
the export (train/llamacpp.py: through pip, with its hash checked); the build itself fetches nothing.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from train import llamacpp

PROGRAMS = ("llama-server", "llama-bench")
LAST_LINES = 25
SOURCE = re.compile(r"vendor/llama\.cpp/.+")
OPTIONS = {
    "CMAKE_BUILD_TYPE": "Release",
    "GGML_NATIVE": "ON",
    "BUILD_SHARED_LIBS": "OFF",
    "LLAMA_OPENSSL": "OFF",
    "LLAMA_BUILD_TESTS": "OFF",
    "LLAMA_BUILD_EXAMPLES": "OFF",
    "LLAMA_BUILD_APP": "OFF",
    "LLAMA_BUILD_UI": "OFF",
    "LLAMA_USE_PREBUILT_UI": "OFF",  # else it is fetched from the internet
}


class ToolsMissing(RuntimeError):
    """What the build wants and the machine has not, or why it failed."""


@dataclass(frozen=True)
class Tools:
    """The programs' paths."""

    server: Path
    bench: Path


def folder(cache: Path = llamacpp.CACHE) -> Path:
    return cache / f"llama-tools-{llamacpp.pinned_version()}"


def built(cache: Path = llamacpp.CACHE) -> Tools:
    """The programs, which must have been built. Raises ToolsMissing."""
    tools = Tools(*(folder(cache) / program for program in PROGRAMS))
    if not (tools.server.is_file() and tools.bench.is_file()):
        raise ToolsMissing(
            "llama-server and llama-bench are not built yet. Run: python -m tests.bench.llama_tools"
        )
    return tools


def build(cache: Path = llamacpp.CACHE) -> Tools:
    """The programs, built when they are absent. Raises ToolsMissing, SourceUnavailable, SourceMismatch."""
    try:
        return built(cache)
    except ToolsMissing:
        check_compilers()
    version = llamacpp.pinned_version()
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        source = Path(scratch) / "source"
        archive = llamacpp.download(version, Path(scratch))
        llamacpp.unpack(archive, llamacpp.HASHES[version], source, needed=SOURCE)
        made = compile_programs(source, Path(scratch) / "build")
        folder(cache).mkdir(exist_ok=True)
        for program in made:
            shutil.move(program, folder(cache) / program.name)
    return built(cache)


def check_compilers() -> None:
    """Raises ToolsMissing where cmake or a C++ compiler is absent."""
    compiler = os.environ.get("CXX") or next(filter(shutil.which, ("c++", "g++", "clang++")), "")
    wanted = {"cmake": shutil.which("cmake"), "a C++ compiler (g++ or clang++)": shutil.which(compiler)}
    if missing := [name for name, path in wanted.items() if not path]:
        raise ToolsMissing(
            f"llama.cpp's programs cannot be built without {' and '.join(missing)}. "
            "On Debian and Ubuntu: apt install cmake g++"
        )


def compile_programs(source: Path, target: Path) -> list[Path]:
    """Builds llama.cpp's tree `source` in `target`. Raises ToolsMissing with the last lines of the failed step."""
    options = [f"-D{name}={value}" for name, value in OPTIONS.items()]
    _run("cmake", "-S", str(source), "-B", str(target), *options)
    _run("cmake", "--build", str(target), "--parallel", str(os.cpu_count() or 2), "--target", *PROGRAMS)
    return [target / "bin" / program for program in PROGRAMS]


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines()[-LAST_LINES:]
        raise ToolsMissing("\n".join([f"{' '.join(command[:2])} failed:", *lines]))


if __name__ == "__main__":
    tools = build()
    print(tools.server, tools.bench, sep="\n")
