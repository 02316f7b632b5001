"""Question sets from conference transcripts: `python -m tests.bench.amlo_pairs PAIRS.jsonl TRANSCRIPTS --out DIR`.

PAIRS.jsonl holds pointers (path, date, q_turn, a_turn, question) into the folder that TRANSCRIPTS contains. Writes, in SQuAD
format, `until-2022.json` (for training) and `2023.json` (held out): question → the whole answer that followed it.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

_HELD_OUT_FROM = "2023"


def turns(text: str) -> list[str]:
    """The turns of a transcript (separated by a line `---`), each without its speaker's label; header excluded."""
    return [part.strip().partition("\n")[2].strip() for part in re.split(r"^---\s*$", text, flags=re.M)[1:]]


def convert(pairs: Path, transcripts: Path) -> dict[str, list[dict[str, Any]]]:
    """SQuAD paragraphs by set name."""
    sets: dict[str, list[dict[str, Any]]] = {"until-2022": [], "2023": []}
    cache: dict[str, list[str]] = {}
    for line in pairs.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["path"] not in cache:
            cache = {row["path"]: turns((transcripts / row["path"]).read_text(encoding="utf-8"))}
        answer = cache[row["path"]][row["a_turn"]]
        name = "2023" if row["date"] >= _HELD_OUT_FROM else "until-2022"
        sets[name].append({"context": answer, "qas": [{"question": row["question"]}]})
    return sets


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("transcripts", type=Path, help="the folder that holds the paths named in PAIRS")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for name, paragraphs in convert(args.pairs, args.transcripts).items():
        data = {"data": [{"title": name, "paragraphs": paragraphs}]}
        (args.out / f"{name}.json").write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
        print(f"{name}: {len(paragraphs)} questions")


if __name__ == "__main__":
    main()
