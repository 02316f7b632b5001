"""`python -m train evaluate` on a whole bundle, and what it counts in generated texts."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from space.bundle import Bundle
from space.report_view import page, read_report, titles_of
from tests import tiny
from tests.held_out_files import conversation, copied, prepared
from train.__main__ import main
from train.generated import FIRST_WORDS, Text, author_texts, counted, distinct, figures, repeated, tasks
from train.held_out import Held
from train.judge import GgufJudge, NgramJudge
from train.scoring import Scorer
from train.tokenizer import CHAT_TEMPLATE

TALKS = tiny.talk_paragraphs()
LONG = [text for text in TALKS if len(text.split()) > 60]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = {
        "train": [conversation(f"{n}.md", text) for n, text in enumerate(LONG[:20])],
        "validation": [conversation("40.md", LONG[40])],
        "test": [conversation("41.md", LONG[41], "música y piano"), conversation("42.md", LONG[42])],
    }
    return prepared(tmp_path_factory.mktemp("data") / "charlas", rows)


@pytest.fixture(scope="module")
def evaluated(space_bundle: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A bundle with its evaluation added, and the folder that the command wrote."""
    folder = tmp_path_factory.mktemp("evaluated")
    copied(space_bundle, folder / "bundle")
    command = ["evaluate", str(folder / "bundle"), "--data", f"charlas={data}", "--data", f"otro={data}"]
    assert main([*command, "--out", str(folder / "out"), "--samples", "3", "--add"]) == 0
    return folder / "bundle", folder / "out"


def test_every_condition_is_measured_on_the_same_answers(evaluated: tuple[Path, Path]) -> None:
    report = json.loads((evaluated[1] / "evaluation.json").read_text())
    sets = report["sets"]
    assert list(sets["charlas"]["conditions"]) == ["base", "charlas", "base + RAG", "charlas + RAG"]
    assert (sets["charlas"]["documents"], sets["charlas"]["of_validation"]) == (3, 1)
    assert sets["charlas"]["rag"]["answers"] == 3
    found = [f["nats_per_token"] for f in sets["charlas"]["conditions"].values()]
    assert len(set(found)) == 4  # unrounded: random weights can be within 1e-4 nats of each other
    control = sets["otro"]["conditions"]["charlas"]
    assert control["control"]
    assert control["nats_per_token"] == found[1]
    assert report["files"] == {
        file: entry.sha256
        for file, entry in Bundle.load(evaluated[0]).files.items()
        if file.endswith(".gguf")
    }


def test_what_is_written_is_counted_beside_the_author(evaluated: tuple[Path, Path]) -> None:
    texts = json.loads((evaluated[1] / "evaluation.json").read_text())["texts"]
    assert list(texts) == ["charlas"]  # nobody speaks as the other author
    found = texts["charlas"]
    assert (found["prompts"], found["samples"], found["seeds"], found["asked_words"]) == (3, 3, [0, 2], 130)
    assert found["judge"] == "5-gram"
    assert list(found["conditions"]) == ["author", "base", "charlas", "base + RAG", "charlas + RAG"]
    author, base = found["conditions"]["author"], found["conditions"]["base"]
    assert author["spanish"] == 1
    assert author["judge_perplexity"] < base["judge_perplexity"]  # random weights write noise
    assert base["tokens_per_second"] > 0 < base["first_token"]
    assert "tokens_per_second" not in author
    low, high = base["of_asked_interval"]
    assert 0 < low <= base["of_asked"] <= high < 2
    written = (evaluated[1] / "texts-charlas.md").read_text()
    assert written.count("\n## ") == 5 * 3


def test_the_page_needs_nothing_else(evaluated: tuple[Path, Path]) -> None:
    text = (evaluated[1] / "report.html").read_text()
    assert not re.search(r'(src|href)="(?!data:)', text)
    assert text.count("data:image/png;base64,iVBORw0KGgo") == 2
    assert "¿Habla como su autor?" in text
    assert "Does it speak like its author?" in text
    for name in ("likelihood.png", "texts.png"):
        assert (evaluated[1] / name).read_bytes().startswith(b"\x89PNG")


def test_the_bundle_has_the_figures_and_shows_them(evaluated: tuple[Path, Path]) -> None:
    bundle = Bundle.load(evaluated[0])
    report = read_report(bundle)
    assert report["evaluation"] == json.loads((evaluated[1] / "evaluation.json").read_text())
    assert "3 textos de cada modelo sobre 3 temas" in page(report, titles_of(bundle), "es")


def test_a_second_evaluation_replaces_the_first_and_other_options_count(
    evaluated: tuple[Path, Path],
    data: Path,
    tiny_gguf: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(evaluated[0], tmp_path / "bundle")
    command = [
        "evaluate",
        str(tmp_path / "bundle"),
        "--data",
        f"charlas={data}",
        "--out",
        str(tmp_path / "out"),
    ]
    options = ["--samples", "1", "--limit", "1", "--judge", str(tiny_gguf), "--add"]
    assert main([*command, *options]) == 0
    assert "| charlas | 1 | charlas + RAG |" in capsys.readouterr().out
    report = read_report(Bundle.load(tmp_path / "bundle"))["evaluation"]
    assert list(report["sets"]) == ["charlas"]
    assert report["texts"]["charlas"]["judge"] == tiny_gguf.name
    assert report["texts"]["charlas"]["conditions"]["author"]["texts"] == 1


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [(["--samples", "0"], "1 or more"), (["--data", "x"], "NAME=DIR"), (["--limit", "0"], "1 or more")],
)
def test_wrong_options_are_named(
    wrong: list[str],
    reason: str,
    space_bundle: Path,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["evaluate", str(space_bundle), "--data", f"charlas={data}", "--out", str(tmp_path / "out")]
    assert main([*command, *wrong]) == 2
    assert reason in capsys.readouterr().err


def test_distinct_and_repeated_spans() -> None:
    tokens = ["a", "b", "a", "b", "a", "b", "c"]
    assert distinct(tokens, 1) == 3 / 7
    assert distinct(tokens, 2) == 3 / 6
    assert distinct(tokens, 8) is None
    assert repeated(tokens) == pytest.approx(1 / 4)  # abab, baba, abab, babc
    row = counted(Text("uno dos tres " * 100, "d", asked=150))
    assert row["of_asked"] == 2
    assert row["distinct_1"] == 3 / FIRST_WORDS
    assert row["repeated_4"] == pytest.approx(1 - 3 / 297)


def test_means_and_intervals_are_over_documents() -> None:
    same, other = "uno dos tres cuatro", "uno uno uno uno"
    texts = [Text(same, "a"), Text(same, "a"), Text(other, "b"), Text(other, "b"), Text("", "b")]
    found = figures(texts, None)
    assert (found["texts"], found["empty"]) == (5, 1)
    assert found["distinct_1"] == pytest.approx((1 + 1 + 0.25 + 0.25) / 4)
    assert found["distinct_1_interval"] == pytest.approx([0.25, 1.0])
    assert "of_asked" not in found
    assert "judge_perplexity" not in found


def test_the_author_is_cut_where_the_page_would_end(space_bundle: Path) -> None:
    generator = Bundle.load(space_bundle, verify=False).generators[0]
    long = Held("a", "test", [conversation("a", " ".join(LONG[:6]))])
    [task] = tasks(generator, [long])
    assert (task.topics, task.field, task.document) == ("mar, barcas y redes", "pesca", "a")
    [text] = author_texts(generator, [task])
    assert 130 <= len(text.text.split()) < 180
    assert task.answer.startswith(text.text)
    assert text.text[-1] in ".!?»”"


def test_a_judge_knows_what_it_has_read(tiny_gguf: Path) -> None:
    judge = NgramJudge(Scorer(tiny_gguf, {}, CHAT_TEMPLATE, 64, 1), LONG[:20])
    seen, tokens = judge.nats(LONG[3])
    unseen, others = judge.nats(LONG[30])
    assert seen / tokens < 0.5 * unseen / others
    assert judge.nats("") == (0.0, 0)
    judge.close()


def test_a_gguf_judges_plain_text(tiny_gguf: Path) -> None:
    judge = GgufJudge(tiny_gguf, 512, 1)
    scorer = Scorer(tiny_gguf, {}, CHAT_TEMPLATE, 512, 1)
    assert judge.name == tiny_gguf.name
    assert judge.nats(f"{LONG[0]}\n") == scorer.text(LONG[0])
    judge.close()
    scorer.close()
