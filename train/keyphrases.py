"""Topics of texts by TF-IDF over noun phrases: used by `python -m train prepare` where no metadata gives topics.

Spanish without a tagger: a word counts as a noun by the company it keeps in the corpus (articles and prepositions
before it, hardly ever "no", "se" or "que"), as a verb by that and by its ending. Phrases: noun; noun + adjective or noun;
noun + "de"/"del"/"de la…" + noun. Scores: scikit-learn's TfidfVectorizer (sublinear term frequency), phrases weighing
more than single words. Deterministic.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

_TOKEN = re.compile(r"\w+(?:[-’]\w+)*|[^\w\s]")
_DETERMINERS = frozenset(
    "el la los las un una unos unas del al mi mis tu tus su sus nuestro nuestra nuestros nuestras este esta estos estas ese esa esos esas "  # noqa: SIM905
    "aquel aquella aquellos aquellas cada cualquier algún alguna algunos algunas ningún ninguna otro otra otros otras mucho mucha muchos muchas "
    "poco poca pocos pocas más tanto tanta dos tres cuatro cinco".split()
)
_PREPOSITIONS = frozenset("de con sin por en sobre contra entre a para y".split())  # noqa: SIM905
_BEFORE_VERBS = frozenset(
    "no se me te nos le les que lo yo él ella ellos ellas usted ustedes ya también siempre nunca quien donde cuando si".split()  # noqa: SIM905
)
_LINKS = frozenset(("de", "del"))
_ARTICLES = frozenset(("la", "las", "los", "el"))
_SENTENCE_END = frozenset('.!?…:¿¡"«“‘(—-')
_VERB_ENDING = re.compile(
    r"(?:amos|emos|imos|aron|ieron|eron|aba|aban|ábamos|íamos|ando|iendo|yendo|ándose|iéndose|[aei]r(?:me|te|se|lo|la|los|las|le|les|nos|selo|sela)|"
    r"ó|é|í|ías|ían|arán|erán|irán|ará|erá|irá|aría|ería|iría|arían|erían|irían|aremos|eremos|iremos|ase|ese|aras|ieran|iera|iese|mente|ísimo|ísima|ísimos|ísimas)$"
)
_NOUN_DESPITE = re.compile(
    r"(?:mando|bando|contrabando|fernando|orlando|dividendo|remos|café|té|bebé|comité|josé|ciudadanía|mayoría|batería|galería|enfermería|ingeniería|panadería|alegría|ese|interese)$"
)
_UNSURE_ENDING = re.compile(
    r"(?:[aei]r|[aei]d[oa]s?|to|ta)$"
)  # infinitives and participles, many of them nouns too
_PHRASE_WEIGHT = 1.6
_NAME_WEIGHT = 0.6  # a first name or a town alone says little
_SURE_PROPER = 0.6  # share of capitals inside sentences above which a word is a name


@cache
def stop_words() -> frozenset[str]:
    """Words that neither start nor end a topic (train/stopwords_es.txt)."""
    lines = (Path(__file__).parent / "stopwords_es.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


class Keyphrases:
    """Topics of each of `texts`, relative to all of them; `exclude` are words no topic may hold (the speaker's name)."""

    def __init__(self, texts: Sequence[str], exclude: Collection[str] = ()) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._texts = texts
        self._exclude = {word.lower() for name in exclude for word in name.split() if len(word) > 3}
        self._nouns, self._modifiers, self._names = self._classify()
        large, many = len(texts) >= 200, len(texts) >= 20
        vectorizer = TfidfVectorizer(
            analyzer=lambda text: [phrase for phrase, _ in self._candidates(text)],
            sublinear_tf=True,
            norm=None,
            min_df=2 if large else 1,
            max_df=0.3 if many else 1.0,
        )
        try:
            self._scores: Any = vectorizer.fit_transform(texts)
            self._phrases = vectorizer.get_feature_names_out()
        except ValueError:  # no candidate in any text
            self._scores, self._phrases = None, []

    def topics(self, number: int = 3) -> list[list[str]]:
        """For each text its `number` best phrases (fewer where it has fewer), as they are mostly written."""
        chosen = [self._best(row, number) for row in range(len(self._texts))]
        surfaces = self._surfaces({phrase for row in chosen for phrase in row})
        return [[surfaces[phrase] for phrase in row] for row in chosen]

    def _best(self, row: int, number: int) -> list[str]:
        import Stemmer

        if self._scores is None:
            return []
        stem = Stemmer.Stemmer("spanish").stemWord
        start, end = self._scores.indptr[row], self._scores.indptr[row + 1]
        scored = [
            (-score * self._weight(phrase), phrase)
            for score, phrase in zip(
                self._scores.data[start:end].tolist(),
                (self._phrases[i] for i in self._scores.indices[start:end]),
                strict=True,
            )
        ]
        result: list[str] = []
        used: set[str] = set()
        for _, phrase in sorted(scored):
            stems = {stem(word) for word in phrase.split() if word not in _LINKS | _ARTICLES}
            if not stems & used:
                result.append(phrase)
                used |= stems
            if len(result) == number:
                break
        return result

    def _weight(self, phrase: str) -> float:
        if " " in phrase:
            return _PHRASE_WEIGHT
        return _NAME_WEIGHT if phrase in self._names else 1.0

    def _classify(self) -> tuple[set[str], set[str], set[str]]:
        total: Counter[str] = Counter()
        after: dict[str, Counter[str]] = {
            "noun": Counter(),
            "weak": Counter(),
            "verb": Counter(),
            "capital": Counter(),
        }
        for text in self._texts:
            previous = "."
            for token in _TOKEN.findall(text):
                word = token.lower()
                if word[0].isalpha():
                    total[word] += 1
                    if previous in _DETERMINERS:
                        after["noun"][word] += 1
                    elif previous in _PREPOSITIONS:
                        after["weak"][word] += 1
                    elif previous in _BEFORE_VERBS:
                        after["verb"][word] += 1
                    if token[0].isupper() and previous not in _SENTENCE_END:
                        after["capital"][word] += 1
                previous = word
        words = {word for word in total if self._may_be_topic(word)}
        names = {word for word in words if after["capital"][word] >= _SURE_PROPER * total[word]}
        nouns = {word for word in words if word in names or _is_noun(word, total[word], after)}
        modifiers = {word for word in words if word in names or _is_modifier(word, total[word], after)}
        return nouns, modifiers, names

    def _may_be_topic(self, word: str) -> bool:
        return (
            len(word) > 2
            and word not in stop_words()
            and word not in self._exclude
            and not any(c.isdigit() for c in word)
        )

    def _candidates(self, text: str) -> Iterator[tuple[str, tuple[int, int]]]:
        """(phrase in lower case, its start and end in the text), in order, with repetitions."""
        tokens = [(m.group().lower(), m.start(), m.end()) for m in _TOKEN.finditer(text)]
        tokens.extend([("", 0, 0)] * 3)
        nouns, modifiers = self._nouns, self._modifiers
        for i in range(len(tokens) - 3):
            first = tokens[i][0]
            if first not in nouns:
                continue
            yield first, tokens[i][1:]
            second, third, fourth = tokens[i + 1][0], tokens[i + 2][0], tokens[i + 3][0]
            if second in modifiers:
                yield f"{first} {second}", (tokens[i][1], tokens[i + 1][2])
                if third in modifiers and second in nouns:
                    yield f"{first} {second} {third}", (tokens[i][1], tokens[i + 2][2])
            elif second in _LINKS and third in nouns:
                yield f"{first} {second} {third}", (tokens[i][1], tokens[i + 2][2])
            elif second == "de" and third in _ARTICLES and fourth in nouns:
                yield f"{first} {second} {third} {fourth}", (tokens[i][1], tokens[i + 3][2])

    def _surfaces(self, wanted: set[str]) -> dict[str, str]:
        """How each wanted phrase is mostly written; the capital of a sentence's first word does not count."""
        seen: dict[str, Counter[str]] = {phrase: Counter() for phrase in wanted}
        for text in self._texts:
            for phrase, (start, end) in self._candidates(text):
                if phrase in seen:
                    written = " ".join(text[start:end].split())
                    before = (
                        text[:start].rstrip()[-1:]
                        if start < 3
                        else text[max(0, start - 3) : start].rstrip()[-1:]
                    )
                    if (
                        (not before or before in _SENTENCE_END)
                        and written[0].isupper()
                        and not written[1:2].isupper()
                    ):
                        seen[phrase][written[0].lower() + written[1:]] += 0
                    else:
                        seen[phrase][written] += 1
        return {phrase: _most_frequent(counter.items(), phrase) for phrase, counter in seen.items()}


def _most_frequent(forms: Iterable[tuple[str, int]], default: str) -> str:
    best = max(((count, form) for form, count in forms), default=(0, default))
    form = best[1]
    return (
        form if unicodedata.is_normalized("NFC", form) and not (form.isupper() and " " in form) else default
    )


def _is_noun(word: str, total: int, after: dict[str, Counter[str]]) -> bool:
    noun, weak, verb = (after[kind][word] / total for kind in ("noun", "weak", "verb"))
    if _VERB_ENDING.search(word) and not _NOUN_DESPITE.search(word) and noun < 0.6:
        return False
    if verb > 0.15:
        return False
    if _UNSURE_ENDING.search(word):
        return noun >= 0.4 and total > 1
    return noun >= 0.3 or (noun > 0 and noun + weak >= 0.5)


def _is_modifier(word: str, total: int, after: dict[str, Counter[str]]) -> bool:
    if _VERB_ENDING.search(word) and not _NOUN_DESPITE.search(word):
        return False
    return after["verb"][word] / total <= 0.12
