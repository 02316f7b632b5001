"""Recipes, split, report and output of `python -m train prepare`. Run: pytest tests/test_prepare.py"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from space.prompts import RAG, SPEECH, join_topics
from tests.corpus_files import SHARED, TALK, prepare, speech, talk, transcript
from train.audit import Audit
from train.corpus import Document
from train.errors import AmbiguousSpeaker
from train.keyphrases import Keyphrases
from train.recipes import available
from train.recipes.conference import with_subject
from train.speakers import Speaker
from train.split import (
    SPLITS,
    assign,
    drop_exact_duplicates,
    drop_repeated_paragraphs,
    drop_shared_paragraphs,
    group_near_duplicates,
)
from train.transcripts import UNKNOWN, parse
from train.units import Size, balanced, pack

NAME = "Andrés Manuel López Obrador"


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def examples(out: Path) -> list[dict[str, Any]]:
    return [row for split in SPLITS for row in rows(out / f"{split}.jsonl")]


def document(name: str, text: str) -> Document:
    return Document(id=name, title=name, source=name, sections=[text.split("\n\n")])


# --- speakers and turns


@pytest.mark.parametrize(
    ("label", "taken"),
    [
        ("PRESIDENTE ANDRÉS MANUEL LÓPEZ OBRADOR", True),
        ("ANDRES MANUEL LOPEZ OBRADOR", True),
        ("AMLO", True),
        ("LÓPEZ OBRADOR", True),
        ("LIC. ANDRÉS LÓPEZ OBRADOR", True),
        ("Presidente Andrés Manuel López Obrador (por teléfono)", True),
        ("ANDRÉS MANUEL LÓPEZ OBRADOR, PRESIDENTE DE MÉXICO", True),
        ("PRESIDENTE DE MÉXICO, ANDRÉS MANUEL LÓPEZ OBRADOR", True),
        ("PRSIDENTE ANDRÉS MANUEL LÓPEZ OBRADOR", True),
        ("PRESIDENTE ANDRÉS MANEL LÓPEZ OBRADOR", True),
        ("PRESIDENTE ANDRÉS MANU6EL LÓPEZ OBRADOR", True),
        ("ANRÉS MANUEL LÓPEZ IBRADOR", True),
        ("JOSÉ RAMÓN LÓPEZ OBRADOR", False),
        ("ANDRÉS MANUEL LÓPEZ BELTRÁN", False),
        ("JOSÉ MANUEL LÓPEZ CAMPOS, PRESIDENTE DE LA CONFEDERACIÓN", False),
        ("BEATRIZ GUTIÉRREZ MUELLER, ESPOSA DEL PRESIDENTE LÓPEZ OBRADOR", False),
        ("ESPOSA DEL PRESIDENTE ANDRÉS MANUEL LÓPEZ OBRADOR", False),
        ("ADÁN AUGUSTO LÓPEZ HERNÁNDEZ", False),
        ("ANDRÉS MANUEL", False),
        ("PRESIDENTE", False),
        ("INTERLOCUTORA", False),
        ("???", False),
    ],
)
def test_labels_of_one_person(label: str, taken: bool) -> None:
    assert Speaker(NAME).match(label).accepted is taken


@pytest.mark.parametrize(
    ("name", "label", "taken"),
    [
        ("Claudia Sheinbaum", "CLAUDIA SHEINBAUM PARDO, JEFA DE GOBIERNO", True),
        ("Cristina Fernández de Kirchner", "PRESIDENTA CRISTINA FERNÁNDEZ", True),
        ("Olga Hernández Ruiz", "OLGA FERNÁNDEZ RUIZ", False),
        ("María López Díaz", "MARIO LÓPEZ DÍAZ", False),
        ("Arturo Herrera Gutiérrez", "ARRTURO HERRERA GUTIÉRRREZ", False),
        ("Arturo Herrera Gutiérrez", "ARTURO HERRERA GUTIÉRRREZ", True),
        ("PRESIDENTA", "Presidenta", True),
        ("Pedro Sánchez", "El presidente Pedro Sánchez Pérez-Castejón", True),
        ("Pedro Sánchez Pérez-Castejón", "El señor PRESIDENTE DEL GOBIERNO (Sánchez Pérez-Castejón)", True),
        ("Gabriel Boric", "S.E. EL PRESIDENTE DE LA REPÚBLICA, GABRIEL BORIC FONT", True),
        ("Gustavo Petro", "Presidente Gustavo Petro Urrego", True),
        ("Gustavo Petro", "PRESIDENTE DUQUE", False),
    ],
)
def test_other_names(name: str, label: str, taken: bool) -> None:
    assert Speaker(name).match(label).accepted is taken


def test_a_short_name_of_two_people_is_refused() -> None:
    with pytest.raises(AmbiguousSpeaker, match="BELTRÁN"):
        Speaker("Andrés López").choose(["ANDRÉS LÓPEZ BELTRÁN", "ANDRÉS LÓPEZ OBRADOR", "PREGUNTA"])


def test_a_title_and_a_surname_are_taken_when_no_other_has_it() -> None:
    def accepted(labels: list[str]) -> list[str]:
        return [
            label for label, match in Speaker("Cristina Fernández").choose(labels).items() if match.accepted
        ]

    assert accepted(["PRESIDENTA FERNÁNDEZ", "PREGUNTA"]) == ["PRESIDENTA FERNÁNDEZ"]
    assert accepted(["PRESIDENTA FERNÁNDEZ", "ANÍBAL FERNÁNDEZ"]) == []
    assert accepted(["FERNÁNDEZ", "PREGUNTA"]) == []


def test_an_alias_is_taken_as_it_is() -> None:
    assert Speaker(NAME, ["El Peje"]).match("EL PEJE").accepted


@pytest.mark.parametrize(
    ("title", "is_his"),
    [
        ("Discurso de Andrés Manuel López Obrador, Presidente de los Estados Unidos Mexicanos", True),
        ("07--mensaje-del-presidente-andres-manuel-lopez-obrador-en-tuxpan-nayarit.txt", True),
        ("Mensaje del Presidente de los Estados Unidos Mexicanos, Andrés Manuel López Obrador", True),
        ("Palabras del presidente López Obrador en Oaxaca", True),
        ("Primera reunión del Presidente Andrés Manuel López Obrador con gobernadores", False),
        ("Mensaje de la secretaria Olga Sánchez en la reunión con Andrés Manuel López Obrador", False),
        ("Discurso de José Ramón López Obrador", False),
    ],
)
def test_titles_that_name_the_speaker(title: str, is_his: bool) -> None:
    assert Speaker(NAME).is_named_as_author(title) is is_his


def test_turns_in_blocks() -> None:
    text = transcript(
        "Un acto", [("ANA RUIZ, MINISTRA", "Uno.\nDos."), ("???", "Tres."), ("PREGUNTA", "¿Cuatro?")]
    )
    found = parse(text)
    assert found.header == ["Un acto", "Presidencia", "03 de marzo de 2020"]
    assert [(t.label, t.text) for t in found.turns] == [
        ("ANA RUIZ, MINISTRA", "Uno.\nDos."),
        (UNKNOWN, "Tres."),
        ("PREGUNTA", "¿Cuatro?"),
    ]


def test_turns_with_labels_in_the_line() -> None:
    found = parse(
        "Presentación.\n\nPRESIDENTA.- Buenas tardes.\nSigo yo.\n**PERIODISTA:** ¿Qué pasa?\nPRESIDENTA.- Nada: todo bien."
    )
    assert [(t.label, t.text.split()[0]) for t in found.turns] == [
        (UNKNOWN, "Presentación."),
        ("PRESIDENTA", "Buenas"),
        ("PERIODISTA", "¿Qué"),
        ("PRESIDENTA", "Nada:"),
    ]


def test_turns_with_names_in_mixed_case() -> None:
    blocks = parse(
        "Acto\n---\nPresidenta Claudia Sheinbaum\nHola.\n---\nAna Ruiz, jefa de prensa\nPasen.\n---\nPresidenta Claudia Sheinbaum\nYa."
    )
    assert [t.label for t in blocks.turns] == [
        "Presidenta Claudia Sheinbaum",
        "Ana Ruiz, jefa de prensa",
        "Presidenta Claudia Sheinbaum",
    ]
    lines = parse("\n".join(["Moderador: Buenas.", "El señor PRESIDENTE DEL GOBIERNO (Sánchez): Hola."] * 3))
    assert [t.label for t in lines.turns[:2]] == ["Moderador", "El señor PRESIDENTE DEL GOBIERNO (Sánchez)"]


def test_prose_with_colons_has_no_labels() -> None:
    assert not parse("Les digo: vamos bien.\nEntonces: sí.\nY una cosa: gracias.").labelled


# --- units


def test_units_have_the_wanted_size_and_whole_sentences() -> None:
    sections = [
        [speech("camión", 40).replace("\n", "\n\n")][0].split("\n\n"),
        ["Sí, claro que sí."],
        speech("libro", 30).split("\n"),
    ]
    audit = Audit()
    units = pack(sections, Size(150, 450), audit)
    assert all(150 <= len(unit.split()) <= 450 for unit in units)
    assert all(unit.endswith(".") for unit in units)
    kept = " ".join(" ".join(units).split())
    dropped = sum(audit.counts["dropped"].values())
    assert dropped or kept == " ".join(" ".join(p for s in sections for p in s).split())


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.lists(st.lists(st.integers(1, 60), min_size=1, max_size=6), min_size=1, max_size=5),
        min_size=1,
        max_size=8,
    )
)
def test_pack_loses_no_sentence_without_counting_it(shape: list[list[list[int]]]) -> None:
    number = iter(range(10**6))
    sections = [
        [
            " ".join(f"S{next(number)} {' '.join(['palabra'] * words)}." for words in paragraph)
            for paragraph in section
        ]
        for section in shape
    ]
    audit = Audit()
    units = pack(sections, Size(100, 200), audit)
    every = [
        token
        for section in sections
        for paragraph in section
        for token in paragraph.split()
        if token.startswith("S")
    ]
    kept = [token for unit in units for token in unit.split() if token.startswith("S")]
    assert [token for token in every if token in set(kept)] == kept
    assert all(100 <= len(unit.split()) <= 200 for unit in units)
    assert len(kept) == len(every) or audit.counts["dropped"]


def test_balanced_parts_of_a_long_talk() -> None:
    paragraphs = speech("tren", 80).split("\n")
    total = sum(len(p.split()) for p in paragraphs)
    parts = balanced(paragraphs, 600, Audit())
    assert len(parts) == -(-total // 600)
    assert "\n\n".join(parts) == "\n\n".join(paragraphs)
    lengths = [len(part.split()) for part in parts]
    assert max(lengths) <= 600
    assert max(lengths) - min(lengths) <= 130


# --- split


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.integers(0, 5), st.integers(0, 1000))
def test_each_document_is_in_one_split_and_near_duplicates_stay_together(
    number: int, copies: int, seed: int
) -> None:
    documents = [document(f"d{i:03}", talk(i)) for i in range(number)]
    documents += [
        document(f"d{i:03}bis", talk(i).replace("Uno", "Dos", 1)) for i in range(min(copies, number))
    ]
    groups = group_near_duplicates(documents)
    assign(documents, groups, seed)
    assert sorted(i for group in groups.members for i in group) == list(range(len(documents)))
    assert len(groups.near_duplicates) == min(copies, number)
    for group in groups.members:
        assert len({documents[i].split for i in group}) == 1
    sizes = {split: sum(d.split == split for d in documents) for split in SPLITS}
    if len(groups.members) >= 3:
        assert all(sizes.values())
        assert sizes["train"] >= len(documents) * 0.5 or len(documents) < 10
    else:
        assert sizes["train"] == len(documents)


def test_fractions_of_a_hundred_documents_do_not_depend_on_their_order() -> None:
    documents = [document(f"d{i:03}", talk(i)) for i in range(100)]
    assign(documents, group_near_duplicates(documents), 7)
    first = {d.id: d.split for d in documents}
    assert [list(first.values()).count(split) for split in SPLITS] == [90, 5, 5]
    documents.reverse()
    assign(documents, group_near_duplicates(documents), 7)
    assert {d.id: d.split for d in documents} == first
    assign(documents, group_near_duplicates(documents), 8)
    assert {d.id: d.split for d in documents} != first


def test_exact_duplicates_are_dropped_whatever_their_case_and_punctuation() -> None:
    audit = Audit()
    kept = drop_exact_duplicates(
        [document("a", TALK), document("b", TALK.upper().replace(",", "")), document("c", talk(1))], audit
    )
    assert [d.id for d in kept] == ["a", "c"]
    assert audit.samples["dropped", "documents: the same text as another"] == ["b = a"]


def test_a_shared_paragraph_stays_only_in_the_last_split() -> None:
    formula = "La verdad es que " + " ".join(f"formula{i}" for i in range(20)) + "."
    short = "Muchas gracias a todas y a todos."
    documents = [
        document(name, f"{talk(i)}\n\n{formula}\n\n{short}") for i, name in enumerate(["a", "b", "c"])
    ]
    for d, split in zip(documents, SPLITS, strict=True):
        d.split = split
    audit = Audit()
    result = drop_shared_paragraphs(documents, audit)
    assert [formula in d.paragraphs for d in result] == [False, False, True]
    assert all(short in d.paragraphs for d in result)
    assert audit.counts["dropped"] == {
        "paragraphs of train that a later split holds too": 1,
        "paragraphs of validation that a later split holds too": 1,
    }
    assert all(formula in d.paragraphs for d in documents)  # documents.jsonl keeps the whole texts


def test_a_site_notice_in_every_document_is_dropped() -> None:
    notice = "Este sitio usa galletas propias y de terceros para funcionar mejor."
    documents = [document(str(i), f"{talk(i)}\n\n{notice}") for i in range(6)]
    audit = Audit()
    assert all(notice not in d.paragraphs for d in drop_repeated_paragraphs(documents, audit))
    assert audit.counts["dropped"]["paragraphs that a fifth of the documents repeat"] == 6


# --- topics


def test_topics_are_noun_phrases_as_they_are_written() -> None:
    texts = [
        f"Buenos días. Hoy vamos a hablar de los adultos mayores. La pensión de los adultos mayores la entrega el Banco del Bienestar. "
        f"No hay que olvidar a los adultos mayores: hay que decir que la pensión llega al Banco del Bienestar. Número {i}."
        for i in range(3)
    ] + [
        "El Tren Maya pasa por la selva. La selva y el Tren Maya son de todos. No se va a tirar la selva, dice López. El Tren Maya va.",
        "La refinería de Tula produce gasolina. El precio de la gasolina baja. La gasolina y la refinería de Tula.",
    ]
    topics = Keyphrases(texts, exclude=["Andrés López"]).topics(2)
    assert topics == Keyphrases(texts, exclude=["Andrés López"]).topics(2)
    assert "adultos mayores" in topics[0]
    assert "Tren Maya" in topics[3]
    assert any("gasolina" in topic for topic in topics[4])
    every = " ".join(topic for row in topics for topic in row).lower()
    assert not any(word in every.split() for word in ("vamos", "hay", "buenos", "días", "lópez", "va"))


def test_topics_of_nothing() -> None:
    assert Keyphrases(["", "no, sí, ya"]).topics() == [[], []]
    assert Keyphrases([]).topics() == []


# --- the command


def make_talks(folder: Path, number: int = 12) -> None:
    for i in range(number):
        (folder / f"{i:02}.md").write_text(
            f"---\ntitle: Charla {i}\nspeaker: Ana\nfield: historia\ntopics: [uno, dos, tres]\n---\n{talk(i)}\n",
            encoding="utf-8",
        )


def test_speech_writes_the_whole_contract(tmp_path: Path) -> None:
    source, out = tmp_path / "charlas", tmp_path / "salida"
    source.mkdir()
    make_talks(source)
    (source / "largo.txt").write_text("\n\n".join(speech("molino", 96).split("\n")), encoding="utf-8")
    done = prepare("speech", source, "--out", out)
    assert done.returncode == 0, done.stderr
    manifest = json.loads((out / "prepared.json").read_text(encoding="utf-8"))
    assert manifest["format"] == 1
    assert manifest["recipe"] == "speech"
    assert manifest["templates"] == {"speech": SPEECH.to_json(), "rag": RAG.to_json()}
    assert manifest["counts"]["documents"] == {"train": 11, "validation": 1, "test": 1}
    assert len(manifest["corpus_sha256"]) == 64
    assert {p.name for p in out.iterdir()} == {
        *(f"{split}.jsonl" for split in SPLITS), "documents.jsonl", "report.json", "report.md", "report.html",
        "README.md", "prepared.json",
    }  # fmt: skip
    documents = {row["id"]: row for row in rows(out / "documents.jsonl")}
    assert len(documents) == 13
    assert documents["00.md"]["text"] == talk(0)
    assert documents["00.md"]["speaker"] == "Ana"
    found = examples(out)
    short = next(e for e in found if e["document"] == "00.md")
    assert short["messages"] == SPEECH.example(talk(0), field="historia", topics="uno, dos y tres")
    assert short["derived"] == []
    parts = [e for e in found if e["document"] == "largo.txt"]
    assert [e["part"] for e in parts] == [1, 2, 3]
    assert parts[0]["derived"] == ["topics", "field"]
    assert "molino" in parts[0]["messages"][0]["content"]
    assert "continuación" not in parts[0]["messages"][0]["content"]
    assert parts[1]["messages"][0]["content"].endswith("(continuación, parte 2 de 3)")
    assert "\n\n".join(e["messages"][1]["content"] for e in parts) == documents["largo.txt"]["text"]
    for split in SPLITS:
        assert all(documents[e["document"]]["split"] == split for e in rows(out / f"{split}.jsonl"))


def test_same_corpus_same_output(tmp_path: Path) -> None:
    source = tmp_path / "charlas"
    source.mkdir()
    make_talks(source)
    for out in ("a", "b"):
        assert prepare("speech", source, "--out", tmp_path / out).returncode == 0
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_output_is_replaced_whole_or_refused(tmp_path: Path) -> None:
    source, out = tmp_path / "charlas", tmp_path / "salida"
    source.mkdir()
    make_talks(source)
    out.mkdir()
    (out / "foto.jpg").write_bytes(b"mine")
    refused = prepare("speech", source, "--out", out)
    assert refused.returncode == 2
    assert "--force" in refused.stderr
    assert [p.name for p in out.iterdir()] == ["foto.jpg"]
    assert prepare("speech", source, "--out", out, "--force").returncode == 0
    assert not (out / "foto.jpg").exists()
    before = (out / "prepared.json").read_bytes()
    (source / "malo.txt").write_bytes(b"%PDF")
    failed = prepare("speech", source, "--out", out)
    assert failed.returncode == 2
    assert "malo.txt" in failed.stderr
    assert (out / "prepared.json").read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["charlas", "salida"]
    assert prepare("speech", source, "--out", out, "--skip-bad").returncode == 0
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert report["skipped_files"] == [{"file": "malo.txt", "reason": "it is a PDF, not a text"}]
    assert "malo.txt" in (out / "report.md").read_text(encoding="utf-8")


def test_nothing_left_says_why(tmp_path: Path) -> None:
    (tmp_path / "corto.txt").write_text("Muy corto.", encoding="utf-8")
    done = prepare("speech", tmp_path, "--out", tmp_path / "salida")
    assert done.returncode == 2
    assert "under 40 words 1" in done.stderr
    assert not (tmp_path / "salida").exists()


def make_conferences(folder: Path, number: int = 4) -> None:
    for i in range(number):
        turns = [
            ("MODERADORA", "Damos inicio al acto con los honores."),
            (f"PRESIDENTE {NAME.upper()}", speech(f"puente{i}")),
            ("PREGUNTA", "¿Y el secreto de la otra persona, presidente?"),
            ("ANDRES MANUEL LOPEZ OBRADOR", speech(f"camino{i}")),
            ("PREGUNTA", "¿Seguro?"),
            (f"PRESIDENTE {NAME.upper()}", "Sí, claro."),
        ]
        (folder / f"{i}.txt").write_text(
            transcript(f"Versión estenográfica. Acto {i}", turns), encoding="utf-8"
        )


def test_conference_keeps_only_the_wanted_person(tmp_path: Path) -> None:
    source, out = tmp_path / "actos", tmp_path / "salida"
    source.mkdir()
    make_conferences(source)
    (source / "reunion.txt").write_text(transcript("Reunión", [("???", speech("ajeno"))]), encoding="utf-8")
    (source / "mensaje.txt").write_text(
        transcript(f"Mensaje del presidente {NAME}", [("???", speech("propio"))]), encoding="utf-8"
    )
    done = prepare("conference", source, "--speaker", NAME, "--out", out)
    assert done.returncode == 0, done.stderr
    found = examples(out)
    answers = " ".join(e["messages"][-1]["content"] for e in found)
    assert "secreto" not in answers
    assert "honores" not in answers
    assert "ajeno" not in answers
    assert "propio" in answers
    assert {e["document"] for e in found} == {"0.txt", "1.txt", "2.txt", "3.txt", "mensaje.txt"}
    documents = {row["id"]: row for row in rows(out / "documents.jsonl")}
    assert (documents["0.txt"]["title"], documents["0.txt"]["date"], documents["0.txt"]["speaker"]) == (
        "Acto 0",
        "2020-03-03",
        NAME,
    )
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    labels = {row["label"]: (row["match"], row["turns"]) for row in report["tables"]["labels"]}
    assert labels[f"PRESIDENTE {NAME.upper()}"] == ("exact", 8)
    assert labels["ANDRES MANUEL LOPEZ OBRADOR"] == ("exact", 4)
    assert labels["PREGUNTA"] == ("other", 8)
    dropped = {row["reason"]: row["count"] for row in report["dropped"]}
    assert dropped["turns of others"] == 12
    assert dropped["turns of the person under 8 words"] == 4
    assert sum(n for reason, n in dropped.items() if reason.startswith("documents without labels")) == 1


def test_the_subject_that_a_title_names_is_the_first_topic() -> None:
    derived = ["tubos de agua", "pozo", "verano"]
    title = "Conferencia de prensa sobre el agua"
    assert with_subject(title, "Hoy el Agua no llegó.", derived) == ["el agua", "pozo", "verano"]
    assert with_subject(title, "Hoy no llegó nada, ni un aguacate.", derived) == derived
    assert with_subject(title, "El agua.", ["pozo", "verano", "lluvia"]) == ["el agua", "pozo", "verano"]
    assert with_subject("Conferencia de prensa del 3 de marzo", "El agua.", derived) == derived


def test_conference_asks_for_the_speaker_and_lists_the_labels(tmp_path: Path) -> None:
    source = tmp_path / "actos"
    source.mkdir()
    make_conferences(source, 2)
    for arguments in ([], ["--speaker", "Ricardo Lagos"]):
        done = prepare("conference", source, "--out", tmp_path / "salida", *arguments)
        assert done.returncode == 2
        assert f"PRESIDENTE {NAME.upper()}" in done.stderr
        assert "MODERADORA" in done.stderr


def test_conference_of_one_voice_without_labels(tmp_path: Path) -> None:
    source = tmp_path / "discursos"
    source.mkdir()
    for i in range(3):
        (source / f"{i}.txt").write_text(speech(f"barco{i}"), encoding="utf-8")
    assert prepare("conference", source, "--out", tmp_path / "todo").returncode == 0
    assert len(rows(tmp_path / "todo" / "documents.jsonl")) == 3
    refused = prepare("conference", source, "--speaker", "Ana Ruiz", "--out", tmp_path / "nada")
    assert refused.returncode == 2
    assert "--unlabelled keep" in refused.stderr
    kept = prepare(
        "conference", source, "--speaker", "Ana Ruiz", "--unlabelled", "keep", "--out", tmp_path / "suyo"
    )
    assert kept.returncode == 0, kept.stderr


def test_recipes_are_found_by_scanning() -> None:
    assert {"conference", "speech"} <= set(available())
    assert "listing" not in available()


# --- real data: the expectations were counted with grep and read by hand


@pytest.mark.real_data
@pytest.mark.skipif(not (SHARED / "amlo_sample").is_dir(), reason="../shared/data/amlo_sample is absent")
def test_sixty_real_transcripts(tmp_path: Path) -> None:
    done = prepare("conference", SHARED / "amlo_sample", "--speaker", NAME, "--out", tmp_path / "amlo")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "amlo" / "report.json").read_text(encoding="utf-8"))
    kept = {row["reason"]: row["count"] for row in report["kept"]}
    dropped = {row["reason"]: row["count"] for row in report["dropped"]}
    labels = {row["label"]: row for row in report["tables"]["labels"]}
    assert kept["files read"] == 60
    assert len(labels) == 195  # 196 spellings, two of which differ only in zero-width spaces
    accepted = [label for label, row in labels.items() if row["match"] in ("exact", "variant")]
    assert accepted == [f"PRESIDENTE {NAME.upper()}"]
    assert (labels[accepted[0]]["turns"], labels[accepted[0]]["documents"]) == (857, 47)
    assert labels[UNKNOWN]["turns"] == 7
    assert kept["documents without labels, by their title"] == 6
    assert kept["turns of the person"] + dropped["turns of the person under 8 words"] == 857
    assert (
        dropped["documents in which the person does not speak"] == 6
    )  # e.g. he was ill in January and February 2021
    assert dropped["documents: the same text as another"] == 1  # the inauguration, published twice
    assert sum(report["counts"]["documents"].values()) == 60 - 6 - 1 - 1
    found = examples(tmp_path / "amlo")
    assert all(150 <= len(e["messages"][-1]["content"].split()) <= 450 for e in found)
    assert all(e["messages"][-1]["content"].rstrip("\"'»”’)")[-1] in ".!?…" for e in found)
    prompts = [e["messages"][0]["content"] for e in found]
    assert all(prompt.startswith(SPEECH.messages[0][1].split("{")[0]) for prompt in prompts)
    assert not any("Obrador" in prompt for prompt in prompts)
    fillers = ("vamos", "hay que", "buenos días", "entonces")
    assert not any(
        f" {word} " in prompt.split("trate sobre")[1] + " " for prompt in prompts for word in fillers
    )


@pytest.mark.real_data
@pytest.mark.skipif(not (SHARED / "amlo_sample").is_dir(), reason="../shared/data/amlo_sample is absent")
def test_a_real_transcript_without_the_president_is_not_taken(tmp_path: Path) -> None:
    done = prepare(
        "conference", SHARED / "amlo_sample" / "2023" / "enero", "--speaker", NAME, "--out", tmp_path / "x"
    )
    assert done.returncode == 2
    assert "MODERADORA" in done.stderr


@pytest.mark.parametrize(
    ("topics", "joined"),
    [
        ([], ""),
        (["agua"], "agua"),
        (["a", "b", "c"], "a, b y c"),
        (["precios", "inflación"], "precios e inflación"),
        (["pan", "Historia de Cuba"], "pan e Historia de Cuba"),
        (["agua", "hielo"], "agua y hielo"),
    ],
)
def test_topics_are_joined_in_correct_spanish(topics: list[str], joined: str) -> None:
    assert join_topics(topics) == joined
