"""Grammars (GBNF) that hold what a model writes to the lines of `space/question_list.py`.

    Request(messages, grammar=short_answers(text, number=3))

Exactly the wished number of items, numbered in order; lines of a bounded number of words, so that a small model cannot run on.
An answer, and what is right in a false statement, is a stretch of the text within one sentence, of at most ANSWER_WORDS words: it is in
the text by construction. `pytest tests/test_question_grammar.py` compares them with what `format_questions` writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from index.passages import paragraphs, sentences
from space.question_list import ANSWER, FALSE, TRUE

QUESTION_WORDS = (2, 28)
"""Words after the one that asks."""
STATEMENT_WORDS = (4, 35)
ANSWER_WORDS = 12
WRONG_WORDS = 6
"""Words of what a false statement says wrongly."""
WORD_LETTERS = 24

ASKS = "qué quién quiénes cuál cuáles cómo dónde adónde cuándo cuánto cuánta cuántos cuántas".split()  # noqa: SIM905
BEFORE_ASKING = "a ante bajo cerca con contra de desde durante en entre hace hacia hasta junto para partir por según sin sobre tras".split()  # noqa: SIM905
"""Up to four of these words may stand before the one that asks: "¿Desde hace cuánto …"."""

_MARKS = r"\x00-@\x5b-`\x7b-\xa9\xab-\xaf\xb1\xb4\xb6-\xb8\xbb\xbf\u1680\u2000-\u203f\u2041-\u209f\u20d0-\u20ff\u2190-\u2bff\u3000-\u303f\ufe00-\uffff"
_SMALL = "a-záéíóúüñ"
_EDGES = "«»\"“”‘’'()[]{}¿?¡!.,;:…—–-"
_WORD = re.compile(r"\S+")
_OPENING, _CLOSING = re.compile(r"[(\[\"«“‘]$"), re.compile(r"[)\]\"»”’]")


def short_answers(text: str, number: int, first: int = 1) -> str:
    """`number` questions with their answers out of `text`, numbered from `first`; from the second on after a line break."""
    low, high = QUESTION_WORDS
    items = (f"item{n}" for n in range(first, first + number))
    lines = [
        f"root ::= {_begin(first)} {_literal(chr(10)).join(f' {item} ' for item in items)}",
        *(f'item{n} ::= "{n}. " question "\\n{ANSWER} " span' for n in range(first, first + number)),
        f'question ::= "¿" asking ","? (" " word){{{low - 1},{high - 1}}} " " bare "?"',
        f'asking ::= {_either(ASKS, capital=True)} | opening (" " before){{0,3}} " " asks',
        f"asks ::= {_either(ASKS)}",
        f"opening ::= {_either(BEFORE_ASKING, capital=True)}",
        f"before ::= {_either(BEFORE_ASKING)}",
        *_words(),
        *_spans(text),
    ]
    return "\n".join(lines)


def statements(text: str, number: int, least_true: int, least_false: int, first: int = 1) -> str:
    """`number` statements with their solutions, at least so many of them true and so many false, in any order.

    ValueError when `least_true` and `least_false` are more than `number`.
    """
    if least_true + least_false > number:
        raise ValueError(f"{least_true} true and {least_false} false are more than {number}")
    low, high = STATEMENT_WORDS
    lines = [
        f"root ::= {_begin(first)} after0x0",
        *_orders(number, number - least_false, number - least_true, first),
        f'true ::= "\\n{TRUE}"',
        f'false ::= "\\n{FALSE}: no es «" (word " "){{0,{WRONG_WORDS - 1}}} bare "», sino «" span "»"',
        f'statement ::= first (" " word){{{low - 2},{high - 2}}} " " bare "."',
        f"first ::= ([^{_MARKS}{_SMALL}] letter{{0,{WORD_LETTERS - 1}}} | figure) [,]?",
        *_words(),
        *_spans(text),
    ]
    return "\n".join(lines)


def span_words(text: str) -> list[list[str]]:
    """The words of each sentence of `text`, as the answers may be made of them."""
    return [
        words
        for paragraph in paragraphs(text)
        for line in paragraph.split("\n")
        for sentence in sentences(line)
        if (words := _WORD.findall(sentence))
    ]


def core(word: str) -> str:
    """A word without the marks around it."""
    return word.strip(_EDGES)


def _orders(number: int, most_true: int, most_false: int, first: int) -> Iterator[str]:
    """A rule for each count of true and false statements so far: what may come next."""
    for true in range(most_true + 1):
        for false in range(min(most_false, number - 1 - true) + 1):
            ways = []
            for name, after in (("true", (true + 1, false)), ("false", (true, false + 1))):
                if after[0] > most_true or after[1] > most_false:
                    continue
                rest = "" if sum(after) == number else f' "\\n" after{after[0]}x{after[1]}'
                ways.append(name + rest)
            yield f'after{true}x{false} ::= "{first + true + false}. " statement ({" | ".join(ways)})'


def _begin(first: int) -> str:
    return '" "? "\\n"' if first > 1 else '" "?'


def _either(words: list[str], capital: bool = False) -> str:
    return " | ".join(_literal(word.capitalize() if capital else word) for word in words)


def _words() -> Iterator[str]:
    """The rule `word`: letters and figures, with a mark between them, in brackets or quotes, or before a comma."""
    yield "word ::= bare [,;:]?"
    yield """bare ::= [("“]? (run ([-.'’/] (run | figure))? | figure (run | [-–/] figure)?) ([%°)"”] | " %")?"""
    yield "figure ::= [0-9]{1,4} ([.,] [0-9]{1,3}){0,3}"
    yield f"run ::= letter{{1,{WORD_LETTERS}}}"
    yield f"letter ::= [^{_MARKS}]"


def _spans(text: str) -> Iterator[str]:
    """The rule `span`: any stretch of words of a sentence, with or without the brackets and quotes at its ends, without other
    marks there, its first letter in either case.

    Beginnings are grouped by their first letter, so that llama.cpp follows some dozens of them at a time, not all.
    """
    groups: dict[str, dict[str, None]] = {}
    rules: dict[str, str] = {}
    for place, words in enumerate(span_words(text)):
        for n, word in enumerate(words):
            if not (inner := core(word)):
                continue
            rest = _tail(words, n, inner)
            begun = f"{_literal(inner[1:])} {_follow(place, words, n, rest, ANSWER_WORDS, rules)}"
            for letter in {inner[0], inner[0].lower(), inner[0].upper()}:
                if len(letter) == 1:
                    groups.setdefault(letter, {})[begun.strip()] = None
            if opening := _OPENING.search(word[: word.index(inner)]):
                groups.setdefault(opening[0], {})[f"{_literal(inner[0])} {begun}".strip()] = None
    yield "span ::= " + " | ".join(f"{_literal(letter)} from{n}" for n, letter in enumerate(groups))
    for n, begins in enumerate(groups.values()):
        yield f"from{n} ::= " + " | ".join(begins)
    for name, body in rules.items():
        yield f"{name} ::= {body}"


def _follow(place: int, words: list[str], n: int, rest: str, left: int, rules: dict[str, str]) -> str:
    """What may follow the core of word `n`: nothing, its bracket or quote, or its last marks and up to `left` - 1 words."""
    closing = _CLOSING.match(rest)
    end = [_literal(closing[0])] if closing else []
    following = next((i for i in range(n + 1, len(words)) if core(words[i])), None)
    if left == 1 or following is None:
        return f"{end[0]}?" if end else ""
    name = f"w{place}x{following}x{left - 1}"
    if name not in rules:
        between = "".join(f" {word}" for word in words[n + 1 : following]) + " "
        word = words[following]
        inner = core(word)
        before = word[: word.index(inner)]
        tail = _follow(place, words, following, _tail(words, following, inner), left - 1, rules)
        rules[name] = f"{_literal(rest + between + before + inner)} {tail}".strip()
    return f"({' | '.join([name, *end])})?"


def _tail(words: list[str], n: int, inner: str) -> str:
    word = words[n]
    return word[word.index(inner) + len(inner) :]


@cache
def _literal(text: str) -> str:
    """`text` as a GBNF string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
