"""Publishes a bundle on the Hugging Face Hub: one atomic commit and one tag in each of up to three repositories.

    python -m train publish BUNDLE --repo me/charlas --adapter RUN/adapter [--private | --public] [--license apache-2.0]

    me/charlas-lora     model: the adapter for PEFT
    me/charlas-index    dataset: the indexes
    me/charlas-gguf     model: base and adapters as GGUF, and bundle.json, which pins the index by its revision

The GGUF repository comes last, so a bundle.json on the Hub never names what is not there. The command prints what
ORADOR_BUNDLE takes. Publishing the same bundle again makes no commit. A bundle with a chat that imitates a person is refused
without a consent in its lineage, and private unless --public is given. The token comes from HF_TOKEN or `hf auth login`,
the Hub from HF_ENDPOINT.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from space.bundle import MANIFEST, Bundle, Generator
from space.files import REPO, FileEntry, HubSource, file_sha256
from space.lineage import compare, inside, lineage_of
from space.persona import consent_of, imitated
from train.adapters import ADAPTER_WEIGHTS
from train.cards import CardFacts, adapter_card, gguf_card, index_card
from train.errors import BadOption, BundlePartInvalid, ConsentNotInLineage, PersonalDataFound
from train.hub_commit import Commit, Content, push
from train.lineage import read_json, without_machine_paths
from train.parity_rows import require_parity
from train.personal_data import personal_data

ADAPTER_FILES = (
    "adapter_model*.safetensors",
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "vocab.*",
    "merges.txt",
)


@dataclass(frozen=True)
class PublishSpec:
    """What to publish and as what. `repo` is the stem of the names; `adapters` maps names to PEFT folders.

    `public` makes a chat's repositories public, which are private without it; `with_personal_data` names the generators
    that imitate a person and whose texts may hold personal data; `without_parity` pushes GGUF files of which nothing says
    that they do what was trained.
    """

    bundle: Path
    repo: str
    adapters: dict[str, Path] = field(default_factory=dict)
    private: bool = False
    public: bool = False
    with_personal_data: frozenset[str] = frozenset()
    without_parity: bool = False
    license: str | None = None
    language: str = "es"
    base_model: str | None = None
    tag: str | None = None


@dataclass(frozen=True)
class Published:
    """The commits that were made, whether privately; `reference` is what ORADOR_BUNDLE takes."""

    gguf: Commit
    index: Commit | None
    adapters: dict[str, Commit]
    not_pushed: list[str]
    private: bool

    @property
    def reference(self) -> str:
        return f"{self.gguf.repo}@{self.gguf.revision}"


def publish(spec: PublishSpec) -> Published:
    """Pushes a verified bundle.

    Raises BadOption, ParityFailed, ParityMissing, ConsentNotInLineage, PersonalDataFound, a BundleError, or one of the errors of `train.hub_commit.push`.
    """
    if not REPO.fullmatch(spec.repo):
        raise BadOption(
            option="--repo", value=spec.repo, reason="it is owner/name, from which the names are made"
        )
    bundle = Bundle.load(spec.bundle)
    if not spec.without_parity:
        require_parity(bundle)
    for generator in imitated(bundle):
        _check_persona(bundle, generator, spec)
    private = spec.private or (bool(imitated(bundle)) and not spec.public)
    facts = _facts(spec, bundle)
    adapters: dict[str, Commit] = {}
    not_pushed: list[str] = []
    for name, folder in spec.adapters.items():
        _check_trained(bundle, name, folder)
        files, left = _adapter_files(folder, facts.base_model)
        files["README.md"] = adapter_card(facts, name).encode()
        adapters[name] = push(Commit(facts.adapters[name], "model", facts.tag), files, private)
        not_pushed += left
    index = None
    if facts.index:
        index = push(Commit(facts.index, "dataset", facts.tag), _index_files(bundle, facts), private)
        bundle = _pin(bundle, index)
    commit = push(Commit(facts.gguf, "model", facts.tag), _gguf_files(bundle, facts), private)
    return Published(commit, index, adapters, not_pushed, private)


def _check_persona(bundle: Bundle, generator: Generator, spec: PublishSpec) -> None:
    if consent_of(bundle, generator) is None:
        raise ConsentNotInLineage(name=generator.name, persona=generator.values["persona"])
    found = personal_data(bundle, generator) if generator.name not in spec.with_personal_data else {}
    if found:
        kinds = ", ".join(f"{kind} {number}" for kind, number in sorted(found.items()))
        raise PersonalDataFound(name=generator.name, kinds=kinds)


def _check_trained(bundle: Bundle, adapter: str, folder: Path) -> None:
    """Raises LineageMismatch for a PEFT folder that is not what the bundle's adapter was converted from."""
    weights = (
        {"sha256": file_sha256(folder / ADAPTER_WEIGHTS)} if (folder / ADAPTER_WEIGHTS).is_file() else {}
    )
    for generator in bundle.generators:
        if generator.adapter == adapter:
            training = inside(lineage_of(bundle, generator), "training")
            own = {"sha256": training.get("adapter_sha256")}
            where = f"the lineage of {generator.name}"
            compare("sha256", where, own, str(folder), weights, "python -m train export")


def _facts(spec: PublishSpec, bundle: Bundle) -> CardFacts:
    if unknown := sorted(set(spec.adapters) - set(bundle.adapter_files)):
        reason = f"the bundle's adapters are: {', '.join(bundle.adapter_files) or 'none'}"
        raise BadOption(option="--adapter", value=", ".join(unknown), reason=reason)
    one = len(bundle.adapter_files) == 1
    trained_on = bundle.lineage.get("training", {}).get(
        "base", {}
    )  # a Hub id with its revision, or a folder's name
    return CardFacts(
        bundle=bundle,
        gguf=f"{spec.repo}-gguf",
        tag=spec.tag or "bundle-" + bundle.created.translate(str.maketrans("", "", "-:")),
        adapters={name: f"{spec.repo}-lora" if one else f"{spec.repo}-{name}-lora" for name in spec.adapters},
        index=f"{spec.repo}-index" if _local_index_files(bundle) else None,
        base_model=spec.base_model or (trained_on.get("id") if trained_on.get("revision") else None),
        license=spec.license or bundle.lineage.get("license"),
        language=spec.language,
    )


def _adapter_files(folder: Path, base_model: str | None) -> tuple[dict[str, Content], list[str]]:
    """What of a PEFT folder is published, and the names of what is not (checkpoints, pickles, generated cards)."""
    config = read_json(folder / "adapter_config.json")
    if not list(folder.glob("adapter_model*.safetensors")):
        raise BundlePartInvalid(path=folder, reason="it has no adapter_model.safetensors")
    config["base_model_name_or_path"] = base_model or config.get("base_model_name_or_path")
    files: dict[str, Content] = {"adapter_config.json": _clean_json(config)}
    for path in sorted(path for pattern in ADAPTER_FILES for path in folder.glob(pattern)):
        files[path.name] = _clean_json(read_json(path)) if path.name == "tokenizer_config.json" else path
    left = [f"{folder.name}/{path.name}" for path in sorted(folder.iterdir()) if path.name not in files]
    return files, left


def _clean_json(value: dict[str, object]) -> bytes:
    return (json.dumps(without_machine_paths(value), ensure_ascii=False, indent=2) + "\n").encode()


def _local_index_files(bundle: Bundle) -> dict[str, str]:
    """Files of the indexes that do not lie on the Hub yet: path in the bundle → path in the dataset."""
    found = {}
    for folder in bundle.index_folders.values():
        for file, entry in bundle.files.items():
            if PurePosixPath(file).is_relative_to(folder) and entry.hub is None:
                found[file] = PurePosixPath(file).relative_to(PurePosixPath(folder).parent).as_posix()
    return found


def _index_files(bundle: Bundle, facts: CardFacts) -> dict[str, Content]:
    files: dict[str, Content] = {
        path: bundle.folder / file for file, path in _local_index_files(bundle).items()
    }
    return {**files, "README.md": index_card(facts).encode()}


def _pin(bundle: Bundle, index: Commit) -> Bundle:
    """The bundle with the index's files named by repository and revision."""
    files: dict[str, FileEntry] = dict(bundle.files)
    for file, path in _local_index_files(bundle).items():
        source = HubSource(index.repo, index.kind, index.revision, path)
        files[file] = replace(files[file], hub=source)
    return replace(bundle, files=files)


def _gguf_files(bundle: Bundle, facts: CardFacts) -> dict[str, Content]:
    own = {file: bundle.folder / file for file, entry in bundle.files.items() if entry.hub is None}
    return {**own, MANIFEST: bundle.text().encode(), "README.md": gguf_card(facts).encode()}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", type=Path, help="folder that `python -m train bundle` wrote")
    parser.add_argument(
        "--repo", required=True, metavar="OWNER/NAME", help="stem: NAME-lora, NAME-index, NAME-gguf"
    )
    parser.add_argument(
        "--adapter", action="append", default=[], metavar="[NAME=]RUN/adapter", help="PEFT folder"
    )
    who = parser.add_mutually_exclusive_group()
    who.add_argument(
        "--private",
        action="store_true",
        help="make the repositories private (those of a chat are so without it)",
    )
    who.add_argument(
        "--public", action="store_true", help="make them public although a chat imitates a person"
    )
    parser.add_argument(
        "--with-personal-data",
        action="append",
        default=[],
        metavar="GENERATOR",
        help="publish this chat although its texts hold personal data (repeatable)",
    )
    parser.add_argument(
        "--without-parity",
        action="store_true",
        help="publish GGUF files although nothing says that they do what was trained",
    )
    parser.add_argument("--license", help="such as apache-2.0 or cc-by-4.0; default: the bundle's")
    parser.add_argument("--language", default="es", help="of the texts; default: %(default)s")
    parser.add_argument("--base-model", metavar="OWNER/NAME", help="the base on the Hub; default: as trained")
    parser.add_argument("--tag", help="name of the tag in each repository; default: the bundle's time")
    parser.add_argument("--space", metavar="OWNER/NAME", help="also push the Space that serves it")


def run(args: argparse.Namespace) -> str:
    """Publishes and prints; returns what serves it. Raises what `publish` and `push_space` raise."""
    from train.publish_space import push_space

    bundle = Bundle.load(args.bundle, verify=False)
    adapters = dict(_named(text, list(bundle.adapter_files)) for text in args.adapter)
    spec = PublishSpec(
        bundle=args.bundle,
        repo=args.repo.removesuffix("-gguf"),
        adapters=adapters,
        private=args.private,
        public=args.public,
        with_personal_data=frozenset(args.with_personal_data),
        without_parity=args.without_parity,
        license=args.license,
        language=args.language,
        base_model=args.base_model,
        tag=args.tag,
    )
    done = publish(spec)
    for commit in filter(None, [*done.adapters.values(), done.index, done.gguf]):
        print(f"{commit.kind:8}{commit.repo}  {commit.revision}  tag {commit.tag}")
    if missing := sorted(set(bundle.adapter_files) - set(adapters)):
        print(f"adapters published as GGUF only (give --adapter NAME=RUN/adapter): {', '.join(missing)}")
    if done.private and not args.private:
        print("private, since a chat imitates a person (--public makes them public)")
    if done.not_pushed:
        print(f"not pushed: {', '.join(done.not_pushed)}")
    if args.space:
        space = push_space(args.space, done.reference, done.private)
        print(f"space   {space.repo}  {space.revision}")
    print(f"ORADOR_BUNDLE={done.reference}")
    return f"ORADOR_BUNDLE={done.reference}"


def _named(text: str, names: list[str]) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if equals:
        return name, Path(path)
    if len(names) != 1:
        raise BadOption(
            option="--adapter", value=text, reason=f"say which with NAME=: {', '.join(names) or 'none'}"
        )
    return names[0], Path(text)
