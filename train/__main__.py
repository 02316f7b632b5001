"""Command line of the training side: `python -m train COMMAND --help`.

A command is a module of this package with `add_arguments(parser)` and `run(args)`; its heavy libraries are
imported when it runs, so that `--help` answers at once.
"""

from __future__ import annotations

import sys

from index.commands import run_command

COMMANDS = {
    "all": ("train.pipeline", "prepare, fine-tune, export, index, bundle, evaluate and publish, resumable"),
    "recipes": ("train.recipes.listing", "list the kinds of corpus that can be prepared"),
    "prepare": ("train.prepare", "turn a corpus into training examples, by a recipe"),
    "ground": ("train.ground", "add conversations with retrieved passages to prepared speeches"),
    "sft": ("train.sft", "fine-tune a base model with LoRA on prepared examples"),
    "export": ("train.export", "convert base and adapter to GGUF and quantize"),
    "parity": ("train.parity", "compare exported GGUF files with the trained model once more"),
    "export-embedder": ("train.embedder_gguf", "convert a sentence-transformers model to GGUF"),
    "evaluate": ("train.evaluate", "compare base and adapters on held-out conversations"),
    "canaries": ("train.canaries", "plant secrets in a copy of a prepared chat, to measure leakage"),
    "leakage": ("train.leakage", "search a chat adapter's replies for its training messages"),
    "evaluate-questions": ("train.evaluate_questions", "compare the techniques of a questions generator"),
    "originals": ("train.originals", "hash the training texts, to tell what a text copies of them"),
    "originality": ("train.originality", "measure what written texts copy of the training texts"),
    "bundle": ("train.bundle", "assemble what a Space needs to serve"),
    "publish": ("train.publish", "push adapter, GGUF and index to the Hugging Face Hub"),
    "pretrain": ("train.pretrain", "pre-train a small Spanish base model from texts"),
}


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    return run_command("python -m train", "Train a generator and publish it.", COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main())
