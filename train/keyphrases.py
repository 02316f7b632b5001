"""Topics of texts by TF-IDF over noun phrases: used by `python -m train prepare` where no metadata gives topics.

Spanish without a tagger: a word counts as a noun by the company it keeps in the corpus (articles and prepositions
before it, hardly ever "no", "se" or "que"), as a verb by that and by its ending. Phrases: noun; noun + one or two
adjectives or nouns; noun + "de"/"del"/"de la…" + noun. Scores: scikit-learn's TF-IDF with sublinear term frequency,
phrases weighing more than single words. Deterministic; 8 million words take about 15 s on one core.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from functools import cache
from itertools import pairwise
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
_INFINITIVE = re.compile(r"[aei]r$")
_PARTICIPLE = re.compile(r"[aií]d[oa]s?$")
_FIXED, _SWALLOWED = 3, 0.5  # a longer phrase met so often takes the place of parts it makes this share of
_PHRASE_WEIGHT = 1.6
_GAP = 4  # tokens between texts, more than a phrase has after its first
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

    def __init__(self, texts: Sequence[str], exclude: Collection[str] = ()) -> None:
        self._exclude = {word.lower() for name in exclude for word in name.split() if len(word) > 3}
        self._tokens = _Tokens(texts)
        self._found = _Occurrences(self._tokens, *self._classify())
        self._scores: Any = self._found.scores(len(texts)) if self._found.phrases else None

    def topics(self, number: int = 3) -> list[list[str]]:
        """For each text its `number` best phrases (fewer where it has fewer), as they are mostly written."""
        if self._scores is None:
            return [[] for _ in range(self._tokens.texts)]
        chosen = [self._best(row, number) for row in range(self._tokens.texts)]
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
        total, after = self._tokens.company()
        words = {word for word in total if self._may_be_topic(word)}
        names = {word for word in words if after["capital"][word] >= _SURE_PROPER * total[word]}
        nouns = {word for word in words if word in names or _is_noun(word, total[word], after)}
        modifiers = {word for word in words if word in names or _is_modifier(word, total[word], after)}
        return nouns, modifiers, names

    def _may_be_topic(self, word: str) -> bool:
        plain = len(word) > 2 and word[0].isalpha() and not any(c.isdigit() for c in word)
        return plain and word not in stop_words() and word not in self._exclude


class _Tokens:
    """The tokens of all texts as numbers: `written` as they stand, `lower` in lower case, `text` the text of each."""

    def __init__(self, texts: Sequence[str]) -> None:
        import numpy as np

        forms: defaultdict[str, int] = defaultdict()
        forms.default_factory = forms.__len__
        stream, ends = array("i"), array("q")
        for text in texts:
            stream.extend(map(forms.__getitem__, _TOKEN.findall(text)))
            stream.extend([forms["."]] * _GAP)  # no phrase reaches into the next text
            ends.append(len(stream))
        self.texts = len(texts)
        self.forms = list(forms)
        lower: defaultdict[str, int] = defaultdict()
        lower.default_factory = lower.__len__
        lower_of = np.array([lower[form.lower()] for form in self.forms], dtype=np.int64)
        self.words = list(lower)
        self.written = np.frombuffer(stream, dtype=np.int32) if stream else np.zeros(0, dtype=np.int32)
        self.lower = lower_of[self.written]
        self.text = np.repeat(np.arange(len(texts)), [b - a for a, b in pairwise([0, *ends])])

    def mask(self, words: Collection[str], base: Any = None) -> Any:
        """Whether each token (of `base`, or of all) is one of `words`, in lower case."""
        import numpy as np

        table = np.fromiter((word in words for word in self.words), dtype=bool, count=len(self.words))
        return table[self.lower if base is None else base]

    def starts(self) -> Any:
        """Whether each token is the first of a sentence."""
        import numpy as np

        ends = self.mask(_SENTENCE_END)
        return np.concatenate(([True], ends[:-1])) if len(ends) else ends

    def company(self) -> tuple[dict[str, int], dict[str, Counter[str]]]:
        """How often each word occurs, and how often after what tells nouns from verbs, or with a capital inside a sentence."""
        import numpy as np

        previous = np.roll(self.lower, 1)
        noun, weak, verb = (
            self.mask(words, previous) for words in (_DETERMINERS, _PREPOSITIONS, _BEFORE_VERBS)
        )
        capital = (
            np.array([form[0].isupper() for form in self.forms], dtype=bool)[self.written] & ~self.starts()
        )
        masks = {"noun": noun, "weak": weak & ~noun, "verb": verb & ~noun & ~weak, "capital": capital}

        def count(tokens: Any) -> Counter[str]:
            numbers = np.bincount(tokens, minlength=len(self.words)).tolist()
            return Counter({word: number for word, number in zip(self.words, numbers, strict=True) if number})

        return dict(count(self.lower)), {kind: count(self.lower[mask]) for kind, mask in masks.items()}


class _Occurrences:
    """Every occurrence of every candidate phrase; `phrases` are the distinct ones in lower case, by column."""

    def __init__(self, tokens: _Tokens, nouns: set[str], modifiers: set[str], names: set[str]) -> None:
        import numpy as np

        self._tokens, self._names = tokens, names
        n, m = tokens.mask(nouns), tokens.mask(modifiers)
        link, de, article = (tokens.mask(words) for words in (_LINKS, ("de",), _ARTICLES))
        one, two, three = (np.roll(n, -k) for k in (1, 2, 3))
        starts = [
            (1, n),
            (2, n & np.roll(m, -1)),
            (3, n & one & np.roll(m, -1) & np.roll(m, -2)),
            (3, n & np.roll(link, -1) & two),
            (4, n & np.roll(m, -1) & np.roll(link, -2) & three),
            (4, n & np.roll(de, -1) & np.roll(article, -2) & three),
        ]
        self._at = np.concatenate([np.flatnonzero(mask) for _, mask in starts])
        self._length = np.concatenate([np.full(int(mask.sum()), length) for length, mask in starts])
        keys = np.zeros((len(self._at), 4), dtype=np.int32)
        for k in range(4):
            inside = self._length > k
            keys[inside, k] = tokens.lower[self._at[inside] + k] + 1
        distinct, self._column = np.unique(keys.view("V16").ravel(), return_inverse=True)
        parts = distinct.view(np.int32).reshape(-1, 4).tolist()
        self.phrases = [" ".join(tokens.words[part - 1] for part in row if part) for row in parts]

    def scores(self, texts: int) -> Any:
        """A sparse matrix (texts, phrases) of weighted TF-IDF; phrases in too few or too many texts are left out."""
        import numpy as np
        from scipy.sparse import csr_matrix  # type: ignore[import-untyped]
        from sklearn.feature_extraction.text import TfidfTransformer

        rows = self._tokens.text[self._at]
        counts = csr_matrix((np.ones(len(rows)), (rows, self._column)), shape=(texts, len(self.phrases)))
        counts.sum_duplicates()
        frequency = np.bincount(counts.indices, minlength=len(self.phrases))
        allowed = frequency >= (_RARE if texts >= _LARGE else 1)
        if texts >= _MANY:
            allowed &= frequency <= _COMMON * texts
        allowed &= self._worth(np.bincount(self._column, minlength=len(self.phrases)), texts)
        weights = np.array([self._weight(phrase) for phrase in self.phrases]) * allowed
        scores = (
            TfidfTransformer(sublinear_tf=True, norm=None).fit_transform(counts).multiply(weights).tocsr()
        )
        scores.eliminate_zeros()
        return scores

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
        chosen = np.flatnonzero(wanted[self._column])
        forms, starts = self._tokens.forms, self._tokens.starts()
        seen: dict[int, Counter[str]] = {column: Counter() for column in columns}
        for i in chosen.tolist():
            at, column = self._at[i], int(self._column[i])
            text = " ".join(forms[form] for form in self._tokens.written[at : at + self._length[i]].tolist())
            if starts[at] and not text[1:2].isupper():
                seen[column][text[0].lower() + text[1:]] += 0
            else:
                seen[column][text] += 1
        return {column: _most_frequent(counter, self.phrases[column]) for column, counter in seen.items()}

    def _weight(self, phrase: str) -> float:
        if " " in phrase:
            return _PHRASE_WEIGHT
        return _NAME_WEIGHT if phrase in self._names else 1.0


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
