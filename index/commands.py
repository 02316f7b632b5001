"""Commands of a package, each a module with `add_arguments(parser)` and `run(args)`, imported when it is asked for.

Used by `python -m index` and `python -m train`: `--help` answers without the libraries that a command needs.
"""

from __future__ import annotations

import argparse
import importlib
import sys

from index.errors import OradorError

Commands = dict[str, tuple[str, str]]
"""Name → (module, one line of help)."""


def run_command(prog: str, summary: str, commands: Commands, argv: list[str]) -> int:
    """Run the command that `argv` names; returns the exit status (2 for an error the user can act on)."""
    parser = argparse.ArgumentParser(prog=prog, description=summary)
    choices = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, line) in commands.items():
        command = choices.add_parser(name, help=line, description=line)
        if argv[:1] == [name]:
            importlib.import_module(module).add_arguments(command)
    args = parser.parse_args(argv)
    try:
        importlib.import_module(commands[args.command][0]).run(args)
    except OradorError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0
