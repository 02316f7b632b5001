"""Lists the recipes: `python -m train recipes`."""

from __future__ import annotations

import argparse

from train.recipes import available


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options."""


def run(_args: argparse.Namespace) -> None:
    """Prints each recipe's name, version and first line."""
    for name, recipe in available().items():
        print(f"{name:12} v{recipe.VERSION}  {(recipe.__doc__ or '').splitlines()[0]}")
