"""Command line of the serving side.

python -m space check BUNDLE                      verifies a bundle and prints where every part of it comes from
python -m space pull owner/repo@<40 hex digits>   downloads a published bundle, verified
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from index.errors import OradorError
from space.bundle import Bundle
from space.check import describe, open_parts
from space.hub import fetch_bundle


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit status (2 for an error the user can act on)."""
    parser = argparse.ArgumentParser(prog="python -m space", description="Look at what a Space serves.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    check = commands.add_parser("check", help="verify a bundle and print its lineage")
    check.add_argument("bundle", help="folder with a bundle.json, or owner/repo@<40 hexadecimal digits>")
    pull = commands.add_parser("pull", help="download a published bundle by its pinned revision")
    pull.add_argument(
        "bundle", help="owner/repo@<40 hexadecimal digits>, as `python -m train publish` prints it"
    )
    for command in (check, pull):
        command.add_argument(
            "--cache", type=Path, default=Path(".cache/bundles"), help="default: %(default)s"
        )
    args = parser.parse_args(argv)
    try:
        here = args.command == "check" and Path(args.bundle).is_dir()
        folder = Path(args.bundle) if here else fetch_bundle(args.bundle, args.cache)
        bundle = Bundle.load(folder)
        if args.command == "check":
            open_parts(bundle)
        print(describe(bundle))
    except OradorError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
