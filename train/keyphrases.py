"""Topics of texts by TF-IDF over noun phrases: used by `python -m train prepare` where no metadata gives topics.

Spanish without a tagger: a word counts as a noun by the company it keeps in the corpus (articles and prepositions
before it, hardly ever "no", "se" or "que"), as a verb by that and by its ending. Phrases: noun; noun + one or two
adjectives or nouns; noun + "de"/"del"/"de la…" + noun. Scores: scikit-learn's TF-IDF with sublinear term frequency,
phrases weighing more than single words. Deterministic; 8 million words take about 15 s on one core.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from train.processes import AUTOMATIC, Processes
from train.tokens import Chunk, Tokens

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
_INFINITIVE = re.compile(r"[aei]r$")
_PARTICIPLE = re.compile(r"[aií]d[oa]s?$")
_FIXED, _SWALLOWED = 3, 0.5  # a longer phrase met so often takes the place of parts it makes this share of
_PHRASE_WEIGHT = 1.6
_MANY, _COMMON = 20, 0.3  # from so many texts on, a phrase in this share of them is no topic
_LARGE, _RARE = 200, 2  # from so many texts on, a phrase must be in so many of them
_NAME_WEIGHT = 0.6  # a first name or a town alone says little
_SURE_PROPER = 0.6  # share of capitals inside sentences above which a word is a name


@cache
def stop_words() -> frozenset[str]:
    """Words that neither start nor end a topic (train/stopwords_es.txt)."""
    lines = (Path(__file__).parent / "stopwords_es.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


class Keyphrases:
    """Topics of each of `texts`, relative to all of them; `exclude` are names whose words no topic may hold."""

    def __init__(
        self, texts: Iterable[str], exclude: Collection[str] = (), processes: Processes = AUTOMATIC
    ) -> None:
        self._exclude = {word.lower() for name in exclude for word in name.split() if len(word) > 3}
        self._tokens = Tokens(texts, processes)
        self._found = _Occurrences(self._tokens, *self._classify())
        self._scores: Any = self._found.scores(self._tokens.number) if self._found.phrases else None

    def topics(self, number: int = 3) -> list[list[str]]:
        """For each text its `number` best phrases (fewer where it has fewer), as they are mostly written."""
        if self._scores is None:
            return [[] for _ in range(self._tokens.number)]
        chosen = [self._best(row, number) for row in range(self._tokens.number)]
        written = self._found.written({column for row in chosen for column in row})
        return [[written[column] for column in row] for row in chosen]

    def _best(self, row: int, number: int) -> list[int]:
        """Columns of the best phrases of a text, no two with a word in common."""
        import numpy as np

        start, end = self._scores.indptr[row], self._scores.indptr[row + 1]
        columns = self._scores.indices[start:end]
        order = np.lexsort((columns, -self._scores.data[start:end]))
        result: list[int] = []
        used: set[str] = set()
        for column in columns[order].tolist():
            stems = {
                _stem(word) for word in self._found.phrases[column].split() if word not in _LINKS | _ARTICLES
            }
            if not stems & used:
                result.append(column)
                used |= stems
            if len(result) == number:
                break
        return result

    def _classify(self) -> tuple[set[str], set[str], set[str]]:
        """Words that can be nouns, words that can follow one in a phrase, and words that are names."""
        total, counts = self._tokens.company(_DETERMINERS, _PREPOSITIONS, _BEFORE_VERBS)
        after = dict(zip(("noun", "weak", "verb", "capital"), counts, strict=True))
        words = {word for word in total if self._may_be_topic(word)}
        names = {word for word in words if after["capital"][word] >= _SURE_PROPER * total[word]}
        nouns = {word for word in words if word in names or _is_noun(word, total[word], after)}
        modifiers = {word for word in words if word in names or _is_modifier(word, total[word], after)}
        return nouns, modifiers, names

    def _may_be_topic(self, word: str) -> bool:
        plain = len(word) > 2 and word[0].isalpha() and not any(c.isdigit() for c in word)
        return plain and word not in stop_words() and word not in self._exclude


class _Occurrences:
    """Every occurrence of every candidate phrase; `phrases` are the distinct ones in lower case, by column."""

    def __init__(self, tokens: Tokens, nouns: set[str], modifiers: set[str], names: set[str]) -> None:
        import numpy as np

        self._tokens, self._names = tokens, names
        patterns = _Patterns(tokens, nouns, modifiers)
        self._found = [
            patterns.find(chunk) for chunk in tokens.chunks
        ]  # positions, lengths, columns of the chunk
        own = [keys for _, _, _, keys in self._found]
        distinct, columns = np.unique(np.concatenate([*own, np.zeros(0, "V16")]), return_inverse=True)
        parts = distinct.view(np.int32).reshape(-1, 4).tolist()
        self.phrases = [" ".join(tokens.words[part - 1] for part in row if part) for row in parts]
        self._columns = np.split(columns.astype(np.int32), np.cumsum([len(keys) for keys in own])[:-1])

    def _occurrences(self) -> Iterator[tuple[Chunk, Any, Any, Any]]:
        """Of each chunk the positions, lengths and columns of its occurrences."""
        for chunk, (at, length, column, _), columns in zip(
            self._tokens.chunks, self._found, self._columns, strict=True
        ):
            yield chunk, at, length, columns[column]

    def scores(self, texts: int) -> Any:
        """A sparse matrix (texts, phrases) of weighted TF-IDF; phrases in too few or too many texts are left out."""
        import numpy as np
        from sklearn.feature_extraction.text import TfidfTransformer

        counts, times = self._counts()
        frequency = np.bincount(counts.indices, minlength=len(self.phrases))
        allowed = frequency >= (_RARE if texts >= _LARGE else 1)
        if texts >= _MANY:
            allowed &= frequency <= _COMMON * texts
        allowed &= self._worth(times, texts)
        counts.data *= allowed[counts.indices]
        counts.eliminate_zeros()
        weights = np.array([self._weight(phrase) for phrase in self.phrases]) * allowed
        scores = TfidfTransformer(sublinear_tf=True, norm=None).fit_transform(counts)
        scores.data *= weights[scores.indices]
        scores.eliminate_zeros()
        return scores

    def _counts(self) -> tuple[Any, Any]:
        """How often each phrase is in each text, sparse (texts, phrases), and in all texts."""
        import numpy as np
        from scipy.sparse import csr_matrix, vstack  # type: ignore[import-untyped]

        parts = []
        for chunk, at, _, columns in self._occurrences():
            rows = chunk.texts_at(at) - chunk.first
            shape = (len(chunk.ends), len(self.phrases))
            part = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)
            part.sum_duplicates()
            parts.append(part)
        counts = vstack(parts, format="csr")
        times = np.bincount(counts.indices, weights=counts.data, minlength=len(self.phrases))
        return counts, times.astype(np.int64)

    def _worth(self, times: Any, texts: int) -> Any:
        """Which phrases occur often enough for what they are, and not mostly as a part of a longer one."""
        import numpy as np

        words = [phrase.split() for phrase in self.phrases]
        least = [_least_times(parts) if texts >= _MANY else 1 for parts in words]
        worth = times >= np.array(least)
        frequent = {self.phrases[i]: i for i in np.flatnonzero(times >= _FIXED).tolist()}
        for column in frequent.values():
            parts = words[column]
            for length in range(2, len(parts)):
                for part in (" ".join(parts[:length]), " ".join(parts[-length:])):
                    inside = frequent.get(part)
                    if inside is not None and times[column] >= _SWALLOWED * times[inside]:
                        worth[inside] = False
        return worth

    def written(self, columns: set[int]) -> dict[int, str]:
        """How each phrase is mostly written; the capital of a sentence's first word does not count."""
        import numpy as np

        wanted = np.zeros(len(self.phrases), dtype=bool)
        wanted[list(columns)] = True
        seen: dict[int, Counter[str]] = {column: Counter() for column in columns}
        for chunk, at, length, own in self._occurrences():
            chosen = wanted[own]
            at, length, own = at[chosen], length[chosen], own[chosen]
            starts = self._tokens.starts(chunk)[at]
            rows = np.column_stack([own, starts, length, _window(chunk.written, at, length)])
            distinct, times = np.unique(rows, axis=0, return_counts=True)
            for (column, start, size, *forms), number in zip(distinct.tolist(), times.tolist(), strict=True):
                text = " ".join(self._tokens.forms[form - 1] for form in forms[:size])
                if start and not text[1:2].isupper():
                    seen[column][text[0].lower() + text[1:]] += 0
                else:
                    seen[column][text] += number
        return {column: _most_frequent(counter, self.phrases[column]) for column, counter in seen.items()}

    def _weight(self, phrase: str) -> float:
        if " " in phrase:
            return _PHRASE_WEIGHT
        return _NAME_WEIGHT if phrase in self._names else 1.0


class _Patterns:
    """Where tokens are shaped like a topic."""

    def __init__(self, tokens: Tokens, nouns: set[str], modifiers: set[str]) -> None:
        self._tokens = tokens
        self._tables = [tokens.among(words) for words in (nouns, modifiers, _LINKS, ("de",), _ARTICLES)]

    def find(self, chunk: Chunk) -> tuple[Any, Any, Any, Any]:
        """Position, length and column of each occurrence in the chunk; and of each column the phrase: up to four numbers of
        lower-case forms, from 1, as 16 bytes."""
        import numpy as np

        lower = self._tokens.lower(chunk)
        n, m, link, de, article = (table[lower] for table in self._tables)
        one, two, three = (np.roll(n, -k) for k in (1, 2, 3))
        starts = [
            (1, n),
            (2, n & np.roll(m, -1)),
            (3, n & one & np.roll(m, -1) & np.roll(m, -2)),
            (3, n & np.roll(link, -1) & two),
            (4, n & np.roll(m, -1) & np.roll(link, -2) & three),
            (4, n & np.roll(de, -1) & np.roll(article, -2) & three),
        ]
        at = np.concatenate([np.flatnonzero(mask) for _, mask in starts]).astype(np.int32)
        length = np.concatenate([np.full(int(mask.sum()), length, np.int8) for length, mask in starts])
        keys = _window(lower, at, length)
        distinct, column = np.unique(keys.view("V16").ravel(), return_inverse=True)
        return at, length, column.astype(np.int32), distinct


def _window(numbers: Any, at: Any, length: Any) -> Any:
    """`length` numbers from each position, raised by one, and zeros behind them; int32 (positions, 4)."""
    import numpy as np

    rows = np.zeros((len(at), 4), dtype=np.int32)
    for k in range(4):
        inside = length > k
        rows[inside, k] = numbers[at[inside] + k] + 1
    return rows


def _least_times(words: list[str]) -> int:
    """Occurrences in the corpus that make a phrase more than a chance meeting of words."""
    if len(words) == 1:
        return 1
    return 4 if _PARTICIPLE.search(words[-1]) else 2


def _most_frequent(forms: Counter[str], phrase: str) -> str:
    number, form = max((number, form) for form, number in forms.items())
    return phrase if number == 0 or (form.isupper() and " " in form) else form


@cache
def _stemmer() -> Any:
    import Stemmer

    return Stemmer.Stemmer("spanish")


def _stem(word: str) -> str:
    return str(_stemmer().stemWord(word))


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
    if _INFINITIVE.search(word) and after["weak"][word] / total > 0.3:  # "a garantizar", but not "militar"
        return False
    return after["verb"][word] / total <= 0.12
