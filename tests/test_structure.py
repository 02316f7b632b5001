"""The shape of the project: which layer may import which, and that the README's tree is the tree."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "app": {"app", "space", "index"},
    "space": {"space", "index"},
    "index": {"index"},
    "train": {"train", "space", "index"},
}
HEAVY = {"torch", "transformers", "sentence_transformers", "peft", "trl", "datasets", "bitsandbytes", "train"}


def project_imports(path: Path) -> set[str]:
    """The project's packages that a module imports, wherever in the file."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    return names & set(MAY_IMPORT)


@pytest.mark.parametrize("layer", MAY_IMPORT)
def test_imports_point_one_way(layer: str) -> None:
    files = [ROOT / "app.py"] if layer == "app" else sorted((ROOT / layer).rglob("*.py"))
    assert files
    wrong = {str(f.relative_to(ROOT)): project_imports(f) - MAY_IMPORT[layer] for f in files}
    assert {f: names for f, names in wrong.items() if names} == {}


@pytest.mark.parametrize(
    "module", ["app", "index.search", "space.tabs", "space.engine", "space.hub", "space.bundle"]
)
def test_serving_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_space_installs_no_torch() -> None:
    names = {
        re.split(r"[=<>\[ ]", line)[0].lower()
        for line in (ROOT / "requirements.txt").read_text().splitlines()
    }
    assert not names & {name.replace("_", "-") for name in HEAVY}


def test_readme_tree_matches_the_files() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    block = re.search(r"<!-- tree -->\n```\n(.*?)```", readme, re.DOTALL)
    assert block, "README.md has no tree between <!-- tree --> and the end of its code block"
    listed = {line.split()[0].rstrip("/") for line in block[1].splitlines() if line.strip()}
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    # top-level entries, and the modules of the three packages
    present = {name.split("/")[0] for name in tracked if name and not name.startswith(".")}
    present |= {
        n
        for n in tracked
        if re.fullmatch(r"(space|index|train)/\w+\.py", n) and not n.endswith("__init__.py")
    }
    assert listed == present
