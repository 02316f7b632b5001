"""Originality from prepared folders to the page: the file, the bundle, the frames, what visitors and programs see.

pytest tests/test_originals.py
"""

from __future__ import annotations

import json
import shutil
from argparse import ArgumentParser, Namespace
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from space import generators as gen
from space.bundle import Bundle
from space.chat_endpoint import details as chat_details
from space.chat_view import status as chat_status
from space.chatting import ChatFrame, Talk, chat
from space.endpoints import details
from space.errors import BundleFileMismatch, BundleInvalid, OriginalsInvalid
from space.files import FileEntry
from space.frames import Frame, Grounded, Speech
from space.originality import Originality, Span, Tracker
from space.originality_view import figures, line_of, meter
from space.originals import Originals, Source
from space.settings import Settings
from space.studio import Studio
from tests.bundles import make_bundle
from tests.chat_bundle import make_chat_bundle
from tests.corpus_files import ROOT, prepare
from tests.hub_client import Visitor
from tests.hub_server import serving
from tests.test_generators import ScriptedEngine
from train import bundle as bundle_command
from train import originality as report_command
from train import originals as command
from train.card_figures import figures as card_sections
from train.card_figures import originality_table
from train.errors import BadOption, BundlePartInvalid, NoOriginals, NotPrepared

TEXTS = ROOT / "train" / "texts"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `talks` and `chat` as `prepare` writes them."""
    folder = tmp_path_factory.mktemp("prepared")
    for arguments in (
        ["speech", TEXTS / "talks", "--out", folder / "talks"],
        ["chat", TEXTS / "chat", "--persona", "Lucía Ferreyra", "--keep-names", "--out", folder / "chat"],
    ):
        done = prepare(*arguments)
        assert done.returncode == 0, done.stderr
    for name in ("talks", "chat"):
        make(folder / f"{name}.bin", folder / name)
    return folder


def make(out: Path, *arguments: Path | str) -> Path:
    command.run(parsed(command, *arguments, "--out", out))
    return out


def parsed(module: object, *arguments: Path | str) -> Namespace:
    parser = ArgumentParser()
    module.add_arguments(parser)  # type: ignore[attr-defined]
    return parser.parse_args([str(argument) for argument in arguments])


def documents(folder: Path, split: str) -> list[dict[str, str]]:
    rows = map(json.loads, (folder / "documents.jsonl").read_text("utf-8").splitlines())
    return [row for row in rows if row["split"] == split]


def with_originals(bundle: Bundle, name: str, file: Path) -> Bundle:
    """`bundle`, written with the originals of one generator."""
    place = f"originals/{name}.bin"
    (bundle.folder / "originals").mkdir(exist_ok=True)
    shutil.copy(file, bundle.folder / place)
    files = {**bundle.files, place: FileEntry.of(bundle.folder / place)}
    changed = replace(bundle, originals={name: place}, files=files)
    changed.write()
    return changed


@pytest.fixture
def served(space_bundle: Path, prepared: Path, tmp_path: Path) -> Bundle:
    """The bundle of `space_bundle` with the talks as originals of `charlas`."""
    shutil.copytree(space_bundle, tmp_path / "bundle")
    return with_originals(Bundle.load(tmp_path / "bundle"), "charlas", prepared / "talks.bin")


def test_the_training_split_is_known_and_no_other(prepared: Path) -> None:
    originals = Originals.load(prepared / "talks.bin")
    assert not originals.private
    learned, held_out = documents(prepared / "talks", "train"), documents(prepared / "talks", "test")
    for row in learned[:5]:
        found = Tracker(originals).update(row["text"])
        assert found is not None
        assert found.verbatim
        assert found.spans[0].source == Source(row["title"], row["source"])
    for row in held_out:
        found = Tracker(originals).update(row["text"])
        assert found is not None
        assert found.copied == 0
    manifest = json.loads((prepared / "talks" / "prepared.json").read_text())
    assert list(originals.corpora) == [{"name": "talks", "corpus_sha256": manifest["corpus_sha256"]}]
    assert (prepared / "talks.bin").stat().st_size < 300_000


def test_of_a_chat_only_hashes_are_kept_of_all_who_spoke(prepared: Path) -> None:
    originals = Originals.load(prepared / "chat.bin")
    assert originals.private
    rows = [json.loads(line) for line in (prepared / "chat" / "train.jsonl").read_text("utf-8").splitlines()]
    for role in ("assistant", "user"):
        said = [m["content"] for row in rows for m in row["messages"] if m["role"] == role]
        long = [text for text in said if len(text.split()) > 14]
        assert len(long) > 5
        for text in long:
            found = Tracker(originals).update(text)
            assert found is not None
            assert found.verbatim
    assert b"Luc" not in (prepared / "chat.bin").read_bytes()


def test_folders_join_and_the_same_texts_give_the_same_bytes(prepared: Path, tmp_path: Path) -> None:
    novels = tmp_path / "novels"
    novels.mkdir()
    (novels / "uno.txt").write_text("En un lugar de la costa vivía una mujer que contaba las olas del mar.")
    both = make(tmp_path / "both.bin", prepared / "talks", novels)
    assert both.read_bytes() == make(tmp_path / "again.bin", prepared / "talks", novels).read_bytes()
    originals = Originals.load(both)
    found = Tracker(originals).update("vivía una mujer que contaba las olas del mar")
    assert found is not None
    assert found.spans[0].source == Source("uno", "uno.txt")
    assert [corpus["name"] for corpus in originals.corpora] == ["talks", "novels"]
    assert Originals.load(make(tmp_path / "p.bin", novels, "--private")).private
    assert Originals.load(make(tmp_path / "c.bin", novels, prepared / "chat")).private
    (novels / "uno.txt").write_text("Muy corto.")
    with pytest.raises(NoOriginals, match="8 words"):
        make(tmp_path / "none.bin", novels)
    (novels / "prepared.json").write_text("{}")
    with pytest.raises(NotPrepared):
        make(tmp_path / "none.bin", novels)


def test_a_damaged_file_is_refused_by_name(prepared: Path, tmp_path: Path) -> None:
    whole = (prepared / "talks.bin").read_bytes()
    path = tmp_path / "talks.bin"
    noise = np.random.default_rng(5)
    for data in (b"", b"GGUF", whole[:10], whole[:25], whole[:5000], whole[:-1], whole + b"\0", whole[1:]):
        path.write_bytes(data)
        with pytest.raises(OriginalsInvalid, match=r"talks\.bin"):
            Originals.load(path)
    for place in [*range(0, 200, 7), *noise.integers(0, len(whole), 60).tolist(), len(whole) - 1]:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(OriginalsInvalid):
            Originals.load(path)
    with pytest.raises(OriginalsInvalid, match="train originals"):
        Originals.load(tmp_path / "absent.bin")


def test_the_bundle_names_and_guards_it(served: Bundle) -> None:
    assert Bundle.load(served.folder) == served
    assert Bundle.load(served.folder).originals == {"charlas": "originals/charlas.bin"}
    manifest = served.folder / "bundle.json"
    text = manifest.read_text("utf-8")
    for change, reason in (
        ({"originals": {"nadie": "originals/charlas.bin"}}, "originals name no generator: nadie"),
        ({"originals": {"charlas": "originals/otro.bin"}}, "no hash of originals/otro.bin"),
        ({"originals": ["originals/charlas.bin"]}, "originals is list, not dict"),
    ):
        manifest.write_text(json.dumps(json.loads(text) | change))
        with pytest.raises(BundleInvalid, match=reason):
            Bundle.load(served.folder)
    manifest.write_text(text)
    path = served.folder / "originals" / "charlas.bin"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(BundleFileMismatch, match=r"originals/charlas\.bin"):
        Bundle.load(served.folder)
    with pytest.raises(OriginalsInvalid):
        Studio(served, Settings(threads=1)).originals(served.generators[0])


def recited(served: Bundle, prepared: Path) -> tuple[Studio, str, str]:
    """A studio whose model recites part of a talk, that part, and the talk's title."""
    talk = documents(prepared / "talks", "train")[0]
    part = " ".join(talk["text"].split()[20:45])
    text = f"Quiero contarles algo que me pasó ayer: {part} y entonces llegó la tarde sin que nadie la esperase por aquí."
    return Studio(served, Settings(threads=1), ScriptedEngine(text)), part, talk["title"]


def test_a_recited_talk_is_seen_while_it_is_written(served: Bundle, prepared: Path) -> None:
    studio, part, title = recited(served, prepared)
    frames = list(gen.finetuned(studio, Speech("el mar", minutes=1, generator="charlas")))
    found = frames[-1].originality
    assert found is not None
    assert found.spans[0].text == part
    assert found.spans[0].source is not None
    assert found.spans[0].source.title == title
    assert found.longest == 25
    assert 0.2 < found.original < 0.8
    answer = details(frames[-1], "es")["originality"]
    assert json.loads(json.dumps(answer)) == answer
    assert (answer["longest_words"], answer["spans"][0]["title"]) == (25, title)
    plain = list(gen.finetuned(studio, Speech("el mar", minutes=1, generator="base")))[-1]
    assert plain.originality is None
    assert details(plain, "es")["originality"] is None


def test_an_opening_from_a_talk_is_the_visitors(served: Bundle, prepared: Path) -> None:
    opening = " ".join(documents(prepared / "talks", "train")[0]["text"].split()[:20])
    studio = Studio(
        served, Settings(threads=1), ScriptedEngine("Y después de eso no supe qué más decirles a todos.")
    )
    last = list(gen.finetuned(studio, Speech("el mar", opening=opening, minutes=1, generator="charlas")))[-1]
    assert last.originality is not None
    assert last.originality.copied == 0


def test_words_of_the_passages_count_as_quotes(served: Bundle) -> None:
    studio = Studio(served, Settings(threads=1))
    asked = Grounded("el mar", minutes=1, threshold=0, passages=2, generator="charlas")
    passage = next(f for f in gen.rag(studio, asked) if f.passages).passages[0].hit.passage
    quoted = " ".join(passage.text.split()[:30])
    studio = Studio(
        served, Settings(threads=1), ScriptedEngine(f"Como se ha dicho: {quoted} y eso es todo por hoy.")
    )
    last = list(gen.rag(studio, asked))[-1]
    assert last.originality is not None
    assert last.originality.quotes[0].source == Source(passage.title, passage.source)
    assert last.originality.quoted >= len(quoted.split()) - 7 > 5
    assert last.originality.copied == 0  # the talk was learned too: a quote all the same


def test_a_chat_shows_that_it_recites_and_not_whom(
    tiny_gguf: Path, tiny_lora_gguf: Path, prepared: Path, tmp_path: Path
) -> None:
    bundle = make_chat_bundle(tmp_path / "b", tiny_gguf, tiny_lora_gguf)
    bundle = with_originals(bundle, "lucia", prepared / "chat.bin")
    rows = [json.loads(line) for line in (prepared / "chat" / "train.jsonl").read_text("utf-8").splitlines()]
    said = [m["content"] for row in rows for m in row["messages"] if m["role"] == "assistant"]
    reply = next(text for text in said if len(text.split()) > 14)
    studio = Studio(bundle, Settings(threads=1), ScriptedEngine(reply))
    frame = list(chat(studio, Talk("hola", generator="lucia")))[-1]
    assert frame.originality is not None
    assert frame.originality.verbatim
    assert chat_details(frame, "es")["originality"]["spans"][0]["source"] is None
    assert "huellas" in chat_status(frame, "es")
    silent = ChatFrame("done", 1, "Lucía", "lucia", bubbles=("sí",))
    assert "originality" not in chat_status(silent, "es")


FOUND = Originality(100, 4, 0, (Span(11, "uno <b>{dos}</b> tres", Source("Un título", "charla.md")),), (), 8)


@pytest.mark.parametrize("language", ["es", "en"])
def test_the_line_is_quiet_and_opens_when_the_text_is_done(language: str) -> None:
    assert meter(None, language, "done") == ""
    writing = meter(FOUND, language, "writing")
    assert "<details" not in writing
    assert "Original: 96" in writing
    done = meter(FOUND, language, "done")
    assert "<details" in done
    assert "11" in done.split("</summary>")[0]
    assert "Un título · charla.md" in done
    assert "<b>{" not in done
    nothing = Originality(100, 0, 0, (), (), 10)
    assert "<details" not in meter(nothing, language, "done")
    assert "Original: 100" in line_of(nothing, language)
    assert "10" in line_of(nothing, language).split("·")[1]
    quotes = (Span(9, "nueve palabras", Source("Fragmento")),)
    only = Originality(100, 0, 2, (), quotes, None)
    assert "Original" not in line_of(only, language)
    assert "2" in line_of(only, language)
    assert "gauge" not in meter(only, language, "stopped")


def test_a_hundred_per_cent_means_nothing_at_all() -> None:
    assert "Original: 99 %" in line_of(replace(FOUND, ngrams=100_000), "es")
    assert figures(None) is None
    told = figures(Originality(10, 0, 3, (), (), None))
    assert told is not None
    assert (told["original"], told["copied"], told["quoted"]) == (None, None, 3)


def test_train_bundle_takes_it_and_refuses_that_of_other_texts(
    prepared: Path, tiny_gguf: Path, tmp_path: Path
) -> None:
    def spec(data: str, originals: str) -> bundle_command.BundleSpec:
        options = [
            "--originals",
            prepared / originals,
            "--out",
            tmp_path / "b",
            "--name",
            "demo",
            "--kind",
            "speech",
        ]
        return bundle_command.spec_of(
            parsed(bundle_command, "--base", tiny_gguf, "--data", prepared / data, *options)
        )

    bundle = bundle_command.assemble(spec("talks", "talks.bin"), tmp_path / "b")
    assert bundle.originals == {"demo": "originals/demo.bin"}
    more = replace(
        spec("talks", "talks.bin"), generators=[replace(bundle.generators[0], name="otro")], originals={}
    )
    grown = bundle_command.assemble(bundle_command.joined(more, tmp_path / "b"), tmp_path / "b")
    assert grown.originals == {"demo": "originals/demo.bin"}
    assert (tmp_path / "b" / "originals" / "demo.bin").read_bytes() == (prepared / "talks.bin").read_bytes()
    with pytest.raises(BundlePartInvalid, match="train originals"):
        spec("talks", "chat.bin")
    (tmp_path / "x.bin").write_bytes(b"x")
    with pytest.raises(OriginalsInvalid):
        spec("talks", str(tmp_path / "x.bin"))


def test_it_is_published_and_pulled_with_the_bundle(prepared: Path, tmp_path: Path) -> None:
    bundle = with_originals(make_bundle(tmp_path / "bundle"), "charlas", prepared / "talks.bin")
    with serving() as hub:
        maker = Visitor(hub.url, tmp_path / "home", "hf_owner")
        done = maker.publish(bundle.folder, "--repo", "me/charlas")
        assert done.returncode == 0, done.stderr
        reference = done.stdout.splitlines()[-1].removeprefix("ORADOR_BUNDLE=")
        pulled = maker.pull(reference, tmp_path / "cache")
    assert pulled.returncode == 0, pulled.stderr
    found = list((tmp_path / "cache").rglob("charlas.bin"))
    assert [path.read_bytes() for path in found] == [(prepared / "talks.bin").read_bytes()]


def test_the_report_tells_who_recites(served: Bundle, prepared: Path, tmp_path: Path) -> None:
    originals = Originals.load(prepared / "talks.bin")
    learned = [row["text"] for row in documents(prepared / "talks", "train")[:6]]
    fresh = [row["text"] for row in documents(prepared / "talks", "test")]
    reciting = report_command.figures(originals, [*learned, "corto"])
    assert (reciting["copied"], reciting["verbatim"], reciting["too_short"]) == (1.0, 6, 1)
    assert reciting["longest"] > 400
    assert report_command.figures(originals, fresh)["copied_interval"] == [0.0, 0.0]
    assert report_command.figures(originals, ["corto"]) == {"texts": 1, "too_short": 1}
    out = tmp_path / "originality.json"
    replace(served, context=1024).write()  # what the model has: assembling it again demands that
    options = ["--data", f"charlas={prepared / 'talks'}", "--texts", "2", "--out", out, "--add"]
    options += ["--adapter", f"again={served.adapters['charlas']}"]
    report_command.run(parsed(report_command, served.folder, *options))
    report = json.loads(out.read_text())
    rows = report["sets"]["charlas"]["rows"]
    assert [(row["model"], row["topics"]) for row in rows] == [
        ("author", "held out"),
        *[(m, topics) for topics in ("trained on", "held out") for m in ("base", "charlas", "again")],
    ]
    assert all(row["texts"] == 2 for row in rows[1:])
    assert rows[2]["copied"] == rows[3]["copied"]  # the same adapter
    added = Bundle.load(served.folder)
    assert added.report is not None
    assert json.loads((served.folder / added.report).read_text())["originality"] == report
    assert added.originals == served.originals
    assert originality_table(report) in card_sections({"originality": report})
    assert originality_table(report).count("\n") == 1 + len(rows)
    for wrong in (
        ["--data", f"base={prepared / 'talks'}"],
        ["--data", "charlas=nada"],
        ["--texts", "0", *options[:2]],
    ):
        with pytest.raises(BadOption):
            report_command.run(parsed(report_command, served.folder, *wrong, "--out", out))


def test_frames_without_text_have_no_originality() -> None:
    assert Frame("loading", 1).originality is None
