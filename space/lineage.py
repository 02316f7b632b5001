"""Whether the parts of a bundle belong together: what its lineage says of each part against the part itself.

Every load of a bundle compares them; `python -m space check BUNDLE` prints them. `parts` in a generator's lineage is what
`python -m train bundle` found in the files when it put them together. A fact that an older bundle lacks is compared
with nothing.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from index.errors import OradorError
from index.store import EMBEDDER, Manifest, read_manifest
from index.store import MANIFEST as INDEX_MANIFEST
from space.errors import BundleInvalid, LineageMismatch

if TYPE_CHECKING:
    from space.bundle import Bundle, Generator

BUNDLE_AGAIN = "python -m train bundle"


def lineage_of(bundle: Bundle, generator: Generator) -> dict[str, Any]:
    """The lineage of one generator: its own if it was added to the bundle, else the bundle's."""
    own = bundle.lineage.get("generators")
    found = own.get(generator.name) if isinstance(own, dict) else None
    return found if isinstance(found, dict) else bundle.lineage


def parts_of(bundle: Bundle, generator: Generator) -> dict[str, Any]:
    """What tells each part that serves `generator` from any other, read from the bundle's files. Raises BundleInvalid."""
    facts: dict[str, Any] = {
        "base_gguf_sha256": bundle.files[bundle.base_file].sha256,
        "chat_template_sha256": text_sha256(bundle.chat_template),
        "prompts_sha256": prompts_sha256(generator),
    }
    if generator.adapter is not None:
        facts["adapter_gguf_sha256"] = bundle.files[bundle.adapter_files[generator.adapter]].sha256
    if generator.index is not None:
        folder, manifest = bundle.index_folders[generator.index], index_manifest(bundle, generator.index)
        facts |= {
            "index_sha256": bundle.files[f"{folder}/{INDEX_MANIFEST}"].sha256,
            "documents_sha256": manifest.documents_sha256,
            "embedder": manifest.embedder.get("name"),
            "embedder_revision": manifest.embedder.get("revision"),
            "embedder_sha256": embedder_sha256(bundle, folder),
            "threshold": manifest.threshold if generator.threshold is None else generator.threshold,
        }
    if generator.name in bundle.originals:
        facts["originals_sha256"] = bundle.files[bundle.originals[generator.name]].sha256
    return facts


def with_parts(bundle: Bundle) -> dict[str, Any]:
    """The lineage of a bundle that is being put together, with `parts` for every generator that has none yet."""
    lineage = dict(bundle.lineage)
    for generator in bundle.generators:
        own = lineage.get("generators", {}).get(generator.name)
        if own is not None:
            added = {generator.name: {"parts": parts_of(bundle, generator), **own}}
            lineage["generators"] = lineage["generators"] | added
        elif generator is bundle.generators[0]:
            lineage.setdefault("parts", parts_of(bundle, generator))
    return lineage


def check_lineage(bundle: Bundle) -> None:
    """Compares every part with what the lineage and the other parts say of it. Raises LineageMismatch, BundleInvalid."""
    for name, folder in bundle.index_folders.items():
        _check_index(bundle, name, folder)
    for generator in bundle.generators:
        _check_generator(bundle, generator)
    _check_report(bundle)


def _check_generator(bundle: Bundle, generator: Generator) -> None:
    lineage, found = lineage_of(bundle, generator), parts_of(bundle, generator)
    own, first = f"the lineage of {generator.name}", bundle.generators[0]
    training = inside(lineage, "training")
    recorded = inside(lineage, "parts") if generator is first or lineage is not bundle.lineage else {}
    folder = bundle.index_folders.get(generator.index or "", "the index")
    compare("documents_sha256", own, lineage, folder, found, "python -m index build")
    compare(
        "chat_template_sha256", f"{own} (training)", training, "bundle.json", found, "python -m train export"
    )
    for key in recorded:
        compare(key, own, recorded, "the bundle", found, BUNDLE_AGAIN)
    whole = inside(lineage_of(bundle, first), "base") or inside(lineage, "base")
    compare_bases(f"{own} (base)", inside(lineage, "base"), "the bundle's base", whole, BUNDLE_AGAIN)
    if generator.adapter is not None:
        adapter = f"the training of {bundle.adapter_files[generator.adapter]}"
        compare_bases("the bundle's base", whole, adapter, inside(training, "base"), "python -m train sft")


def compare_bases(one: str, first: dict[str, Any], other: str, second: dict[str, Any], remedy: str) -> None:
    """Compares what is known of two base models, {"id", "revision", "sha256"}: the hash, else the revision of one id.

    Raises LineageMismatch.
    """
    compare("sha256", one, first, other, second, remedy)
    if first.get("id") == second.get("id") and None in (first.get("sha256"), second.get("sha256")):
        compare("revision", one, first, other, second, remedy)


def _check_index(bundle: Bundle, name: str, folder: str) -> None:
    """The files of an index and its embedder against its own index.json."""
    manifest, own = index_manifest(bundle, name), f"{folder}/{INDEX_MANIFEST}"
    for file, entry in manifest.files.items():
        path = f"{folder}/{file}"
        found = {path: bundle.files[path].sha256 if path in bundle.files else "missing"}
        compare(path, own, {path: entry["sha256"]}, "bundle.json", found, "python -m index build")
    embedder = {"sha256": embedder_sha256(bundle, folder)}
    compare("sha256", own, manifest.embedder, f"{folder}/{EMBEDDER}", embedder, "python -m index build")


def _check_report(bundle: Bundle) -> None:
    """The GGUFs that reports name by hash, against the bundle's GGUFs."""
    for section, report in read_report(bundle).items():
        for file, sha256 in measured(bundle, section, report).items():
            found = {file: bundle.files[file].sha256 if file in bundle.files else "missing"}
            where, remedy = f"report.json ({section})", "python -m train evaluate"
            compare(file, where, {file: sha256}, "bundle.json", found, remedy)


def measured(bundle: Bundle, section: str, report: Any) -> dict[str, str]:
    """The files of the bundle that a section of its report says it measured: file → SHA-256.

    `evaluation` names all as they lie in the bundle, in an older one `base` and `adapters` by name; a record of `parity` names
    files of an export, of which a bundle has some.
    """
    if not isinstance(report, dict):
        return {}
    if section == "parity":
        ours = {PurePosixPath(file).name: file for file in bundle.files}
        records = [inside(report, name) for name in report]
        files = [item for record in records for item in inside(record, "files").items()]
        return {ours[name]: sha256 for name, sha256 in files if name in ours}
    base = {bundle.base_file: inside(report, "base").get("sha256")}
    adapters = inside(report, "adapters")
    tuned = {file: inside(adapters, name).get("sha256") for name, file in bundle.adapter_files.items()}
    return {file: sha256 for file, sha256 in (base | tuned | inside(report, "files")).items() if sha256}


def compare(
    fact: str, one: str, first: dict[str, Any], other: str, second: dict[str, Any], remedy: str
) -> None:
    """Compares `fact` in two records; a record without it is compared with nothing. Raises LineageMismatch."""
    expected, found = first.get(fact), second.get(fact)
    if expected is not None and found is not None and expected != found:
        raise LineageMismatch(one=one, other=other, fact=fact, expected=expected, found=found, remedy=remedy)


def inside(record: dict[str, Any], key: str) -> dict[str, Any]:
    """A record within a record, {} where there is none."""
    found = record.get(key)
    return found if isinstance(found, dict) else {}


def read_report(bundle: Bundle) -> dict[str, Any]:
    """report.json, {} for a bundle without. Raises BundleInvalid."""
    if bundle.report is None:
        return {}
    try:
        report = json.loads((bundle.folder / bundle.report).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundleInvalid(
            folder=bundle.folder, reason=f"{bundle.report} cannot be read ({error})"
        ) from error
    return report if isinstance(report, dict) else {}


def index_manifest(bundle: Bundle, name: str) -> Manifest:
    """index.json of one index. Raises BundleInvalid."""
    try:
        return read_manifest(bundle.indexes[name])
    except OradorError as error:
        raise BundleInvalid(folder=bundle.folder, reason=str(error)) from error


def embedder_sha256(bundle: Bundle, folder: str) -> str:
    """The hash of an index's embedder folder as `python -m index build` computes it, from its files' hashes."""
    inside = PurePosixPath(folder) / EMBEDDER
    files = sorted(file for file in bundle.files if PurePosixPath(file).parent == inside)
    return hashlib.sha256(b"".join(bytes.fromhex(bundle.files[file].sha256) for file in files)).hexdigest()


def prompts_sha256(generator: Generator) -> str:
    """The hash of a generator's prompts, whatever their order."""
    prompts = {name: template.to_json() for name, template in generator.prompts.items()}
    return text_sha256(json.dumps(prompts, ensure_ascii=False, sort_keys=True))


def text_sha256(text: str) -> str:
    """The SHA-256 of a text in UTF-8."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
