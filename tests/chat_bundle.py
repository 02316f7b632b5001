"""A bundle with personas: the tiny random model, `lucia` with its adapter and `ana` without."""

from __future__ import annotations

import shutil
from pathlib import Path

from space.bundle import Bundle, Generator
from space.files import FileEntry
from space.prompts import CHAT
from train.tokenizer import CHAT_TEMPLATE

CONTEXT = 1024
CONSENT = {
    "persona": "Lucía Ferreyra",
    "agreed_by": ["Lucía Ferreyra"],
    "date": "2026-11-21",
    "statement": "De acuerdo.",
}


def make_chat_bundle(folder: Path, model: Path, adapter: Path) -> Bundle:
    """Writes the bundle into `folder`."""
    for name, source in (("models", model), ("adapters", adapter)):
        (folder / name).mkdir(parents=True)
        shutil.copy(source, folder / name)
    examples = [{"message": "¿Cómo va la panadería?"}, {"message": "Hola, ¿dónde andás?"}]
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    bundle = Bundle(
        folder=folder,
        name="orador-tiny-chat",
        created="2026-11-21T00:00:00Z",
        base_file=f"models/{model.name}",
        context=CONTEXT,
        chat_template=CHAT_TEMPLATE,
        adapter_files={"lucia": f"adapters/{adapter.name}"},
        index_folders={},
        generators=[
            Generator(
                name=name,
                kind="chat",
                title={"es": persona, "en": persona},
                prompts={"chat": CHAT},
                adapter="lucia" if name == "lucia" else None,
                sampling={"temperature": 0.8, "top_k": 40},
                examples=examples,
                values={"persona": persona},
            )
            for name, persona in (("lucia", "Lucía Ferreyra"), ("ana", "Ana <b>{x}</b>"))
        ],
        files={str(path.relative_to(folder)): FileEntry.of(path) for path in files},
        lineage={"license": "CC0-1.0", "recipe": "chat", "options": {"consent": CONSENT}},
    )
    bundle.write()
    return bundle
