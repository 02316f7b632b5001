"""What was measured, as sections of a model card and its metadata: pre-training (pretrain.json), comparison (evaluation.json).

Used by `python -m train pretrain` for the card of its model, by `python -m train publish`, and by `python -m train evaluate`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from train.parity_rows import table as parity_table

COUNTED = {
    "spanish": "Spanish",
    "of_asked": "length / asked",
    "repeated_4": "repeated 4-grams",
    "distinct_1": "distinct-1",
    "distinct_2": "distinct-2",
    "distinct_3": "distinct-3",
    "tokens_per_second": "tokens/s",
    "first_token": "first token, s",
    "judge_perplexity": "perplexity by a third model",
}
"""Figures of generated texts in `evaluation.json`, in the order of the table."""


def pretrained_card(report: dict[str, Any]) -> str:
    """The README.md of a model made by `train pretrain`."""
    front = ["---", "language: [es]", "library_name: transformers", "pipeline_tag: text-generation", "---"]
    title = f"# A Spanish base model of {report['parameters'] / 1e6:.1f} M parameters"
    return "\n".join([*front, "", title, "", *pretrained(report), ""])


def pretrained(report: dict[str, Any]) -> list[str]:
    """What the base read, how well it predicts, and what it cannot do; the lines of a section."""
    settings, sources = report["settings"], report["data"]["sources"]
    lines = [
        f"Phi-3's architecture: hidden {settings['hidden']}, {settings['layers']} layers, {settings['vocabulary']:,} pieces, "
        f"context {settings['context']:,}. It has read {report['tokens_trained'] / 1e6:.1f} M tokens, drawn from "
        f"{report['data']['tokens'] / 1e6:.1f} M ({report['data']['characters'] / 1e6:.0f} M characters):",
        "",
        *(
            f"- {name}: {source['characters'] / 1e6:.1f} M characters; {source['held_out_documents']} documents held out"
            for name, source in sources.items()
        ),
    ]
    if report["examples"]:
        lines += ["", f"and, later, conversations: {', '.join(report['examples'])}."]
    lines += [
        "",
        "Bits per character on documents held out, the middle of each:",
        "",
        "| held out | this model | 5-gram, same tokens | xz -9 |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {f['model']:.2f} | {f['5-gram']:.2f} | {f['xz -9']:.2f} |"
        for name, f in report["held_out"].items()
    ]
    return [
        *lines,
        "",
        "It writes in the manner of what it read. It knows nothing: names, figures and claims in its text are chance, it loses "
        "its thread after a few sentences, it does not follow instructions other than those it was trained on, and it takes over "
        "the opinions of its sources.",
    ]


def table(evaluation: dict[str, Any]) -> str:
    """How well held-out answers are predicted, as a Markdown table."""
    notes: list[str] = []
    rows = [
        "| held out | documents | condition | perplexity | bits per character | nats per token (95 %) | against base (95 %) |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, result in evaluation["sets"].items():
        for condition, f in result["conditions"].items():
            low, high = f["nats_interval"]
            against = "–"
            if "against_base" in f:
                a, b = f["against_base_interval"]
                against = f"{f['against_base']:+.3f} ({a:+.3f} to {b:+.3f})"
            label = f"{condition} (wrong author)" if f.get("control") else condition
            if "against_plain" in f:
                a, b = f["against_plain_interval"]
                notes.append(
                    f"{name}, {condition} against the same model without passages: {f['against_plain']:+.3f} ({a:+.3f} to {b:+.3f})."
                )
            rows.append(
                f"| {name} | {result['documents']} | {label} | {f['perplexity']:.1f} | {f['bits_per_character']:.3f} "
                f"| {f['nats_per_token']:.3f} ({low:.3f} to {high:.3f}) | {against} |"
            )
    return "\n".join([*rows, *([""] if notes else []), *notes])


def texts_table(evaluation: dict[str, Any]) -> str:
    """What was counted in generated texts, as a Markdown table; empty where none were written."""
    found = evaluation.get("texts") or {}
    if not found:
        return ""
    rows = [f"| generator | condition | {' | '.join(COUNTED.values())} |", "|---" * (len(COUNTED) + 2) + "|"]
    for name, result in found.items():
        for condition, f in result["conditions"].items():
            cells = " | ".join(f"{f[key]:.3g}" if key in f else "–" for key in COUNTED)
            rows.append(f"| {name} | {condition} | {cells} |")
    judges = "; ".join(f"{name}: {result['judge']}" for name, result in found.items())
    note = (
        f"`author` is the author's own text on the same topics. The third model ({judges}; a 5-gram model has counted the "
        "generator's training texts) says how predictable a text is for it, as many reports do, not how good it is or how like the author."
    )
    return "\n".join([*rows, "", note])


def questions_table(evaluation: dict[str, Any]) -> str:
    """What the techniques of each generator of questions ask, as Markdown tables; empty where there is none."""
    parts = []
    for name, found in (evaluation.get("questions") or {}).items():
        head = f"{name}: {found['number']} items ({found['types']}) about each of {found['texts']} held-out texts"
        parts += [
            f"{head}; `free` without the grammar and the checks, `served` with them.",
            lists_table(found),
        ]
    return "\n\n".join(parts)


def lists_table(compared: dict[str, Any]) -> str:
    """The techniques of one comparison (train/evaluate_questions.py) as a Markdown table."""
    rows = [
        "| technique | | valid lists | items of asked | borne out | repeated | short / true / false | Spanish | asked again | s a list | tokens/s |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for technique, ways in compared["techniques"].items():
        for way, f in ways.items():
            rows.append(
                f"| {technique} | {way} | {f['valid']} of {f['lists']} | {f['items']} of {f['asked']} "
                f"| {_share(f['borne_out'], f['items'])} | {f['duplicates']} | {f['short']} / {f['true']} / {f['false']} "
                f"| {_share(f['spanish'], f['spanish_of'])} | {f['rounds']} | {f['seconds']} | {f['tokens_per_second']:.0f} |"
            )
    return "\n".join(rows)


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({part / whole:.0%})" if whole else "none"


def results(report: dict[str, Any]) -> Iterator[Any]:
    """The comparison as Hugging Face evaluation results, for the `model-index` of a card."""
    from huggingface_hub import EvalResult

    for name, found in report.get("evaluation", {}).get("sets", {}).items():
        for condition, f in found["conditions"].items():
            for metric in ("perplexity", "bits_per_character"):
                yield EvalResult(
                    task_type="text-generation",
                    dataset_type="held-out",
                    dataset_name=f"{name}, {found['documents']} documents held out",
                    metric_type=metric,
                    metric_value=round(f[metric], 4),
                    metric_name=f"{metric.replace('_', ' ')}, {condition}",
                )


def figures(report: dict[str, Any]) -> list[str]:
    """The sections of a bundle's report that are known here; nothing for others."""
    lines: list[str] = []
    if "pretraining" in report:
        lines += ["## The base model", "", *pretrained(report["pretraining"]), ""]
    if "evaluation" in report:
        evaluation = report["evaluation"]
        lines += ["## Base and adapters compared", "", table(evaluation), ""]
        if written := texts_table(evaluation):
            lines += ["Texts that they write on held-out topics, with fixed seeds:", "", written, ""]
        if asked := questions_table(evaluation):
            lines += ["Questions that they ask about held-out texts:", "", asked, ""]
    if "originality" in report:
        section = originality_table(report["originality"])
        lines += ["## What they repeat of the training texts", "", section, ""]
    for name, parity in report.get("parity", {}).items():
        lines += [f"## GGUF against the trained model: {name}", "", parity_table(parity), ""]
    return lines


def originality_table(report: dict[str, Any]) -> str:
    """What texts copy of the training texts (originality.json) as a Markdown table."""
    lines = [
        f"| generator | who writes | topics | texts | {report['ngram_words']}-grams copied (95 %) | most in a text "
        f"| longest span: median | p95 | longest | texts with {report['long_words']} words or more | whole text copied |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, found in report["sets"].items():
        for row in found["rows"]:
            lines.append(f"| {name} | {row['model']} | {row['topics']} | {_copied_cells(row)} |")
    return "\n".join(lines)


def _copied_cells(row: dict[str, Any]) -> str:
    judged = row["texts"] - row["too_short"]
    if not judged:
        return f"0 of {row['texts']} long enough | " + " | ".join("–" * 7)
    low, high = row["copied_interval"]
    spans = " | ".join(f"{row[key]:.0f}" for key in ("longest_median", "longest_p95", "longest"))
    return (
        f"{judged} | {row['copied']:.2%} ({low:.2%} to {high:.2%}) | {row['copied_most']:.1%} | {spans} "
        f"| {row['with_long']} | {row['verbatim']}"
    )
