"""Twenty texts of each tab of a bundle, to be read: `python -m tests.bench.samples [--bundle DIR] > samples.md`.

The prompts, the seeds and the settings (one minute, the page's creativity) are fixed here, before anything is read, so that no text is
chosen. docs/samples.md keeps the texts of the embedded bundle with a reader's verdict on each.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from space.bundle import Bundle
from space.frames import Frame, Grounded, Speech
from space.generators import finetuned, rag
from space.settings import EMBEDDED, Settings
from space.studio import Studio

PROMPTS = [
    ("el mar, los pescadores", "oceanografía", ""),
    ("los relojes, el tiempo", "relojería", ""),
    ("los maestros, la escuela", "educación", "Mi primera maestra no tenía pizarra."),
    ("las palabras, el diccionario", "lexicografía", ""),
    ("el pan", "panadería", ""),
    ("la paciencia", "", ""),
    ("los murciélagos, el bosque", "biología", ""),
    ("la memoria, mi abuela", "", "Mi abuela guardaba las cartas en una caja de galletas."),
    ("el agua, los ríos", "ingeniería", ""),
    ("la música, el silencio", "música", ""),
    ("los mapas", "cartografía", ""),
    ("el miedo, el error", "medicina", ""),
    ("la inteligencia artificial", "informática", ""),
    ("el fútbol, la justicia", "arbitraje", ""),
    ("las semillas, el maíz", "agricultura", ""),
    ("la noche, las estrellas", "astronomía", ""),
    ("el trabajo, las manos", "carpintería", "Aprendí a escuchar la madera antes que a cortarla."),
    ("los trenes, la despedida", "", ""),
    ("la luz, la electricidad", "energía", ""),
    ("la risa", "teatro", ""),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=Path, default=EMBEDDED)
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--only", choices=["finetuned", "rag"], help="one of the tabs")
    args = parser.parse_args()
    studio = Studio(Bundle.load(args.bundle), Settings())
    if args.only != "rag":
        print("## Fine-tuned\n")
        for seed, (topics, field, opening) in enumerate(PROMPTS, 1):
            speech = Speech(topics=topics, field=field, opening=opening, minutes=args.minutes, seed=seed)
            print(sample(seed, speech, list(finetuned(studio, speech))[-1]))
    if args.only != "finetuned":
        print("## RAG\n")
        for seed, (topics, field, _) in enumerate(PROMPTS, 1):
            question = Grounded(topics=topics, field=field, minutes=args.minutes, seed=seed)
            print(sample(seed, question, list(rag(studio, question))[-1]))


def sample(number: int, speech: Speech, frame: Frame) -> str:
    """One text with its prompt, the passages that it was given and how it ended, in Markdown."""
    asked = [f"*{speech.topics}*", speech.field, f"«{speech.opening}»" if speech.opening else ""]
    passages = "; ".join(dict.fromkeys(f.hit.passage.title for f in frame.passages if f.used))
    lines = [f"### {number}. {' · '.join(filter(None, asked))}", ""]
    lines += [f"Passages of: {passages}.", ""] if passages else []
    lines += ["\n>\n".join(f"> {p}" for p in frame.text.split("\n\n")) or "> (no text)", ""]
    told = [f"{len(frame.text.split())} words"]
    if frame.grounding:
        told.append(
            f"{sum(s.passage > 0 for s in frame.grounding)} of {len(frame.grounding)} sentences borne out"
        )
    return "\n".join([*lines, "; ".join(told + [note.key for note in frame.notes]), ""])


if __name__ == "__main__":
    main()
