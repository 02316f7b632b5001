"""Articles as documents whose questions are usable: used by `python -m train prepare questions`.

The cleaned questions and answers of SQuAD-format contexts, and the items of readings, each with the sentence that decides it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from index.passages import sentences
from space.question_checks import CORRECTION
from space.question_grammar import ANSWER_WORDS, WRONG_WORDS
from space.question_list import Item, ShortAnswer, Statement
from train.audit import Audit
from train.clean import paragraphs, plain_text
from train.corpus import Corpus, Document
from train.question_repair import choose_answer, find_span, is_english, judge_question, tidy
from train.readings import SUFFIXES, Article, Asked, Context, read_articles
from train.split import words
from train.statements import Change, changed, inner_names

SAME = 0.6  # share of words from which two questions with one answer ask the same


@dataclass(frozen=True)
class Anchored:
    """An item and the sentence of the text that decides it."""

    item: Item
    evidence: str


@dataclass
class ReadingDocument(Document):
    """An article. A section is one context, what is asked about it is found again by the sentence that decides it."""

    level: str = ""
    anchored: list[Anchored] = field(default_factory=list)


def read_documents(corpus: Corpus) -> list[ReadingDocument]:
    """One document an article, a section per context; the same title in several files is one article.

    Raises NothingToRead and BadFile.
    """
    by_title: dict[str, ReadingDocument] = {}
    seen: dict[str, _Seen] = {}
    for article in corpus.each(read_articles, SUFFIXES):
        document = by_title.setdefault(
            " ".join(words(article.title)),
            ReadingDocument(article.source, article.title, article.source, level=article.level),
        )
        _add(document, article, seen, corpus.audit)
    return [document for document in by_title.values() if document.sections]


@dataclass(frozen=True)
class _Seen:
    """The document that has a context, and what was asked about it by its words (without an answer where unusable)."""

    document: ReadingDocument
    asked: dict[str, ShortAnswer] = field(default_factory=dict)


def _add(document: ReadingDocument, article: Article, seen: dict[str, _Seen], audit: Audit) -> None:
    """Adds the article's contexts and what is asked about them; of a context met before only the new questions."""
    for context in article.contexts:
        plain = plain_text(context.text, audit, article.title)
        raw = paragraphs(plain, audit, article.title)
        section = [tidy(paragraph) for paragraph in raw]
        audit.repaired(
            "texts: marks of machine translation (“Levi 's”, “; El”)", article.title, int(section != raw)
        )
        text = "\n\n".join(section)
        key = " ".join(words(text))
        if not key or is_english(text):
            audit.dropped("texts: in English" if key else "texts: empty", text)
            continue
        if key in seen:
            audit.kept("texts met again, only their new questions added", text)
        else:
            document.sections = [*document.sections, section]
            seen[key] = _Seen(document)
        owner = seen[key].document
        owner.anchored.extend(_asked(context, section, seen[key].asked, audit))
        owner.anchored.extend(_written(context, text, audit))


def _asked(
    context: Context, section: list[str], known: dict[str, ShortAnswer], audit: Audit
) -> Iterator[Anchored]:
    """The usable ones of a SQuAD context's questions; `known` are those met before about this context, by their words."""
    for asked in context.asked:
        key = " ".join(words(asked.question))
        if asked.impossible:
            audit.dropped("questions: the text does not answer them (v2.0)", asked.question)
        elif key in known:
            audit.dropped("questions: the same again about the same text", asked.question)
        else:
            item, reason = _item(asked, "\n\n".join(section), known.values())
            known[key] = item
            if item.answer:
                audit.repaired(
                    f"questions: {reason}", f"{asked.question} → {item.question}", int(bool(reason))
                )
                yield Anchored(item, _sentence_of(section, item))
            else:
                audit.dropped(
                    f"questions: {reason}", f"{asked.question} {' | '.join(filter(None, asked.answers))}"
                )


def _item(asked: Asked, text: str, known: Iterable[ShortAnswer]) -> tuple[ShortAnswer, str]:
    """The item and what was repaired; without an answer where it cannot be used, and the reason."""
    judged = judge_question(tidy(asked.question))
    if not judged.question:
        return ShortAnswer(asked.question, ""), judged.reason
    answer, reason = choose_answer(judged.question, [tidy(answer) for answer in asked.answers], text)
    if answer and _same_in_other_words(judged.question, answer, known):
        answer, reason = "", "the same in other words"
    return ShortAnswer(judged.question, answer), judged.reason if answer else reason


def _written(context: Context, text: str, audit: Audit) -> Iterator[Anchored]:
    for written in context.written:
        evidence = " ".join(written.evidence.split())
        if evidence not in text:
            audit.dropped("questions: their evidence is not in the text", f"{evidence}")
            continue
        item = written.item
        if isinstance(item, ShortAnswer):
            item = ShortAnswer(item.question, _inside(item.answer, text))
        elif item.correction:
            correction = _correction(item, text)
            if not correction:
                audit.dropped(
                    "statements: their correction is not one expression of the text for another",
                    f"{item.text} → {item.correction}",
                )
                continue
            item = Statement(item.text, False, correction)
        yield Anchored(item, evidence)


def _correction(item: Statement, text: str) -> str:
    """What is wrong in a false statement and what the text has in its place, in the words in which the Space has a model write it
    (space/question_grammar.py); "" where that cannot be said."""
    if CORRECTION.fullmatch(item.correction):
        return item.correction
    change = changed(item.text, item.correction)
    if not change or len(change.new.split()) > WRONG_WORDS or len(change.old.split()) > ANSWER_WORDS:
        return ""
    place = find_span(text, change.old, ignore_case=True)
    return Change(text[slice(*place)], change.new).correction if place else ""


def _inside(answer: str, text: str) -> str:
    """An answer as it stands after a colon: no full stop, a small letter unless its first word is a name in the text."""
    name = answer.split()[0].strip(".,;:") in inner_names(text)
    return (answer if name else answer[:1].lower() + answer[1:]).rstrip(".")


def _sentence_of(section: list[str], item: ShortAnswer) -> str:
    """The sentence with the answer that shares most words with the question (the offsets of translated sets are not to be
    relied on), or the paragraph when a sentence end divides the answer."""
    asked = set(words(item.question))
    found = [s.strip() for paragraph in section for s in sentences(paragraph) if find_span(s, item.answer)]
    if found:
        return max(found, key=lambda sentence: len(asked & set(words(sentence))))
    return next(
        (paragraph for paragraph in section if find_span(paragraph, item.answer)), "\n\n".join(section)
    )


def _same_in_other_words(question: str, answer: str, known: Iterable[ShortAnswer]) -> bool:
    """Whether a known question has the same answer and most of the same words."""
    mine = set(words(question))
    for item in known:
        theirs = set(words(item.question))
        if item.answer == answer and len(mine & theirs) >= SAME * len(mine | theirs):
            return True
    return False
