"""Pushes the Space itself: app.py and what it imports, with ORADOR_BUNDLE set to a published bundle.

    python -m train publish BUNDLE --repo me/charlas --space me/charlas

The embedded bundle stays behind: the Space pulls the published one. Its README.md, with the settings of the Space in
its front matter, is the project's own.
"""

from __future__ import annotations

from pathlib import Path

from train.errors import BundlePartInvalid
from train.hub_commit import Commit, Content, create_repo, named_errors, push

ROOT = Path(__file__).parents[1]
FILES = ("README.md", "app.py", "requirements.txt", "LICENSE")
PACKAGES = ("space", "index")


def push_space(space: str, reference: str, private: bool, root: Path = ROOT) -> Commit:
    """Creates the Space if need be, sets ORADOR_BUNDLE to `reference`, commits the code. Raises as `push`.

    A Gradio Space on the Hub's free CPU needs a paid account to create: SpaceNeedsPlan says so.
    """
    from huggingface_hub import HfApi

    commit = Commit(space, "space")
    files = space_files(root)
    api = HfApi()
    with named_errors(space):
        create_repo(api, commit, private)
        api.add_space_variable(
            space, "ORADOR_BUNDLE", reference
        )  # before the code, so that its first start has it
    return push(commit, files, private)


def space_files(root: Path) -> dict[str, Content]:
    """What the Space needs of a checkout in `root`."""
    for name in FILES:
        if not (root / name).is_file():
            raise BundlePartInvalid(
                path=root / name, reason="the Space needs it; run from a checkout of Orador"
            )
    files: dict[str, Content] = {name: root / name for name in FILES}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*")):
            inside = path.relative_to(root)
            if (
                path.is_file()
                and "__pycache__" not in inside.parts
                and inside.parts[:2] != ("space", "bundle")
            ):
                files[inside.as_posix()] = path
    return files
