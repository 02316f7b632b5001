"""What was measured, as sections of a model card: pre-training (pretrain.json) and comparison (evaluation.json).

Used by `python -m train pretrain` for the card of its model, and by `python -m train publish`.
"""

from __future__ import annotations

from typing import Any

from train.evaluate import table


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


def figures(report: dict[str, Any]) -> list[str]:
    """The sections of a bundle's report that are known here; nothing for others."""
    lines: list[str] = []
    if "pretraining" in report:
        lines += ["## The base model", "", *pretrained(report["pretraining"]), ""]
    if "evaluation" in report:
        lines += ["## Base and adapters compared", "", table(report["evaluation"]), ""]
    return lines
