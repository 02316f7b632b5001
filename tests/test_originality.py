"""What a text repeats: planted copies are found, our own unrelated texts are not called copies, streaming changes nothing."""

from __future__ import annotations

import random
import unicodedata
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from index.documents import Document, read_documents
from index.passages import sentences
from space.originality import Originality, Tracker
from space.originals import PRIVATE_RANGE, WORDS, Originals, Source, texts_of, words

TALKS = Path(__file__).parents[1] / "train" / "texts" / "talks"


@pytest.fixture(scope="module")
def talks() -> list[Document]:
    return read_documents(TALKS)


def book(documents: list[Document], private: bool = False) -> Originals:
    sources = [Source(document.title, document.source) for document in documents]
    return Originals.of([(n, d.text) for n, d in enumerate(documents)], sources, private=private)


def finding(text: str, originals: Originals | None, *more: object) -> Originality:
    found = Tracker(originals, *more).update(text)  # type: ignore[arg-type]
    assert found is not None
    return found


def disguised(span: str, noise: random.Random) -> str:
    """`span` with other capitals, punctuation, white space and accents."""
    if noise.random() < 0.5:
        span = "".join(c for c in unicodedata.normalize("NFD", span) if not unicodedata.combining(c))
    pieces = [noise.choice([word, word.upper(), word.capitalize()]) for word in words(span)]
    return "".join(piece + noise.choice([" ", ", ", "\n\n", " — ", "… «"]) for piece in pieces)


@pytest.mark.parametrize("private", [False, True])
def test_every_planted_copy_of_12_words_or_more_is_found(talks: list[Document], private: bool) -> None:
    noise = random.Random(7)
    originals = book(talks[:56], private)
    hosts = [words(document.text) for document in talks[56:]]
    assert originals.least_words <= 12
    for n in range(600):
        copied = talks[n % 56]
        theirs, host = words(copied.text), hosts[n % len(hosts)]
        size = noise.randint(12, 40)
        at, place = noise.randrange(len(theirs) - size), noise.randrange(len(host))
        span = " ".join(theirs[at : at + size])
        found = finding(
            f"{' '.join(host[:place])} {disguised(span, noise)} {' '.join(host[place:])}", originals
        )
        assert found.longest >= size
        assert found.copied >= size - WORDS + 1
        assert len(words(found.spans[0].text)) == found.longest
        if not private:
            assert found.spans[0].source == Source(copied.title, copied.source)


@pytest.mark.parametrize("private", [False, True])
def test_our_own_unrelated_texts_are_not_called_copies(talks: list[Document], private: bool) -> None:
    """Each talk against all others, in eight parts: less than 1 % of sentences and of 8-grams."""
    flagged = judged = copied = ngrams = 0
    for part in range(8):
        originals = book([d for n, d in enumerate(talks) if n % 8 != part], private)
        for document in talks[part::8]:
            whole = finding(document.text, originals)
            copied, ngrams = copied + whole.copied, ngrams + whole.ngrams
            found = [Tracker(originals).update(s) for s in sentences(document.text)]
            judged += sum(f is not None for f in found)
            flagged += sum(f is not None and f.copied > 0 for f in found)
    assert judged > 1000
    assert flagged / judged < 0.01
    assert copied / ngrams < 0.01


def test_chance_is_as_rare_as_stated() -> None:
    invented = np.random.default_rng(3)
    vocabulary = [f"palabra{n}" for n in range(3000)]
    texts = [" ".join(invented.choice(vocabulary, 20_000)) for _ in range(2)]
    originals = Originals.of([(0, texts[0])], [Source("")], private=True)
    hashes = originals.hashes([originals.word(word) for word in words(texts[1])])
    rate = float((originals.find(hashes) >= 0).mean())
    assert originals.false_positives == pytest.approx(1 / PRIVATE_RANGE, rel=0.02)
    assert rate == pytest.approx(originals.false_positives, rel=0.25)
    assert finding(texts[1], originals).copied <= 10 * 3  # a run of `least` by chance: 20,000 · 4e-6 expected
    assert originals.false_positives**originals.least <= 1e-5


def test_a_stream_gives_what_the_whole_text_gives(talks: list[Document]) -> None:
    originals = book(talks[:6])
    stolen = " ".join(talks[2].text.split()[30:60])
    text = f"{talks[10].text[:400]} {stolen} {talks[11].text[:300]} café\u0301 caf\u00e9 a_b"
    tracker = Tracker(
        originals, texts_of([(Source("fragmento"), talks[10].text[100:300])]), "Una primera frase."
    )
    text = f"Una primera frase. {text}"
    noise = random.Random(1)
    ends = sorted({len(text), *(noise.randrange(len(text)) for _ in range(150)), *range(480, 520)})
    for end in [*ends, len(text) // 2, len(text) // 2 + 1, 9, len(text)]:
        passages = texts_of([(Source("fragmento"), talks[10].text[100:300])])
        assert tracker.update(text[:end]) == Tracker(originals, passages, "Una primera frase.").update(
            text[:end]
        )
    assert tracker.update(text).longest >= 30  # type: ignore[union-attr]


def test_a_word_that_grows_is_looked_up_again() -> None:
    eight = "uno dos tres cuatro cinco seis siete ocho"
    tracker = Tracker(Originals.of([(0, eight)], [Source("números")]))
    assert tracker.update(eight).copied == 1  # type: ignore[union-attr]
    assert tracker.update(eight + "cientos").copied == 0  # type: ignore[union-attr]
    assert tracker.update(eight + ".").copied == 1  # type: ignore[union-attr]
    assert tracker.update("uno dos tres") is None


def test_the_longest_span_is_named_with_its_words_as_written() -> None:
    learned = "El río baja lento entre los álamos y nadie le pregunta adónde va."
    originals = Originals.of(
        [(0, "Otra cosa distinta."), (1, learned)], [Source("A"), Source("El río", "rio.md")]
    )
    found = finding(
        "Dijo: «el RIO baja\n\nlento entre los alamos, y nadie le pregunta» y calló otra vez.", originals
    )
    assert [(s.words, s.text, s.source) for s in found.spans] == [
        (11, "el RIO baja lento entre los alamos, y nadie le pregunta", Source("El río", "rio.md"))
    ]
    assert (found.ngrams, found.copied, found.verbatim) == (9, 4, False)
    assert found.original == pytest.approx(5 / 9)
    assert finding(learned, originals).verbatim


def test_what_the_visitor_gave_is_not_judged() -> None:
    learned = "uno dos tres cuatro cinco seis siete ocho nueve diez once doce"
    originals = Originals.of([(0, learned)], [Source("números")])
    assert finding(f"{learned} y otra cosa", originals).copied == 5
    assert finding(f"{learned} y otra cosa que nadie había dicho nunca", originals, None, learned).copied == 0
    goes_on = finding(learned, originals, None, "uno dos tres")
    assert goes_on.copied == goes_on.ngrams == 2
    assert goes_on.spans[0].text == "cuatro cinco seis siete ocho nueve diez once doce"
    assert Tracker(originals, None, learned).update(learned) is None


def test_what_stands_in_the_passages_counts_apart() -> None:
    learned = "uno dos tres cuatro cinco seis siete ocho nueve diez once doce"
    other = "el agua corre debajo del puente viejo cada noche de invierno"
    originals = Originals.of([(0, f"{learned}. {other}")], [Source("libro")])
    passages = texts_of([(Source("fragmento"), f"antes {learned} después")])
    found = finding(f"{learned} pero {other} y nada más que decir", originals, passages)
    assert [(s.words, s.source) for s in found.quotes] == [(12, Source("fragmento"))]
    assert [(s.words, s.source) for s in found.spans] == [(11, Source("libro"))]
    assert (found.quoted, found.copied) == (5, 4)
    alone = finding(f"{learned} y nada más", None, passages)
    assert not alone.measured
    assert alone.quoted == 5
    assert Tracker(None).update(learned) is None


def test_only_the_longest_spans_are_kept_but_all_are_counted(talks: list[Document]) -> None:
    pieces = [" ".join(talks[n].text.split()[50 : 62 + n]) for n in range(8)]
    text = " xyz ".join(pieces)
    found = finding(text, book(talks[:8]))
    sizes = [span.words for span in found.spans]
    assert len(sizes) == 5
    assert all(a >= b for a, b in pairwise(sizes))
    assert found.copied >= sum(5 + n for n in range(8))


def test_a_private_book_keeps_nothing_but_numbers(talks: list[Document], tmp_path: Path) -> None:
    originals = book(talks[:4], private=True)
    assert originals.private
    assert originals.sources == ()
    originals.save(tmp_path / "o.bin")
    data = (tmp_path / "o.bin").read_bytes()
    for word in {w for d in talks[:4] for w in words(d.text + d.title) if len(w) > 5}:
        assert word.encode() not in data
    stolen = finding(" ".join(talks[1].text.split()[:40]), Originals.load(tmp_path / "o.bin"))
    assert stolen.spans[0].source is None
    assert stolen.longest >= 40


@pytest.mark.real_data
def test_talks_copy_nothing_from_real_conferences(talks: list[Document], shared_data: Path) -> None:
    """Our talks against the sample of press conferences, and back: under 1 % of 8-grams, and what counts is really there."""
    files = sorted(p for p in (shared_data / "amlo_sample").rglob("*.txt"))
    texts = [path.read_text("utf-8", "replace") for path in files]
    assert sum(map(len, texts)) > 1e6
    originals = Originals.of(list(enumerate(texts)), [Source(path.name) for path in files])
    folded = [" ".join(_folded(text)) for text in texts]
    copied = ngrams = 0
    for document in talks:
        found = finding(document.text, originals)
        copied, ngrams = copied + found.copied, ngrams + found.ngrams
        for span in found.spans:
            assert any(" ".join(_folded(span.text)) in text for text in folded), span
    assert copied / ngrams < 0.01
    own = finding(texts[0], originals)
    assert own.copied / own.ngrams > 0.99


def _folded(text: str) -> list[str]:
    plain = unicodedata.normalize("NFD", text.lower())
    return words("".join(c for c in plain if not unicodedata.combining(c)))
