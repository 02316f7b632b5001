"""The index's command line: `python -m index {build,search,evaluate,embedder} ...`.

Errors a person can act on are printed as `error: ...` with exit code 2.
"""

from __future__ import annotations

import argparse
import importlib
import sys

from index.errors import OradorError

_COMMANDS = {
    "build": ("index.build", "cut documents into passages, embed them, write an index"),
    "search": ("index.query", "print the passages that answer a query, with their scores"),
    "evaluate": ("index.evaluate", "recall, MRR and latency of an embedder on a SQuAD-format file"),
    "embedder": ("index.train_embedder", "train a small static embedder from scratch"),
}


def main(argv: list[str] | None = None) -> int:
    """Runs a command and returns its exit code."""
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(prog="python -m index", description=(__doc__ or "").split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (module, summary) in _COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary)
        if argv[:1] == [name]:
            importlib.import_module(module).add_arguments(command)
    args = parser.parse_args(argv)
    try:
        importlib.import_module(_COMMANDS[args.command][0]).run(args)
    except OradorError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
