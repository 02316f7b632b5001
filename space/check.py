"""A bundle looked at as a whole: its lineage as a text, and its models and indexes opened once.

    python -m space check BUNDLE      a folder, or owner/repo@<40 hex digits>

What no file recorded is shown as "not recorded".
"""

from __future__ import annotations

from typing import Any

from space import persona
from space.bundle import MANIFEST, SEAL, Bundle, Generator
from space.lineage import (
    BUNDLE_AGAIN,
    compare,
    index_manifest,
    inside,
    lineage_of,
    measured,
    parts_of,
    read_report,
    text_sha256,
)

NOT_RECORDED = "not recorded"
_SHOWN = 16
_WIDTH = 16


def open_parts(bundle: Bundle) -> None:
    """Opens every model and index as the Space does, and compares the chat template with the model's own.

    Raises ModelUnreadable (a truncated GGUF, an adapter for other shapes), LineageMismatch, and the errors of `Index.load`,
    among them EmbedderMismatch for an embedder that does not give the stored vectors.
    """
    import llama_cpp

    from index.search import Index
    from space.native import Model

    model = Model(bundle.base, bundle.adapters)
    own = llama_cpp.llama_model_chat_template(model.pointer, None)
    found = {"chat_template_sha256": text_sha256(own.decode("utf-8")) if own else None}
    model.close()
    said = {"chat_template_sha256": text_sha256(bundle.chat_template)}
    compare("chat_template_sha256", MANIFEST, said, bundle.base_file, found, BUNDLE_AGAIN)
    for folder in bundle.indexes.values():
        Index.load(folder)


def describe(bundle: Bundle) -> str:
    """A verified bundle as a text to read: generators with their lineage, files with sizes and hashes, reports."""
    sealed = SEAL.search((bundle.folder / MANIFEST).read_bytes())
    lines = [
        f"{bundle.name}, made {bundle.created}, context {bundle.context} tokens",
        f"folder {bundle.folder}",
        f"{MANIFEST} {short(sealed[0].decode()) if sealed else 'has no hash of its own (an older bundle)'}",
    ]
    for generator in bundle.generators:
        lines += ["", f"generator {generator.name}: {generator.title['es']} ({generator.kind})"]
        if generator.kind == "chat":
            lines.append(f"  {persona.describe(bundle, generator)}")
        rows = [*_corpus(bundle, generator), *_models(bundle, generator), *_index(bundle, generator)]
        lines += [f"  {name:{_WIDTH}}{text}" for name, text in [*rows, *_making(bundle, generator)]]
    lines += ["", "reports", *(_reports(bundle) or ["  none"])]
    lines += ["", "files, each verified"]
    for file, entry in sorted(bundle.files.items()):
        source = f"  {entry.hub.repo}@{entry.hub.revision[:8]}" if entry.hub else ""
        lines.append(f"  {short(entry.sha256)}  {entry.size:>13,}  {file}{source}")
    lines.append(f"  {len(bundle.files)} files, {sum(entry.size for entry in bundle.files.values()):,} bytes")
    return "\n".join(lines)


def _corpus(bundle: Bundle, generator: Generator) -> list[tuple[str, str]]:
    lineage = lineage_of(bundle, generator)
    recipe = lineage.get("recipe")
    named = f"{recipe} version {lineage.get('recipe_version', NOT_RECORDED)}" if recipe else NOT_RECORDED
    return [
        ("corpus", short(lineage.get("corpus_sha256"))),
        ("recipe", named),
        ("  options", facts(inside(lineage, "options"))),
        ("  counts", facts(inside(lineage, "counts"))),
        ("license", str(lineage.get("license") or bundle.lineage.get("license") or NOT_RECORDED)),
    ]


def _models(bundle: Bundle, generator: Generator) -> list[tuple[str, str]]:
    lineage, parts = lineage_of(bundle, generator), parts_of(bundle, generator)
    training = inside(lineage, "training")
    base = inside(lineage, "base") or inside(lineage_of(bundle, bundle.generators[0]), "base")
    rows = [
        ("base", _source(base or inside(training, "base"))),
        ("  GGUF", f"{short(parts['base_gguf_sha256'])}  {bundle.base_file}"),
        ("  chat template", short(parts["chat_template_sha256"])),
        ("prompts", f"{short(parts['prompts_sha256'])}  {', '.join(generator.prompts)}"),
    ]
    if generator.adapter is None:
        return [*rows, ("adapter", "none")]
    shown = ("options", "base", "plan", "adapter_sha256", "data_sha256", "chat_template_sha256", "format")
    rest = {key: value for key, value in training.items() if key not in shown}
    return [
        *rows,
        ("adapter", f"{generator.adapter}, PEFT weights {short(training.get('adapter_sha256'))}"),
        ("  GGUF", f"{short(parts['adapter_gguf_sha256'])}  {bundle.adapter_files[generator.adapter]}"),
        ("  trained on", _source(inside(training, "base"))),
        ("  examples", short(training.get("data_sha256"))),
        ("  options", facts(inside(training, "options"))),
        ("  training", facts(rest)),
    ]


def _index(bundle: Bundle, generator: Generator) -> list[tuple[str, str]]:
    if generator.index is None:
        return [("index", "none")]
    parts, manifest = parts_of(bundle, generator), index_manifest(bundle, generator.index)
    size = f"{manifest.documents} documents, {manifest.passages} passages of about {manifest.words} words"
    revision = f"revision {short(parts['embedder_revision'])}"
    own = "the index's own" if generator.threshold is None else "the generator's"
    return [
        ("index", f"{short(parts['index_sha256'])}  {bundle.index_folders[generator.index]}, {size}"),
        ("  documents", short(parts["documents_sha256"])),
        ("  embedder", f"{short(parts['embedder_sha256'])}  {parts['embedder']}, {revision}"),
        ("  threshold", f"{parts['threshold']} ({own})"),
    ]


def _making(bundle: Bundle, generator: Generator) -> list[tuple[str, str]]:
    lineage = lineage_of(bundle, generator)
    file = bundle.originals.get(generator.name)
    trained = inside(lineage, "training").get("code_revision")
    return [
        *([("originals", f"{short(bundle.files[file].sha256)}  {file}")] if file else []),
        ("sampling", facts({**generator.sampling, "words_per_minute": generator.words_per_minute})),
        (
            "code",
            f"{lineage.get('code_revision') or NOT_RECORDED}, of the training {trained or NOT_RECORDED}",
        ),
        ("libraries", facts(inside(lineage, "libraries"))),
        ("parts", "each as it was put together" if "parts" in lineage else NOT_RECORDED),
    ]


def _reports(bundle: Bundle) -> list[str]:
    """The sections of the report, with the files that each says it measured (by hash, so they were compared)."""
    return [
        f"  {section}: {', '.join(measured(bundle, section, report)) or 'names no file by its hash'}"
        for section, report in read_report(bundle).items()
    ]


def _source(base: dict[str, Any]) -> str:
    named = str(base.get("id") or NOT_RECORDED)
    return f"{named}, revision {short(base.get('revision'))}, weights {short(base.get('sha256'))}"


def facts(record: dict[str, Any], prefix: str = "") -> str:
    """A record in one line: `key value, key value`, its inner records with dotted keys."""
    texts = []
    for key, value in record.items():
        if isinstance(value, dict):
            texts.append(facts(value, f"{prefix}{key}."))
        elif value not in (None, "", []):
            texts.append(f"{prefix}{key} {round(value, 4) if isinstance(value, float) else value}")
    return ", ".join(filter(None, texts)) or NOT_RECORDED


def short(digest: Any) -> str:
    """A hash or a revision by its first digits."""
    return str(digest)[:_SHOWN] if digest else NOT_RECORDED
