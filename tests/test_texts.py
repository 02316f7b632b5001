"""What train/texts promises of its talks, plain texts, readings, chats and conferences: whole front matters, no span twice, topics and
answers that stand in the text, lengths, few words."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from index.documents import Document, read_documents
from index.passages import paragraphs, sentences
from tests.bench.samples import STRANGERS

TEXTS = Path(__file__).parents[1] / "train" / "texts"
KEYS = ("speaker", "field", "country", "topics")
TALKS, SUBJECTS = 5595, 192
QUESTIONS = {"short": 2435, True: 2637, False: 2638}
PLAIN_MESSAGES, PLAIN_CONFERENCES = 16103, 788
MESSAGES = {"Lucía Ferreyra": 6274, "Irene Paz": 3889, "Visita": 6084, "Andrés Gil": 3889}


def talks(name: str) -> list[Document]:
    return read_documents(TEXTS / name)


def readings(folder: str) -> list[dict[str, Any]]:
    return [r for path in sorted((TEXTS / folder).iterdir()) for r in json.loads(path.read_text("utf-8"))]


def spoken(text: str) -> str:
    """The words of a text alone."""
    return " ".join(re.findall(r"\w+", text.lower()))


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
        ("plain_texts", ["title", "field", "topics", "text"], 5305, (95, 185)),
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
        title, text, low = row["title"], row["text"], row["text"].lower()
        assert list(row) == keys, title
        assert lengths[0] <= len(text.split()) <= lengths[1], title
        said = [sentence for paragraph in paragraphs(text) for sentence in sentences(paragraph)]
        assert max(len(sentence.split()) for sentence in said) <= 18, title
        assert re.search(r"[.?!»]$", text), title
        assert not re.search(r"\d", text), title
        topics = [re.sub(r"^(el|la|los|las|un|una|mi|mis) ", "", topic) for topic in row["topics"]]
        assert 1 <= len(topics) <= 3, title
        assert all(topic in low for topic in topics), title
        assert topics[0] in low.split("\n\n")[0], title
        words.update(re.findall(r"\w+", low))
    # 3,000 forms are nine words of ten: what makes the texts easy to learn from.
    assert sum(count for _, count in words.most_common(3000)) / words.total() > 0.9


def test_plain_talks_say_the_same_plain_things_of_a_subject_many_times() -> None:
    rows = [
        json.loads(line)
        for path in sorted((TEXTS / "plain_talks").iterdir())
        for line in path.open(encoding="utf-8")
    ]
    assert len(rows) == TALKS
    words: Counter[str] = Counter()
    seen: set[tuple[str, ...]] = set()
    for row in rows:
        title, text = row["title"], row["text"]
        assert list(row) == ["title", "speaker", "field", "topics", "text"], title
        parts = text.lower().split("\n\n")
        noun = re.sub(r"^(el|la|los|las) ", "", row["topics"][0])
        assert [noun in part for part in parts] == [True] * 4, title
        said = [sentence for part in parts for sentence in sentences(part)]
        assert max(len(sentence.split()) for sentence in said) <= 16, title
        assert 85 <= len(text.split()) <= 135, title
        assert "gracias" in said[-1], title
        assert not re.search(r"\d", text), title
        row_words = spoken(text).split()
        spans = {tuple(row_words[n : n + 12]) for n in range(len(row_words) - 11)}
        assert not spans & seen, title
        seen |= spans
        words.update(row_words)
    subjects = Counter(row["topics"][0] for row in rows)
    assert len(subjects) == SUBJECTS
    assert 8 <= min(subjects.values()) <= max(subjects.values()) <= 32
    # 1,000 forms are nine words of ten.
    assert sum(count for _, count in words.most_common(1000)) / words.total() > 0.9


@pytest.mark.parametrize(
    ("folder", "number", "each", "true"),
    [
        ("short_readings", 350, 4, {2}),
        ("close_readings", 880, 4, {2}),
        ("plain_readings", 1040, 3, {0, 1, 2, 3}),
    ],
)
def test_readings_bear_out_their_questions(folder: str, number: int, each: int, true: set[int]) -> None:
    found = readings(folder)
    assert len(found) == number
    assert max(Counter(reading["title"] for reading in found).values()) == 1
    false = sum(item.get("answer") is False for reading in found for item in reading["questions"])
    assert 0.45 < false / (number * each) < 0.55
    for reading in found:
        items = reading["questions"]
        assert [item["type"] for item in items] == ["short"] * each + ["true_false"] * each, reading["title"]
        assert sum(item["answer"] is True for item in items) in true, reading["title"]
        text = " ".join(reading["text"].split())
        for item in items:
            assert item["evidence"] in text, item
            if item["type"] == "short":
                assert item["answer"].rstrip(".").lower() in item["evidence"].lower(), item


def test_close_readings_ask_in_the_words_of_the_text() -> None:
    asked, elsewhere = 0, 0
    for reading in readings("close_readings"):
        for item in reading["questions"]:
            if item["type"] == "true_false":
                assert spoken(item.get("correction", item["statement"])) in spoken(reading["text"]), item
                continue
            words = [word for word in spoken(item["question"]).split()[1:] if len(word) > 3]
            asked += len(words)
            elsewhere += sum(word not in spoken(item["evidence"]).split() for word in words)
    # Nine words in ten of a question stand in the sentence that answers it.
    assert elsewhere / asked < 0.1


def test_plain_questions_name_how_a_sentence_begins_and_are_answered_by_how_it_goes_on() -> None:
    """«¿Qué hizo Teófilo?», «¿Dónde está el pozo?»; a false statement is a sentence with one word exchanged."""
    found = Counter()
    for reading in readings("plain_questions"):
        for item in reading["questions"]:
            evidence = spoken(item["evidence"])
            assert item["evidence"] in " ".join(reading["text"].split()), item
            if item["type"] == "short":
                asked = re.fullmatch(r"(qué|quién|dónde|cuánto|cómo se) \w+ (.+)", spoken(item["question"]))
                assert evidence.startswith(asked[2]), item
                assert evidence.endswith(spoken(item["answer"])), item
                found["short"] += 1
            else:
                words = spoken(item["statement"]).split()
                changed = sum(one != other for one, other in zip(words, evidence.split(), strict=True))
                assert changed == (not item["answer"]), item
                found[item["answer"]] += 1
    assert found == QUESTIONS


def test_simple_chats_are_short_and_without_figures() -> None:
    said: dict[str, list[str]] = defaultdict(list)
    for path in (TEXTS / "simple_chats").glob("*/*.txt"):
        for line in path.read_text("utf-8").splitlines()[1:]:
            _, author, message = re.fullmatch(r"([^-]+) - ([^:]+): (.+)", line).groups()
            said[author].append(message)
    assert {author: len(messages) for author, messages in said.items()} == MESSAGES
    for persona in ("Lucía Ferreyra", "Irene Paz"):
        for message in said[persona]:
            assert len(message.split()) <= 26, message
            assert not re.search(r"\d", message), message
            assert message.endswith((".", "?", "!", "»", "…")), message


def test_plain_chats_take_turns_and_answer_in_few_words() -> None:
    said: Counter[str] = Counter()
    answers: Counter[str] = Counter()
    for path in (TEXTS / "plain_chats").glob("*.txt"):
        for line in path.read_text("utf-8").splitlines()[1:]:
            _, author, message = re.fullmatch(r"([^-]+) - ([^:]+): (.+)", line).groups()
            said[author] += 1
            if author != "Visita":
                assert len(message.split()) <= 16, message
                assert message.endswith((".", "?", "!")), message
                assert message.count("¿") == message.count("?"), message
                answers[message] += 1
            assert not re.search(r"\d|http", message), message
    assert said == {"Visita": PLAIN_MESSAGES, "Lucía Ferreyra": PLAIN_MESSAGES}
    # The same answers come back.
    assert sum(count for _, count in answers.most_common(400)) / PLAIN_MESSAGES > 0.3


def test_the_strangers_of_the_samples_say_what_was_not_learnt() -> None:
    lines = [
        line
        for path in (TEXTS / "plain_chats").glob("*.txt")
        for line in path.read_text("utf-8").splitlines()
    ]
    learnt = {spoken(line.partition("Visita: ")[2]) for line in lines}
    messages = [spoken(message) for visit in STRANGERS for message in visit]
    assert "hola cómo estás" in learnt
    assert sum(message in learnt for message in messages) / len(messages) < 0.25


def test_plain_conferences_name_their_subject_in_every_turn() -> None:
    paths = sorted((TEXTS / "plain_conferences").iterdir())
    assert len(paths) == PLAIN_CONFERENCES
    for path in paths:
        (title, *_), *turns = (part.split("\n") for part in path.read_text("utf-8").strip().split("\n---\n"))
        subject = re.fullmatch(r"Conferencia de prensa sobre (?:(?:el|la|los|las) )?(.+)", title)[1].lower()
        hers = [" ".join(lines) for label, *lines in turns if label.endswith("ROSARIO QUIÑONES BELTRÁN")]
        assert (len(turns), len(hers)) == (5, 3), path.name
        assert all(55 <= len(turn.split()) <= 95 for turn in hers), path.name
        assert all(turn.lower().count(subject) >= 2 for turn in hers), path.name
        assert not any(re.search(r"\d", " ".join(lines)) for _, *lines in turns), path.name
        assert max(len(sentence.split()) for turn in hers for sentence in sentences(turn)) <= 17, path.name


def test_simple_conferences_are_short_and_about_their_subject() -> None:
    paths = sorted((TEXTS / "simple_conferences").iterdir())
    assert len(paths) == 216
    for path in paths:
        (title, *_), *turns = (part.split("\n") for part in path.read_text("utf-8").strip().split("\n---\n"))
        subject = re.fullmatch(r"Conferencia de prensa sobre (?:(?:el|la|los|las) )?(.+)", title)[1]
        hers = [" ".join(lines) for label, *lines in turns if label.endswith("ROSARIO QUIÑONES BELTRÁN")]
        assert (len(turns), len(hers)) == (7, 4), path.name
        assert all(45 <= len(turn.split()) <= 165 for turn in hers), path.name
        assert subject.lower().split()[0][:5] in hers[0].lower(), path.name
        assert not any(re.search(r"\d", " ".join(lines)) for _, *lines in turns), path.name
        assert max(len(sentence.split()) for turn in hers for sentence in sentences(turn)) <= 20, path.name
