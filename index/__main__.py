"""The index's command line: `python -m index {build,search,evaluate,embedder} ...`.

Errors a person can act on are printed as `error: ...` with exit code 2.
"""

from __future__ import annotations

import sys

from index.commands import run_command

_COMMANDS = {
    "build": ("index.build", "cut documents into passages, embed them, write an index"),
    "search": ("index.query", "print the passages that answer a query, with their scores"),
    "evaluate": ("index.evaluate", "recall, MRR and latency of an embedder on a SQuAD-format file"),
    "embedder": ("index.train_embedder", "train a small static embedder from scratch"),
}


def main(argv: list[str] | None = None) -> int:
    """Runs a command and returns its exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    return run_command("python -m index", "Build an index, search it, measure it.", _COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main())
