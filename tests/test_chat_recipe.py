"""From exports to a persona's conversations: `python -m train prepare chat`. Run: pytest tests/test_chat_recipe.py"""

from __future__ import annotations

import datetime
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from space.prompts import CHAT, CHAT_OPENING
from tests.corpus_files import SHARED
from train.__main__ import main
from train.archives import texts_of
from train.audit import Audit
from train.chat_examples import read_prepared
from train.consent import read_consent
from train.conversations import Exchange, Limits, Said, pack, to_turns
from train.corpus import Document
from train.decoding import NotText
from train.errors import BadConsent
from train.split import Groups, assign_latest

START = datetime.datetime(2024, 3, 1, 10, 0)
CONSENT = {
    "persona": "Ana Paz",
    "agreed_by": ["Ana Paz", "Leo Ruiz"],
    "date": "2026-01-02",
    "statement": "Ana y Leo Ruiz aceptan.",
}
Line = tuple[int, str, str]  # minutes after START, author, text


def export(lines: list[Line]) -> str:
    return "".join(
        f"{START + datetime.timedelta(minutes=minute):%d/%m/%Y, %H:%M} - {author}: {text}\n"
        for minute, author, text in lines
    )


def days(number: int) -> list[Line]:
    """A conversation a day: two messages of Leo, two of Ana."""
    lines: list[Line] = []
    for day in range(number):
        at = day * 24 * 60
        lines += [
            (at, "Leo Ruiz", f"hola {day}"),
            (at + 1, "Leo Ruiz", f"estás {day}"),
            (at + 2, "Ana Paz", f"sí {day}"),
        ]
        lines += [(at + 3, "Ana Paz", f"decime {day} leo")]
    return lines


def run(folder: Path, *options: str, persona: str = "Ana Paz") -> int:
    """`prepare chat` on folder/chats into folder/out."""
    source = ["chat", str(folder / "chats"), "--persona", persona, "--out", str(folder / "out")]
    return main(["prepare", *source, *options])


def write(folder: Path, **texts: str) -> None:
    (folder / "chats").mkdir()
    (folder / "chats" / "consent.json").write_text(json.dumps(CONSENT), encoding="utf-8")
    for name, text in texts.items():
        (folder / "chats" / f"{name}.txt").write_text(text, encoding="utf-8")


def rows(folder: Path, split: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "out" / f"{split}.jsonl").read_text("utf-8").splitlines()]


def messages(folder: Path) -> list[list[dict[str, str]]]:
    return [row["messages"] for split in ("train", "validation", "test") for row in rows(folder, split)]


def counts(folder: Path, kind: str) -> dict[str, int]:
    report = json.loads((folder / "out" / "report.json").read_text("utf-8"))
    return {row["reason"]: row["count"] for row in report.get(kind, [])}


# --- the whole way


def test_a_chat_becomes_conversations_in_the_order_of_time(tmp_path: Path) -> None:
    write(tmp_path, leo=export(days(20)))
    assert run(tmp_path) == 0
    assert [len(rows(tmp_path, split)) for split in ("train", "validation", "test")] == [17, 1, 2]
    latest = {
        split: [row["document"] for row in rows(tmp_path, split)] for split in ("train", "validation", "test")
    }
    assert max(latest["train"]) < min(latest["validation"]) < min(latest["test"])
    assert rows(tmp_path, "train")[0]["messages"] == [
        {"role": "system", "content": "Eres Ana Paz y contestas como en un chat de mensajes cortos."},
        {"role": "user", "content": "hola 0\nestás 0"},
        {"role": "assistant", "content": "sí 0\ndecime 0 Persona 1"},
    ]
    written = "".join(
        (tmp_path / "out" / name).read_text("utf-8")
        for name in ("train.jsonl", "documents.jsonl", "prepared.json")
    )
    assert "Leo" not in written
    assert "leo" not in written.replace("chats/leo", "")
    assert len(read_prepared(tmp_path / "out").train) == 17


def test_the_consent_is_carried_with_names_masked(tmp_path: Path) -> None:
    write(tmp_path, leo=export(days(4)))
    assert run(tmp_path) == 0
    carried = json.loads((tmp_path / "out" / "prepared.json").read_text("utf-8"))["options"]["consent"]
    assert carried["persona"] == "Ana Paz"
    assert carried["agreed_by"] == ["Ana Paz", "Persona 1"]
    assert carried["statement"] == "Ana y Persona 1 aceptan."
    assert carried["sha256"] == read_consent(tmp_path / "chats" / "consent.json").sha256


def test_every_turn_of_the_persona_is_learnt_once(tmp_path: Path) -> None:
    lines: list[Line] = [
        (n, "Ana Paz" if n % 3 == 2 else "Leo Ruiz", f"mensaje {n} " + "x" * (n % 50)) for n in range(400)
    ]
    write(tmp_path, leo=export(lines))
    assert run(tmp_path, "--max-chars", "600") == 0
    said = [
        text
        for chat in messages(tmp_path)
        for m in chat
        if m["role"] == "assistant"
        for text in m["content"].split("\n")
    ]
    assert said == [text.strip() for _, author, text in lines if author == "Ana Paz"]
    for chat in messages(tmp_path):
        assert [m["role"] for m in chat] == ["system", *["user", "assistant"] * (len(chat) // 2)]
        assert sum(len(m["content"]) for m in chat[1:]) <= 600
        assert all(m["content"].strip() for m in chat)


def test_a_group_labels_who_speaks(tmp_path: Path) -> None:
    group = [
        (0, "Leo Ruiz", "vamos?"),
        (1, "Leo Ruiz", "hoy"),
        (2, "Rita", "dale @Leo Ruiz"),
        (3, "Ana Paz", "voy"),
    ]
    write(tmp_path, grupo=export([(d * 2000 + m, a, t) for d in range(3) for m, a, t in group]))
    assert run(tmp_path) == 0
    assert messages(tmp_path)[0][1]["content"] == "Persona 1: vamos?\nhoy\nPersona 2: dale @Persona 1"


def test_the_name_of_a_group_is_nobodys(tmp_path: Path) -> None:
    lines = [
        "[01/03/24, 10:00:00] Cena chat: \u200eLos mensajes y las llamadas están cifrados de extremo a extremo."
    ]
    lines += [
        "[01/03/24, 10:00:01] Leo: abro el chat de la cena",
        "[01/03/24, 10:00:02] Ana Paz: ya en el chat",
    ]
    write(tmp_path, grupo="\n".join(lines))
    assert run(tmp_path) == 0
    assert [m["content"] for m in messages(tmp_path)[0][1:]] == ["abro el chat de la cena", "ya en el chat"]


def test_pseudonyms_are_the_same_in_all_chats_and_can_be_left_out(tmp_path: Path) -> None:
    write(tmp_path, a=export([(0, "Leo Ruiz", "soy leo"), (1, "Ana Paz", "hola")]),
          b=export([(5000, "Rita", "y Leo?"), (5001, "Ana Paz", "leo no, Berta menos")]))  # fmt: skip
    assert run(tmp_path, "--mask-name", "Berta") == 0
    assert [[m["content"] for m in chat[1:]] for chat in messages(tmp_path)] == [
        ["soy Persona 1", "hola"],
        ["y Persona 1?", "Persona 1 no, [nombre] menos"],
    ]
    assert run(tmp_path, "--keep-names") == 0
    assert messages(tmp_path)[1][2]["content"] == "leo no, Berta menos"


def test_secrets_are_masked_everywhere_and_only_counted(tmp_path: Path) -> None:
    card, mail = "4111 1111 1111 1111", "leo@correo.com"
    text = export(
        [(0, "Leo Ruiz", f"mi tarjeta es {card}"), (1, "Ana Paz", f"mandala a {mail} o +54 9 11 6234-5678")]
    )
    write(tmp_path, leo=f"antes: {mail}\n{text}", )  # fmt: skip
    assert run(tmp_path) == 0
    for path in (tmp_path / "out").iterdir():
        content = path.read_text("utf-8")
        assert not [secret for secret in (card, mail, "6234") if secret in content]
    report = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))
    assert {row["kind"]: row["times"] for row in report["tables"]["personal data masked"]} == {
        "card": 1,
        "email": 1,
        "phone": 1,
    }
    assert report["tables"]["lines not understood"][0]["text"] == "antes: [correo]"


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    day = 24 * 60
    lines: list[Line] = [
        (0, "Leo Ruiz", "<Multimedia omitido>"), (1, "Ana Paz", "linda foto"), (2, "Ana Paz", "<Multimedia omitido>"),
        (3, "Ana Paz", "Eliminaste este mensaje"), (4, "Leo Ruiz", "sin respuesta"), (day, "Leo Ruiz", "solo yo"),
    ]  # fmt: skip
    write(tmp_path, leo=export(lines))
    assert run(tmp_path) == 0
    assert [m["content"] for m in messages(tmp_path)[0][1:]] == ["[adjunto]", "linda foto"]
    dropped = counts(tmp_path, "dropped")
    assert dropped["attachments of the persona"] == 1
    assert dropped["deleted messages"] == 1
    assert dropped["messages of others that the persona does not answer"] == 1
    assert dropped["conversations in which the persona does not write"] == 1


def test_zip_files_are_read_and_their_media_counted(tmp_path: Path) -> None:
    write(tmp_path)
    with zipfile.ZipFile(tmp_path / "chats" / "leo.zip", "w") as archive:
        archive.writestr("Chat de WhatsApp con Leo.txt", export(days(3)))
        archive.writestr("../../fuera.txt", "una nota que alguien mandó")
        archive.writestr("IMG-1.jpg", b"\xff\xd8")
        archive.writestr("IMG-2.jpg", b"\xff\xd8")
    assert run(tmp_path) == 0
    assert len(messages(tmp_path)) == 3
    dropped = counts(tmp_path, "dropped")
    assert dropped["files in a .zip that are not read (.jpg)"] == 2
    assert dropped["texts in a .zip that are no chat"] == 1
    assert not (tmp_path.parent / "fuera.txt").exists()


def test_bad_archives_are_named(tmp_path: Path) -> None:
    bad = tmp_path / "x.zip"
    bad.write_bytes(b"PK\x03\x04 roto")
    with pytest.raises(NotText, match="cannot be read as a ZIP"):
        list(texts_of(bad, "x.zip", (".txt",), Audit()))
    with zipfile.ZipFile(bad, "w") as archive:
        archive.writestr("a.jpg", b"1")
    with pytest.raises(NotText, match=r"no \.txt"):
        list(texts_of(bad, "x.zip", (".txt",), Audit()))


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("train.archives.MAX_TEXT", 1000)
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", b"0" * 100_000)
    with pytest.raises(NotText, match="larger than"):
        list(texts_of(tmp_path / "x.zip", "x.zip", (".txt",), Audit()))


# --- refusals


def test_without_consent_nothing_is_prepared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, leo=export(days(3)))
    (tmp_path / "chats" / "consent.json").unlink()
    assert run(tmp_path) == 2
    assert "--consent" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    (tmp_path / "ok.txt").write_text(
        "persona: Ana Paz\nagreed_by: Ana Paz; Leo\ndate: 2026-01-02\nstatement: Sí.\n", "utf-8"
    )
    assert run(tmp_path, "--consent", str(tmp_path / "ok.txt")) == 0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"persona": "Leo Ruiz"}, "it is Leo Ruiz's, not Ana Paz's"),
        ({"date": "ayer"}, "not YYYY-MM-DD"),
        ({"statement": ""}, "statement"),
    ],
)
def test_a_consent_that_is_not_the_personas(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, str], reason: str
) -> None:
    write(tmp_path, leo=export(days(3)))
    (tmp_path / "chats" / "consent.json").write_text(json.dumps(CONSENT | change), encoding="utf-8")
    assert run(tmp_path) == 2
    assert reason in capsys.readouterr().err


def test_a_consent_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_bytes(b"\x00\x01\x02" * 50)
    with pytest.raises(BadConsent):
        read_consent(tmp_path / "c.json")


def test_an_unknown_persona_is_answered_with_the_authors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, leo=export(days(3)))
    assert run(tmp_path, persona="Nadie") == 2
    assert "Leo Ruiz (6); Ana Paz (6)" in capsys.readouterr().err
    assert run(tmp_path, persona="ana") == 0  # the only author with that word


def test_a_text_that_is_no_chat(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, leo=export(days(3)), nota="Una nota.\nSin fechas.")
    assert run(tmp_path) == 2
    assert "nota.txt" in capsys.readouterr().err
    assert run(tmp_path, "--skip-bad") == 0


# --- turns, examples, split


def said(*messages: tuple[float, bool, str]) -> list[Said]:
    return [
        Said(START + datetime.timedelta(minutes=m), "Ana" if p else "Leo", text, p) for m, p, text in messages
    ]


def test_turns_by_window() -> None:
    window = datetime.timedelta(minutes=3)
    turns = to_turns(
        said(
            (0, True, "a"),
            (3, True, "b\n\nc"),
            (7, True, "d"),
            (8, False, "x"),
            (60, False, "y"),
            (61, True, "e"),
        ),
        window,
    )
    assert [(t.by_persona, [text for _, text in t.bubbles]) for t in turns] == [
        (True, ["a", "b", "c"]), (True, ["d"]), (False, ["x", "y"]), (True, ["e"]),
    ]  # fmt: skip


def test_what_the_persona_writes_unasked_follows_the_opening(tmp_path: Path) -> None:
    lines: list[Line] = [(0, "Ana Paz", "a"), (1, "Leo Ruiz", "x"), (2, "Ana Paz", "b"), (30, "Ana Paz", "c")]
    write(tmp_path, leo=export(lines))
    assert run(tmp_path) == 0
    assert [m["content"] for m in messages(tmp_path)[0][1:]] == [
        CHAT_OPENING,
        "a",
        "x",
        "b",
        CHAT_OPENING,
        "c",
    ]


def test_examples_are_of_about_equal_length() -> None:
    groups = pack([Exchange("x" * 50, "y" * 50, 2)] * 50, Limits(1500, 100))
    assert [len(group) for group in groups] == [13, 13, 12, 12] or max(map(len, groups)) - min(
        map(len, groups)
    ) <= 2
    assert sum(map(len, groups)) == 50
    assert all(sum(e.characters for e in group) <= 1500 for group in groups)
    assert max(sum(e.bubbles for e in g) for g in pack([Exchange("x", "y", 2)] * 50, Limits(1500, 10))) <= 10


def test_history_goes_between_system_and_the_last_message() -> None:
    history = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    rendered = CHAT.example("d", history, persona="Ana {x}", message="c")
    assert [m["content"] for m in rendered[1:]] == ["a", "b", "c", "d"]
    assert "Ana {x}" in rendered[0]["content"]


def test_near_duplicates_of_later_splits_are_left_out() -> None:
    documents = [Document(id=str(n), title="", source="", sections=[[str(n)]]) for n in range(20)]
    audit = Audit()
    left = assign_latest(
        documents, Groups([[3, 19], [4, 5], *([n] for n in range(20) if n not in (3, 4, 5, 19))]), audit
    )
    assert [d.split for d in documents[16:]] == ["train", "validation", "test", "test"]
    assert [d.id for d in left] == [str(n) for n in range(20) if n != 3]
    assert audit.counts["dropped"] == {"near-duplicates of a document of test": 1}


@pytest.mark.real_data
@pytest.mark.skipif(not (SHARED / "whatsapp").is_dir(), reason="../shared/data is absent")
def test_two_shared_exports_of_one_group(tmp_path: Path) -> None:
    consent = tmp_path / "consent.json"
    consent.write_text(json.dumps(CONSENT | {"persona": "Giuseppe"}), encoding="utf-8")
    source = SHARED / "whatsapp/whatstk/chats/whatsapp"
    (tmp_path / "chats").mkdir()
    for part in (1, 2):
        (tmp_path / "chats" / f"{part}.txt").write_bytes(
            (source / f"lorem-merge-part{part}.txt").read_bytes()
        )
    assert run(tmp_path, "--consent", str(consent), persona="Giuseppe") == 0
    kept = counts(tmp_path, "kept")
    assert (kept["messages of the persona"], kept["messages of others"]) == (150, 450)
    assert all("+1 123" not in m["content"] for chat in messages(tmp_path) for m in chat)
