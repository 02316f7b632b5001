"""Command line of the training side: `python -m train COMMAND --help`.

A command is a module of this package with `add_arguments(parser)` and `run(args)`; its heavy libraries are
imported when it runs, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
import importlib
import sys

from index.errors import OradorError

COMMANDS = {
    "recipes": ("train.recipes.listing", "list the kinds of corpus that can be prepared"),
    "prepare": ("train.prepare", "turn a corpus into training examples, by a recipe"),
    "ground": ("train.ground", "add conversations with retrieved passages to prepared speeches"),
    "sft": ("train.sft", "fine-tune a base model with LoRA on prepared examples"),
    "export": ("train.export", "convert base and adapter to GGUF and quantize"),
    "export-embedder": ("train.embedder_gguf", "convert a sentence-transformers model to GGUF"),
    "bundle": ("train.bundle", "assemble what a Space needs to serve"),
    "publish": ("train.publish", "push adapter, GGUF and index to the Hugging Face Hub"),
    "pretrain": ("train.pretrain", "pre-train a small Spanish base model from texts"),
}


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit status (2 for an error the user can act on)."""
    arguments = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(prog="python -m train", description="Train a generator and publish it.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, summary) in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary)
        if arguments[:1] == [name]:
            importlib.import_module(module).add_arguments(command)
    args = parser.parse_args(arguments)
    try:
        importlib.import_module(COMMANDS[args.command][0]).run(args)
    except OradorError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
