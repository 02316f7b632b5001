"""Small corpora written to disk for the tests of `train prepare`: texts, tables and transcripts as makers have them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from train.audit import Audit
from train.corpus import Corpus, Document

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "data"
TALK = (
    "La primera vez que vi un glaciar tenía nueve años y creí que era una pared. Mi abuela, que había nacido en el "
    "páramo, me dijo que el hielo también camina.\n\n"
    "Durante veinte años medí ese camino con estacas de madera. Cada enero subía con mis alumnas y cada enero las "
    "estacas estaban más lejos unas de otras, como si alguien tirara de ellas.\n\n"
    "Hoy el glaciar ya no llega a la piedra donde desayunábamos. ¿Qué hacemos con una medida que se acaba? "
    "La guardamos, porque alguien la va a necesitar."
)


def prepare(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs `python -m train prepare …` as a maker does."""
    command = [sys.executable, "-m", "train", "prepare", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def talk(number: int, topic: str = "glaciares") -> str:
    """A text of three paragraphs that shares nothing with another number's."""
    paragraphs = []
    for part in range(3):
        words = [f"{topic}{number}x{part}y{i}" for i in range(40)]
        paragraphs.append("Uno " + " ".join(words) + ".")
    return "\n\n".join(paragraphs)


def transcript(title: str, turns: list[tuple[str, str]], date: str = "03 de marzo de 2020") -> str:
    """A transcript in the layout of the public archive: header, then `---`, label, text."""
    blocks = "".join(f"---\n{label}\n{text}\n" for label, text in turns)
    return f"{title}\nPresidencia\n{date}\n{blocks}"


def speech(topic: str, sentences: int = 20) -> str:
    """Complete sentences about a topic, one paragraph of four sentences a line."""
    lines = [
        f"El {topic} número {i} llegó a la escuela del pueblo y cambió la costumbre de {i} familias."
        for i in range(sentences)
    ]
    return "\n".join(" ".join(lines[i : i + 4]) for i in range(0, sentences, 4))


def read_corpus(path: Path, skip_bad: bool = False) -> tuple[list[Document], Audit]:
    """The documents of a file or folder, and what was counted."""
    audit = Audit()
    return list(Corpus(path, audit, skip_bad)), audit


def only(path: Path, raw: bytes) -> tuple[Document, Audit]:
    """The one document of a file with these bytes."""
    path.write_bytes(raw)
    (document,), audit = read_corpus(path)
    return document, audit


def paragraphs(document: Document) -> list[str]:
    """What a reader separated by blank lines."""
    return [part.strip() for part in document.raw.split("\n\n") if part.strip()]
