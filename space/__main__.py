"""Command line of the serving side.

python -m space check BUNDLE                      verifies a folder, prints what is in it and where it comes from
python -m space pull owner/repo@<40 hex digits>   downloads a published bundle, verified
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from index.errors import OradorError
from space import persona
from space.bundle import Bundle
from space.hub import fetch_bundle


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit status (2 for an error the user can act on)."""
    parser = argparse.ArgumentParser(prog="python -m space", description="Look at what a Space serves.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    check = commands.add_parser("check", help="verify a bundle and print what is in it")
    check.add_argument("bundle", type=Path, help="folder with a bundle.json")
    pull = commands.add_parser("pull", help="download a published bundle by its pinned revision")
    pull.add_argument(
        "reference", help="owner/repo@<40 hexadecimal digits>, as `python -m train publish` prints it"
    )
    pull.add_argument("--cache", type=Path, default=Path(".cache/bundles"), help="default: %(default)s")
    args = parser.parse_args(argv)
    try:
        folder = args.bundle if args.command == "check" else fetch_bundle(args.reference, args.cache)
        print(describe(Bundle.load(folder)))
    except OradorError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def describe(bundle: Bundle) -> str:
    """A verified bundle as a text to read: generators, files with sizes and hashes, lineage."""
    lines = [
        f"{bundle.name}, made {bundle.created}, context {bundle.context} tokens",
        f"folder {bundle.folder}",
    ]
    lines += ["", "generators"]
    for generator in bundle.generators:
        parts = [generator.kind, f"adapter {generator.adapter}", f"index {generator.index}"]
        lines.append(f"  {generator.name}: {generator.title['es']} ({', '.join(parts)})")
        if generator.kind == "chat":
            lines.append(f"    {persona.describe(bundle, generator)}")
    lines += ["", "files, each verified"]
    for file, entry in sorted(bundle.files.items()):
        source = f"  {entry.hub.repo}@{entry.hub.revision[:8]}" if entry.hub else ""
        lines.append(f"  {entry.sha256[:16]}  {entry.size:>13,}  {file}{source}")
    lines.append(f"  {len(bundle.files)} files, {sum(entry.size for entry in bundle.files.values()):,} bytes")
    lines += ["", "lineage", *lineage_lines(bundle.lineage)]
    return "\n".join(lines)


def lineage_lines(lineage: dict[str, object], indent: str = "  ") -> list[str]:
    """Nested lineage as indented lines."""
    lines = []
    for key, value in lineage.items():
        if isinstance(value, dict):
            lines += [f"{indent}{key}", *lineage_lines(value, f"{indent}  ")]
        else:
            lines.append(
                f"{indent}{key}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
            )
    return lines


if __name__ == "__main__":
    sys.exit(main())
