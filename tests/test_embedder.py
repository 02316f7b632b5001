"""Embedders: the torch-free copies compute what sentence-transformers computes; training one really trains it.

python -m pytest tests/test_embedder.py
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from index.build import BuildOptions, build_index
from index.documents import Document
from index.embed import EmbedderInfo, encode_passages, encode_query, load_runtime, write_info
from index.encode import TransformerEmbedder, languages, load_embedder, write_runtime
from index.errors import BadEmbedder, BadQuestions, EmbeddersDisagree, NoDocuments, OutputExists, TextTooLong
from index.evaluate import evaluate, table
from index.pairs import PairSampler, read_texts
from index.questions import read_questions
from index.search import Index
from index.train_embedder import EmbedderConfig, train_embedder
from tests.embedders import TALKS, bert_folder, static_embedder, talk_texts
from train.embedder_gguf import export_embedder
from train.errors import NotAnEncoder

TEXTS = [
    "El mar estaba quieto.",
    "¿Quién cuida a la abuela?",
    "ñandú, pingüino y ciempiés",
    "Un texto más largo. " * 12,
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A static embedder trained for a few steps on our talks."""
    out = tmp_path_factory.mktemp("trained") / "model"
    config = EmbedderConfig(dimension=32, vocabulary=2000, epochs=6, batch=64)
    return train_embedder([TALKS, squad(out.parent / "qa.json")], out, config)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bert_folder(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def bert_gguf(bert: Path) -> Path:
    return export_embedder(str(bert), bert.parent / "bert.gguf", "f32")


def squad(path: Path) -> Path:
    """A question set of our talks: question = a talk's first sentence, context = the talk."""
    paragraphs = []
    for text in talk_texts():
        body = text.split("---", 2)[-1].strip()
        paragraphs.append({"context": body, "qas": [{"question": body.split(". ")[0]}]})
    impossible = {"question": "¿Y esto?", "is_impossible": True}
    paragraphs[0]["qas"].append(impossible)
    path.write_text(json.dumps({"data": [{"title": "charlas", "paragraphs": paragraphs}]}), encoding="utf-8")
    return path


def test_int8_rows_compute_what_sentence_transformers_computes(trained: Path, tmp_path: Path) -> None:
    model = load_embedder(str(trained))
    assert isinstance(model, TransformerEmbedder)
    runtime = write_runtime(model, tmp_path / "static")
    assert (runtime.info.kind, runtime.info.dimension) == ("static", 32)
    texts = [*TEXTS, *talk_texts(5)]
    cosines = (model.encode(texts) * runtime.encode(texts)).sum(axis=1)
    assert cosines.min() > 0.9995
    size = sum(p.stat().st_size for p in (tmp_path / "static").iterdir())
    assert size < 2000 * 32 + 200_000
    again = write_runtime(load_embedder(str(tmp_path / "static")), tmp_path / "copy")
    assert np.array_equal(again.encode(texts), load_runtime(tmp_path / "copy").encode(texts))


def test_vectors_are_unit_and_empty_texts_zero(tmp_path: Path) -> None:
    embedder = static_embedder(tmp_path)
    vectors = embedder.encode([*TEXTS, "", " "])
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors[:-2], axis=1), 1, atol=1e-5)
    assert not vectors[-2:].any()


def test_training_changes_every_used_row_and_lowers_the_loss(trained: Path) -> None:
    card = (trained / "README.md").read_text(encoding="utf-8")
    first, last = (float(part) for part in card.split("loss ")[1].split(".\n")[0].split(" → "))
    assert last < 0.8 * first
    assert languages(str(trained)) == ["es"]
    weights = load_embedder(str(trained)).static_table()[1]  # type: ignore[union-attr, attr-defined]
    assert weights.shape[1] == 32
    assert np.isfinite(weights).all()


def test_a_trained_embedder_finds_what_a_random_one_does_not(trained: Path, tmp_path: Path) -> None:
    questions = read_questions(squad(tmp_path / "qa.json"))
    assert questions.impossible == 1
    learned = evaluate(questions, write_runtime(load_embedder(str(trained)), tmp_path / "a"), words=60)
    random = evaluate(questions, static_embedder(tmp_path / "b", dimension=8), words=60)
    scores = {s.search: s for s in learned.scores}
    assert scores["dense"].recall5 > {s.search: s for s in random.scores}["dense"].recall5
    assert scores["hybrid"].recall5 >= scores["bm25"].recall5 - 0.05
    assert all(s.recall1 <= s.mrr10 <= s.recall5 + 0.1 and s.median_ms <= s.p95_ms for s in learned.scores)
    assert "| hybrid |" in table(learned)


def test_training_refuses_bad_input(tmp_path: Path, trained: Path) -> None:
    (tmp_path / "bad.json").write_text('{"data": [{"paragraphs": []}]}', encoding="utf-8")
    with pytest.raises(BadQuestions, match=r"bad\.json"):
        train_embedder([tmp_path / "bad.json"], tmp_path / "out", EmbedderConfig())
    with pytest.raises(OutputExists):
        train_embedder([TALKS], trained, EmbedderConfig())
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a.txt").write_text("Una sola frase.", encoding="utf-8")
    with pytest.raises(NoDocuments):
        train_embedder([tmp_path / "one"], tmp_path / "out", EmbedderConfig())


def test_pairs_come_from_one_passage_or_its_neighbour(tmp_path: Path) -> None:
    text = "\n\n".join(" ".join(f"d{n}f{s}p{w}" for w in range(20)) + "." for n in range(9) for s in range(8))
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    words: dict[str, int] = {}

    def encode(texts: list[str]) -> list[np.ndarray]:
        return [np.array([words.setdefault(w, len(words)) for w in t.split()], dtype=np.int32) for t in texts]

    texts = read_texts([tmp_path])
    sampler = PairSampler(texts, encode, np.random.default_rng(0))
    place = {i: n for n, passage in enumerate(sampler._passages) for ids in passage for i in ids.tolist()}
    seen = set()
    for _ in range(20):
        for queries, passages in sampler.epoch(8):
            for query, passage in zip(queries, passages, strict=True):
                [here], [there] = {place[i] for i in query.tolist()}, {place[i] for i in passage.tolist()}
                seen.add(there - here)
                assert len(query)
                if there == here and len(query) > 12:  # inverse cloze: the passage seldom keeps the query
                    seen.add("cloze" if not set(query.tolist()) & set(passage.tolist()) else "kept")
    assert seen == {0, 1, "cloze", "kept"}


def test_gguf_computes_what_the_transformer_computes(bert: Path, bert_gguf: Path, tmp_path: Path) -> None:
    documents = [
        Document(f"t{i}", f"T{i}", text.split("---", 2)[-1], f"t{i}.md")
        for i, text in enumerate(talk_texts(3))
    ]
    manifest = build_index(documents, tmp_path / "index", BuildOptions(str(bert), gguf=bert_gguf, words=40))
    assert manifest.embedder["kind"] == "gguf"
    index = Index.load(tmp_path / "index")
    assert index.embedder.info.query_prompt == "query: "
    model = load_embedder(str(bert))
    texts = [*TEXTS, talk_texts(1)[0]]  # the last is cut to 128 tokens by both
    assert (encode_passages(model, texts) * encode_passages(index.embedder, texts)).sum(axis=1).min() > 0.999
    assert index.embedder.truncated == model.truncated == 1
    assert float(encode_query(model, TEXTS[0]) @ encode_query(index.embedder, TEXTS[0])) > 0.999
    assert not np.allclose(encode_query(model, TEXTS[0]), encode_passages(model, TEXTS[:1])[0], atol=1e-3)
    assert index.search(documents[0].text[:60], threshold=-1)


def test_too_long_texts_are_counted_and_too_long_queries_refused(
    bert: Path, bert_gguf: Path, tmp_path: Path
) -> None:
    documents = [Document("largo", "L", talk_texts(1)[0].split("---", 2)[-1], "l.md")]
    manifest = build_index(documents, tmp_path / "index", BuildOptions(str(bert), gguf=bert_gguf, words=200))
    assert manifest.truncated_passages > 0
    index = Index.load(tmp_path / "index")
    with pytest.raises(TextTooLong, match="128 tokens"):
        index.search("palabra " * 400)


def test_the_gguf_of_another_model_is_refused(bert: Path, bert_gguf: Path, tmp_path: Path) -> None:
    other = bert_folder(tmp_path / "other", seed=5)
    documents = [Document("a", "A", TEXTS[3], "a")]
    with pytest.raises(EmbeddersDisagree, match="lowest cosine"):
        build_index(documents, tmp_path / "index", BuildOptions(str(other), gguf=bert_gguf))
    assert not (tmp_path / "index").exists()
    (tmp_path / "no.gguf").write_bytes(b"GGUF")
    with pytest.raises(BadEmbedder, match=r"no\.gguf"):
        build_index(documents, tmp_path / "index", BuildOptions(str(bert), gguf=tmp_path / "no.gguf"))


def test_without_a_gguf_the_index_says_what_it_needs(bert: Path, tmp_path: Path) -> None:
    documents = [Document("a", "A", TEXTS[3], "a")]
    manifest = build_index(documents, tmp_path / "index", BuildOptions(str(bert)))
    assert manifest.embedder["kind"] == "sentence-transformers"
    assert Index.load(tmp_path / "index").search("texto", threshold=-1)
    code = (
        "import sys; sys.modules['sentence_transformers'] = None\n"
        "from pathlib import Path; from index.search import Index; from index.errors import NeedsSentenceTransformers\n"
        f"try: Index.load(Path({str(tmp_path / 'index')!r}))\n"
        "except NeedsSentenceTransformers as error: print(error)"
    )
    command = [sys.executable, "-c", code]
    said = subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[1], timeout=60
    )
    assert "--embedder-gguf" in said.stdout


def test_bad_embedders_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadEmbedder, match="no such folder"):
        load_embedder(str(tmp_path / "absent"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotAnEncoder):
        export_embedder(str(tmp_path / "empty"), tmp_path / "x.gguf")
    write_info(tmp_path, EmbedderInfo("gguf", "x", 3))
    with pytest.raises(BadEmbedder, match="missing"):
        load_runtime(tmp_path)


def test_model_cards_languages(tmp_path: Path) -> None:
    assert languages(str(tmp_path)) == []
    for front, expected in (
        ("language: en", ["en"]),
        ("language:\n- multilingual\n- es", ["multilingual", "es"]),
        ("tags: [a]", []),
    ):
        (tmp_path / "README.md").write_text(f"---\n{front}\nlicense: mit\n---\n# x\n", encoding="utf-8")
        assert languages(str(tmp_path)) == expected


@pytest.mark.real_data
def test_hybrid_is_not_below_bm25_on_real_questions(shared_data: Path, trained: Path, tmp_path: Path) -> None:
    runtime = write_runtime(load_embedder(str(trained)), tmp_path / "e")
    result = evaluate(read_questions(shared_data / "qa" / "xquad.es.json"), runtime)
    scores = {s.search: s for s in result.scores}
    assert scores["bm25"].recall5 > 0.97
    assert scores["hybrid"].recall5 >= scores["bm25"].recall5 - 0.01
