"""An index is complete or absent, refuses what does not belong to it, and bears any query.

python -m pytest tests/test_index.py
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from index.__main__ import main
from index.build import BuildOptions, build_index
from index.calibrate import make_cloze, unrelated_queries
from index.documents import Document, read_documents
from index.embed import EmbedderInfo, encode_query, load_runtime, write_info
from index.encode import write_static
from index.errors import (
    BadEmbedder,
    BadWords,
    EmbedderMismatch,
    FileMismatch,
    IndexNotFound,
    NoVector,
    OutputExists,
    RowMismatch,
    UnknownFormat,
)
from index.fusion import CANDIDATES, Ranker
from index.lexical import Lexical
from index.search import Index
from index.store import MANIFEST, read_manifest, write_manifest
from tests.embedders import TALKS, static_embedder


@pytest.fixture(scope="module")
def embedder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("embedder")
    static_embedder(folder)
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, embedder_folder: Path) -> Path:
    out = tmp_path_factory.mktemp("index") / "talks"
    build_index(read_documents(TALKS), out, BuildOptions(str(embedder_folder), words=60))
    return out


@pytest.fixture(scope="module")
def index(built: Path) -> Index:
    return Index.load(built)


@pytest.fixture
def copy(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "copy"))


def rehash(folder: Path) -> None:
    """Makes the manifest agree with changed files, as a careless copy of parts of two indexes would not."""
    manifest = read_manifest(folder)
    (folder / MANIFEST).unlink()
    manifest.files.clear()
    write_manifest(folder, manifest)


def test_a_passage_is_found_by_what_only_its_title_and_topics_say(
    tmp_path: Path, embedder_folder: Path
) -> None:
    body = "Un texto de prueba que habla de {} con bastantes palabras para que se pueda leer."
    for name in ("barcos", "trenes", "aviones", "mapas", "puentes"):
        (tmp_path / f"{name}.md").write_text(body.format(name), encoding="utf-8")
    front = '---\ntitle: "La cosecha"\ntopics: [inteligencia artificial, "olivos"]\n---\n'
    (tmp_path / "otro.md").write_text(front + body.format("rutas"), encoding="utf-8")
    assert read_documents(tmp_path)[3].topics == ("inteligencia artificial", "olivos")
    build_index(read_documents(tmp_path), tmp_path / "index", BuildOptions(str(embedder_folder)))
    found = Index.load(tmp_path / "index")
    for query in ("inteligencia artificial", "los olivos", "cosecha"):
        hit = found.search(query, k=1, threshold=-1)[0]
        assert (hit.passage.document, hit.lexical > 0.3) == ("otro.md", True)
        assert "inteligencia" not in hit.passage.text


def test_a_passage_finds_itself(index: Index) -> None:
    for passage in index.passages[:: len(index.passages) // 20]:
        words = " ".join(passage.text.split()[:25])
        hits = index.search(words, k=3)
        assert passage.id in [hit.passage.id for hit in hits]
        assert index.relevance(hits[0].score) == "high"


def test_hits_are_ordered_and_limited(index: Index) -> None:
    hits = index.search("la escuela del pueblo y la maestra", k=7, threshold=-1)
    assert len(hits) == 7
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert all(0 <= hit.score <= 1 and -1.001 <= hit.dense <= 1.001 and 0 <= hit.lexical <= 1 for hit in hits)
    assert index.search("la escuela del pueblo y la maestra", k=1, threshold=-1) == hits[:1]
    above = index.search("la escuela del pueblo y la maestra", k=50, threshold=hits[2].score)
    assert all(hit.score >= hits[2].score for hit in above)
    assert len(index.search("mar", k=10_000, threshold=-1)) >= 20
    with pytest.raises(ValueError, match="k is 0"):
        index.search("mar", k=0)


def test_unrelated_queries_mostly_stay_below_the_threshold(index: Index) -> None:
    found = [bool(index.search(query)) for query in unrelated_queries()]
    assert np.mean(found) <= 0.12
    assert index.search("zzyzx qwrtp") == []
    related = make_cloze([p.text for p in index.passages]).queries[:60]
    assert np.mean([bool(index.search(query)) for query in related]) >= 0.8


@pytest.mark.parametrize(
    "query",
    ["", "   ", "🙂🙂", "¿?¡!", "\x00\x07", "\u200b\u200f", "שלום עולם", "xqzw kjhg", "a", "de la", "<script>alert(1)</script>",
     "\ud800", "mar " * 5000, "ñ" * 3000, "{context}", "％ｄ ﬁn"],
)  # fmt: skip
def test_any_query_is_borne(index: Index, query: str) -> None:
    for threshold in (None, -1.0, float("-inf"), 2.0):
        hits = index.search(query, threshold=threshold)
        assert all(np.isfinite([hit.score, hit.dense, hit.lexical]).all() for hit in hits)
    assert index.search(query, threshold=2.0) == []


def test_fusion_equals_a_search_of_everything(index: Index) -> None:
    ranker, weight = index._ranker, index.manifest.calibration.dense_weight
    assert ranker.vectors.ntotal > 2 * CANDIDATES
    vectors = ranker.vectors.reconstruct_n(0, ranker.vectors.ntotal)
    for query in ("la escuela del pueblo", "cartas guardadas en una caja", "el mar y los pescadores"):
        vector = encode_query(index.embedder, query)
        whole = weight * vectors @ vector + (1 - weight) * ranker.lexical.coverage(query)
        best = ranker.rank(query, vector, weight)
        assert np.allclose(np.sort(whole)[::-1][:10], whole[best.ids[:10]], atol=1e-5)


def test_coverage_is_a_share() -> None:
    lexical = Lexical.build(["el mar azul", "la montaña nevada", "mar mar mar", ""])
    assert lexical.coverage("xyzzy").tolist() == [0, 0, 0, 0]
    assert lexical.coverage("").tolist() == [0, 0, 0, 0]
    known, diluted = lexical.coverage("mar"), lexical.coverage("mar xyzzy")
    assert 0 < diluted[0] < known[0] < 1
    assert known[2] > known[0] > known[1] == known[3] == 0


def test_threads_get_the_same_answers(index: Index) -> None:
    queries = [passage.text[:80] for passage in index.passages[:40]]
    expected = [index.search(query, threshold=-1) for query in queries]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda query: index.search(query, threshold=-1), queries)) == expected


def test_manifest_describes_the_folder(built: Path) -> None:
    manifest = read_manifest(built)
    assert manifest.documents == len(list(TALKS.glob("*.md")))
    assert manifest.embedder["kind"] == "static"
    files = {p.relative_to(built).as_posix() for p in built.rglob("*") if p.is_file()}
    assert set(manifest.files) == files - {MANIFEST}
    assert set(manifest.calibration.recall) == {"dense", "bm25", "hybrid"}
    assert len(manifest.calibration.unrelated) == len(unrelated_queries())


def test_cloze_takes_the_sentence_out() -> None:
    texts = [
        f"Primera frase del pasaje número {i} aquí. Segunda frase con otras palabras {i} más. Tercera."
        for i in range(9)
    ]
    cloze = make_cloze(texts)
    assert len(cloze.queries) == 9
    for query, row in zip(cloze.queries, cloze.rows, strict=True):
        assert query in texts[row]
        assert query not in cloze.texts[row]


@pytest.mark.parametrize(
    "name", ["passages.jsonl", "vectors.faiss", "bm25/vocab.index.json", "embedder/scales.npy"]
)
def test_a_changed_or_missing_file_is_named(copy: Path, name: str) -> None:
    content = (copy / name).read_bytes()
    (copy / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(FileMismatch, match=name):
        Index.load(copy)
    (copy / name).unlink()
    with pytest.raises(FileMismatch, match=f"{name}.*missing"):
        Index.load(copy)


def test_without_a_manifest_there_is_no_index(copy: Path) -> None:
    data = json.loads((copy / MANIFEST).read_text(encoding="utf-8"))
    (copy / MANIFEST).write_text(json.dumps({**data, "format": 99}), encoding="utf-8")
    with pytest.raises(UnknownFormat, match="99"):
        Index.load(copy)
    (copy / MANIFEST).write_text(json.dumps({"format": 1}), encoding="utf-8")
    with pytest.raises(UnknownFormat):
        Index.load(copy)
    (copy / MANIFEST).unlink()
    with pytest.raises(IndexNotFound, match="index build"):
        Index.load(copy)


def test_passages_and_vectors_of_different_counts(copy: Path) -> None:
    lines = (copy / "passages.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (copy / "passages.jsonl").write_text("".join(lines[:-1]), encoding="utf-8")
    rehash(copy)
    with pytest.raises(RowMismatch, match=f"{len(lines) - 1} passages, {len(lines)} vectors"):
        Index.load(copy)


@pytest.mark.parametrize("dimension", [64, 32])
def test_another_embedder_is_refused(copy: Path, dimension: int) -> None:
    static_embedder(copy / "embedder", seed=1, dimension=dimension)
    rehash(copy)
    with pytest.raises(EmbedderMismatch, match="random-1"):
        Index.load(copy)


def test_broken_embedder_folders_are_named(copy: Path) -> None:
    folder = copy / "embedder"
    (folder / "scales.npy").unlink()
    with pytest.raises(BadEmbedder, match="scales"):
        load_runtime(folder)
    write_info(folder, EmbedderInfo("other", "x", 3))
    with pytest.raises(BadEmbedder, match="kind 'other'"):
        load_runtime(folder)
    with pytest.raises(BadEmbedder, match=r"embedder\.json"):
        load_runtime(folder / "absent")


def test_a_failed_build_leaves_the_old_index(copy: Path, tmp_path: Path) -> None:
    before = {p: p.read_bytes() for p in copy.rglob("*") if p.is_file()}
    tokenizer = Tokenizer(models.BPE(vocab={"a": 0, "b": 1}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    folder = tmp_path / "two-letters"
    folder.mkdir()
    write_static(tokenizer, np.eye(2, dtype=np.float32), folder, EmbedderInfo("static", "two", 2))
    documents = [Document("bueno", "B", "ab ba", "b"), Document("raro", "R", "漢字だけ", "r")]
    with pytest.raises(NoVector, match="raro"):
        build_index(documents, copy, BuildOptions(str(folder)))
    assert {p: p.read_bytes() for p in copy.rglob("*") if p.is_file()} == before
    with pytest.raises(NoVector):
        build_index(documents, tmp_path / "new", BuildOptions(str(folder)))
    assert not (tmp_path / "new").exists()
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_a_rebuild_replaces_an_index_but_no_other_folder(
    copy: Path, embedder_folder: Path, tmp_path: Path
) -> None:
    documents = [Document("uno", "Uno", "Una sola frase sobre el mar.", "uno.txt")]
    manifest = build_index(documents, copy, BuildOptions(str(embedder_folder)))
    assert (manifest.passages, manifest.calibration.recall) == (1, {})
    [hit] = Index.load(copy).search("frase sobre el mar")
    assert hit.passage.title == "Uno"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "tesis.txt").write_text("x", encoding="utf-8")
    with pytest.raises(OutputExists):
        build_index(documents, tmp_path / "mine", BuildOptions(str(embedder_folder)))
    with pytest.raises(BadWords, match="19"):
        build_index(documents, copy, BuildOptions(str(embedder_folder), words=19))


def test_command_line(
    built: Path, embedder_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "mar.txt").write_text(
        "El mar es grande. Las olas llegan a la playa.", encoding="utf-8"
    )
    build = [
        "build",
        str(tmp_path / "texts"),
        "--embedder",
        str(embedder_folder),
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(build) == 0
    assert "1 documents, 1 passages" in capsys.readouterr().out
    assert main(["search", str(tmp_path / "out"), "las olas de la playa", "-k", "1"]) == 0
    assert "Las olas llegan" in capsys.readouterr().out
    assert main(["search", str(built), "🙂"]) == 0
    assert "--threshold -1" in capsys.readouterr().out
    assert main(["search", str(tmp_path), "x"]) == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert (
        main(
            [
                "build",
                str(tmp_path / "texts"),
                "--embedder",
                str(tmp_path / "no"),
                "--out",
                str(tmp_path / "o"),
            ]
        )
        == 2
    )
    assert str(tmp_path / "no") in capsys.readouterr().err


def test_search_needs_no_torch(built: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from index.search import Index\n"
        f"assert Index.load(Path({str(built)!r})).search('el mar', threshold=-1)\n"
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'peft', 'trl', 'datasets', 'train'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[1], timeout=60)


def test_ranker_bears_a_tiny_corpus(index: Index) -> None:
    import faiss

    vectors = faiss.IndexFlatIP(64)
    vectors.add(index.embedder.encode(["el mar"]))
    ranking = Ranker(vectors, Lexical.build(["el mar"])).rank("mar", encode_query(index.embedder, "mar"), 0.3)
    assert ranking.ids.tolist() == [0]


def test_a_name_is_not_the_sea() -> None:
    lexical = Lexical.build(["María llegó tarde.", "Los barcos salen al mar.", "Tenía frío."])
    scores = lexical.coverage("el mar")
    assert scores[1] > 0
    assert scores[0] == 0
