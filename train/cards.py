"""The cards (README.md) of what `python -m train publish` pushes: adapter, index, and GGUF with bundle.json.

A card says what the files are, where they come from and how to use them, with snippets that run as they stand. It
names no folder of the maker's machine.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from space.bundle import Bundle, Generator
from space.persona import describe, imitated
from space.report_view import read_report
from train.card_figures import figures, results


@dataclass(frozen=True)
class CardFacts:
    """What the cards of one publication share. `adapters` maps an adapter's name to its repository."""

    bundle: Bundle
    gguf: str
    tag: str
    adapters: dict[str, str] = field(default_factory=dict)
    index: str | None = None
    base_model: str | None = None
    license: str | None = None
    language: str = "es"

    @property
    def datasets(self) -> list[str]:
        return [self.index] if self.index else []


def adapter_card(facts: CardFacts, name: str) -> str:
    """The card of a PEFT adapter."""
    from huggingface_hub import ModelCardData

    generator = _generator(facts.bundle, name)
    data = ModelCardData(
        library_name="peft",
        base_model=facts.base_model,
        base_model_relation="adapter" if facts.base_model else None,
        pipeline_tag="text-generation",
        language=[facts.language],
        license=facts.license,
        datasets=facts.datasets or None,
        tags=["lora", "orador"],
    )
    text = [
        f"# {generator.title['es']}",
        "",
        f"A LoRA adapter, trained with Orador: it writes as the generator `{generator.name}`.",
        "",
    ]
    text += [
        f"The same adapter for llama.cpp, with its base model: [{facts.gguf}](https://huggingface.co/{facts.gguf}).",
        "",
    ]
    if facts.base_model:
        text += ["## Use", "", "```python", _peft_snippet(facts, name, generator), "```", ""]
    else:
        text += ["The base model is not on the Hub by itself; the GGUF repository carries it whole.", ""]
    return _card(data.to_yaml(), text, facts)


def gguf_card(facts: CardFacts) -> str:
    """The card of the repository with GGUF files and bundle.json."""
    from huggingface_hub import ModelCardData

    measured = read_report(facts.bundle)
    compared = list(results(measured))
    data = ModelCardData(
        library_name="gguf",
        model_name=facts.bundle.name if compared else None,
        eval_results=compared or None,
        base_model=facts.base_model,
        base_model_relation="quantized" if facts.base_model else None,
        pipeline_tag="text-generation",
        language=[facts.language],
        license=facts.license,
        datasets=facts.datasets or None,
        tags=["gguf", "llama.cpp", "orador"],
    )
    bundle = facts.bundle
    text = [
        f"# {bundle.name}",
        "",
        "A bundle of Orador: all that a Space needs to generate speeches on a CPU.",
        "",
    ]
    text += ["| generator | kind | adapter | index |", "|---|---|---|---|"]
    text += [
        f"| {g.title['es']} (`{g.name}`) | {g.kind} | {g.adapter or '–'} | {g.index or '–'} |"
        for g in bundle.generators
    ]
    text += [
        "",
        "## Use in a Space",
        "",
        "Pin the revision, so that nothing changes under a running Space:",
        "",
    ]
    text += [
        "```sh",
        f"python -c \"from huggingface_hub import HfApi; print(HfApi().repo_info('{facts.gguf}', revision='{facts.tag}').sha)\"",
    ]
    text += [f"ORADOR_BUNDLE={facts.gguf}@<those 40 digits> python app.py", "```", ""]
    text += [
        "## Use with llama-cpp-python",
        "",
        "```python",
        _llama_snippet(facts, bundle.generators[0]),
        "```",
        "",
    ]
    text += figures(measured)
    return _card(data.to_yaml(), text, facts)


def index_card(facts: CardFacts) -> str:
    """The card of the dataset with the indexes."""
    from huggingface_hub import DatasetCardData

    folders = {name: _index_folder(path) for name, path in facts.bundle.index_folders.items()}
    configs = [
        {"config_name": name, "data_files": f"{path}/passages.jsonl"} for name, path in folders.items()
    ]
    data = DatasetCardData(
        language=[facts.language],
        license=facts.license,
        task_categories=["text-retrieval"],
        pretty_name=f"Index of {facts.bundle.name}",
        tags=["faiss", "orador"],
        configs=configs,
    )
    folder = next(iter(folders.values()))
    text = [
        f"# Index of {facts.bundle.name}",
        "",
        "Passages of the corpus with their vectors, and the embedder that made them: a folder",
        "that `index.search` of Orador opens by itself, without torch.",
        "",
    ]
    text += [
        "## Use",
        "",
        "In a checkout of Orador:",
        "",
        "```python",
        _index_snippet(facts, folder),
        "```",
        "",
    ]
    return _card(data.to_yaml(), text, facts)


def _card(front: str, text: list[str], facts: CardFacts) -> str:
    lines = []
    for generator in imitated(facts.bundle):
        whom = describe(facts.bundle, generator)
        lines += [
            f"The generator `{generator.name}` is a machine that {whom}. It makes up what it writes.",
            "",
        ]
    lines += ["## Where it comes from", "", *_lineage(facts.bundle.lineage), ""]
    if facts.license is None:
        lines += ["The maker has not stated a license.", ""]
    return "\n".join(["---", front.strip(), "---", "", *text, *lines])


def _lineage(lineage: dict[str, Any]) -> list[str]:
    rows = [
        (key, lineage[key])
        for key in ("corpus_sha256", "recipe", "recipe_version", "code_revision")
        if lineage.get(key)
    ]
    rows += [(library, version) for library, version in lineage.get("libraries", {}).items()]
    return ["| | |", "|---|---|", *(f"| {key} | `{value}` |" for key, value in rows)]


def _generator(bundle: Bundle, adapter: str) -> Generator:
    return next((g for g in bundle.generators if g.adapter == adapter), bundle.generators[0])


def _index_folder(path: str) -> str:
    return PurePosixPath(path).name


def _messages(generator: Generator) -> str:
    template = generator.prompts[generator.kind]
    example = generator.examples[0] if generator.examples else {}
    values = {
        name: generator.values.get(name) or example.get(name) or f"[{name}]" for name in template.fields
    }
    return json.dumps(template.render(**values), ensure_ascii=False)


def _peft_snippet(facts: CardFacts, name: str, generator: Generator) -> str:
    return f"""\
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

repo, tag = "{facts.adapters[name]}", "{facts.tag}"
tokenizer = AutoTokenizer.from_pretrained(repo, revision=tag)
model = AutoModelForCausalLM.from_pretrained("{facts.base_model}", dtype="auto")
model = PeftModel.from_pretrained(model, repo, revision=tag)
messages = {_messages(generator)}
inputs = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
output = model.generate(**inputs, max_new_tokens=300, do_sample=True)
print(tokenizer.decode(output[0, inputs["input_ids"].shape[1]:], skip_special_tokens=True))"""


def _llama_snippet(facts: CardFacts, generator: Generator) -> str:
    adapter = facts.bundle.adapter_files.get(generator.adapter or "")
    lora = f'lora_path=hf_hub_download(repo, "{adapter}", revision=tag), ' if adapter else ""
    sampling = "".join(f", {key}={value}" for key, value in generator.sampling.items())
    return f"""\
from huggingface_hub import hf_hub_download
from llama_cpp import Llama

repo, tag = "{facts.gguf}", "{facts.tag}"
base = hf_hub_download(repo, "{facts.bundle.base_file}", revision=tag)
model = Llama(base, {lora}n_ctx={facts.bundle.context}, verbose=False)
messages = {_messages(generator)}
answer = model.create_chat_completion(messages, max_tokens=300{sampling})
print(answer["choices"][0]["message"]["content"])"""


def _index_snippet(facts: CardFacts, folder: str) -> str:
    return f"""\
from pathlib import Path

from huggingface_hub import snapshot_download
from index.search import Index

where = snapshot_download("{facts.index}", repo_type="dataset", revision="{facts.tag}")
for hit in Index.load(Path(where) / "{folder}").search("la educación"):
    print(round(hit.score, 3), hit.passage.title, "-", hit.passage.text[:80])"""
