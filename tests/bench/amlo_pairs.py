"""Question sets from conference transcripts: `python -m tests.bench.amlo_pairs PAIRS.jsonl TRANSCRIPTS --out DIR`.

PAIRS.jsonl holds pointers (path, date, q_turn, a_turn, question) into the folder that TRANSCRIPTS contains. One conference
in ten is held out, by the hash of its path. Writes:

- `held-out.json` and `train.json`: question → the whole answer that followed it, in SQuAD format;
- `turns.json`: of the conferences not held out, every other turn of at least 15 words whose next turn, by another speaker, has
  at least 60, in SQuAD format;
- `documents.jsonl`: the transcripts not held out, one document each, without speakers' labels.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Turn = tuple[str, str]


def turns(text: str) -> list[Turn]:
    """(label, text) of the turns of a transcript, which are separated by a line `---`; the header is left out."""
    parts = (part.strip().partition("\n") for part in re.split(r"^---\s*$", text, flags=re.M)[1:])
    return [(label.strip(), body.strip()) for label, _, body in parts]


def held_out(path: str) -> bool:
    """Whether a conference is for evaluation."""
    return hashlib.sha256(path.encode()).digest()[0] < 26


def squad(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """(question, context) pairs in SQuAD format."""
    return {
        "data": [
            {"title": "turns", "paragraphs": [{"context": c, "qas": [{"question": q}]} for q, c in pairs]}
        ]
    }


def neighbours(spoken: list[Turn], taken: set[int]) -> Iterator[tuple[str, str]]:
    """Consecutive turns that may be question and answer and are not already pairs."""
    for n, (first, second) in enumerate(itertools.pairwise(spoken)):
        long_enough = len(first[1].split()) >= 15 and len(second[1].split()) >= 60
        if long_enough and n not in taken and first[0] != second[0]:
            yield first[1], second[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("transcripts", type=Path, help="the folder that holds the paths named in PAIRS")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    rows: dict[str, list[dict[str, Any]]] = {}
    for line in args.pairs.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        rows.setdefault(row["path"], []).append(row)
    sets: dict[str, list[tuple[str, str]]] = {"held-out": [], "train": [], "turns": []}
    folders = {Path(path).parts[0] for path in rows}
    with (args.out / "documents.jsonl").open("w", encoding="utf-8") as documents:
        for file in sorted(p for folder in folders for p in (args.transcripts / folder).rglob("*.txt")):
            path = file.relative_to(args.transcripts).as_posix()
            spoken = turns(file.read_text(encoding="utf-8"))
            pairs = [(row["question"], spoken[row["a_turn"]][1]) for row in rows.get(path, [])]
            if held_out(path):
                sets["held-out"].extend(pairs)
                continue
            sets["train"].extend(pairs)
            sets["turns"].extend(neighbours(spoken, {row["q_turn"] for row in rows.get(path, [])}))
            text = "\n\n".join(body for _, body in spoken)
            if text.strip():
                documents.write(json.dumps({"id": path, "text": text}, ensure_ascii=False) + "\n")
    for name, pairs in sets.items():
        (args.out / f"{name}.json").write_text(json.dumps(squad(pairs), ensure_ascii=False), encoding="utf-8")
        print(f"{name}: {len(pairs)} questions")


if __name__ == "__main__":
    main()
