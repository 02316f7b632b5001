"""What train/texts promises of its talks, plain texts and short readings: whole front matters, no title and no span twice, topics and
answers that stand in the text, lengths."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from index.documents import Document, read_documents

TEXTS = Path(__file__).parents[1] / "train" / "texts"
KEYS = ("speaker", "field", "country", "topics")


def talks(name: str) -> list[Document]:
    return read_documents(TEXTS / name)


def test_every_talk_says_who_speaks_about_what() -> None:
    every = [*talks("talks"), *talks("short_talks")]
    assert len(every) == 64 + 960
    for path in (path for name in ("talks", "short_talks") for path in (TEXTS / name).iterdir()):
        head = path.read_text("utf-8").split("---\n")[1]
        assert [line.split(": ")[0] for line in head.splitlines()] == ["title", *KEYS], path.name
        assert 2 <= len(re.search(r"topics: \[(.+)\]", head)[1].split(", ")) <= 5, path.name
    assert max(Counter(document.title for document in every).values()) == 1


def test_short_talks_are_short_and_said_in_short_sentences() -> None:
    for document in talks("short_talks"):
        assert 230 <= len(document.text.split()) <= 430, document.id
        sentences = re.split(r"(?<=[.?!])\s+", document.text)
        assert max(len(sentence.split()) for sentence in sentences) <= 33, document.id
        assert re.search(r"[.?!»]$", document.text), document.id
        for word in (word for topic in document.topics for word in topic.split() if len(word) > 3):
            assert word[: max(4, len(word) - 2)].lower() in document.text.lower(), f"{document.id}: {word}"


def test_no_long_span_of_a_talk_stands_in_another() -> None:
    """Twelve words in a row, where even a proverb ends."""
    seen: dict[tuple[str, ...], str] = {}
    for document in [*talks("talks"), *talks("short_talks")]:
        words = re.findall(r"\w+", document.text.lower())
        for span in {tuple(words[n : n + 12]) for n in range(len(words) - 11)}:
            assert seen.setdefault(span, document.id) == document.id, " ".join(span)


@pytest.mark.parametrize(
    ("folder", "keys", "number", "lengths"),
    [
        ("plain_texts", ["title", "field", "topics", "text"], 3165, (95, 185)),
        ("two_minute_talks", ["title", "speaker", "field", "topics", "text"], 1590, (105, 205)),
    ],
)
def test_simple_texts_are_short_plain_and_about_their_topics(
    folder: str, keys: list[str], number: int, lengths: tuple[int, int]
) -> None:
    rows = [
        json.loads(line)
        for path in sorted((TEXTS / folder).iterdir())
        for line in path.open(encoding="utf-8")
    ]
    assert len(rows) == number
    assert max(Counter(row["title"] for row in rows).values()) == 1
    words: Counter[str] = Counter()
    for row in rows:
        assert list(row) == keys, row["title"]
        assert lengths[0] <= len(row["text"].split()) <= lengths[1], row["title"]
        assert max(len(sentence.split()) for sentence in re.split(r"(?<=[.?!])\s+", row["text"])) <= 18, row[
            "title"
        ]
        assert re.search(r"[.?!»]$", row["text"]), row["title"]
        assert not re.search(r"\d", row["text"]), row["title"]
        topics = [re.sub(r"^(el|la|los|las|un|una|mi|mis) ", "", topic) for topic in row["topics"]]
        assert 1 <= len(topics) <= 3, row["title"]
        assert all(topic in row["text"].lower() for topic in topics), row["title"]
        assert topics[0] in row["text"].lower().split("\n\n")[0], row["title"]
        words.update(re.findall(r"\w+", row["text"].lower()))
    common = sum(count for _, count in words.most_common(3000))
    assert (
        common / words.total() > 0.9
    )  # 3,000 forms are nine words of ten: what makes them easy to learn from


def test_short_readings_bear_out_their_questions() -> None:
    readings = [
        reading
        for path in sorted((TEXTS / "short_readings").iterdir())
        for reading in json.loads(path.read_text("utf-8"))
    ]
    assert len(readings) == 350
    assert max(Counter(reading["title"] for reading in readings).values()) == 1
    for reading in readings:
        items = reading["questions"]
        assert [item["type"] for item in items] == ["short"] * 4 + ["true_false"] * 4, reading["title"]
        assert sum(item["answer"] is True for item in items) == 2, reading["title"]
        text = " ".join(reading["text"].split())
        for item in items:
            assert item["evidence"] in text, item
            if item["type"] == "short":
                assert item["answer"].rstrip(".").lower() in item["evidence"].lower(), item
