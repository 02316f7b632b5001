"""A finished speech as a file: .txt, .md or .docx, made in memory when it is asked for."""

from __future__ import annotations

import base64
import io
import re
import unicodedata
from collections.abc import Callable

from space.frames import Frame
from space.texts import say

MIME = {
    "txt": "text/plain;charset=utf-8",
    "md": "text/markdown;charset=utf-8",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}
NOT_XML = re.compile("[^\t\n\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~])|^([-+]|\d+\.)(?=\s)", re.MULTILINE)


def download(frame: Frame, kind: str, model: str, language: str) -> dict[str, str]:
    """The file of `kind` ("txt", "md" or "docx") as the page takes it: name, mime type, base64 data."""
    write: Callable[[str, list[str], str], bytes] = {"txt": _txt, "md": _md, "docx": _docx}[kind]
    title = frame.title[:1].upper() + frame.title[1:]
    paragraphs = [NOT_XML.sub("", block).strip() for block in frame.text.split("\n\n")]
    origin = say("file.origin", language, model=model, seed=frame.seed)
    if frame.unsourced:
        origin = f"{say('paper.unsourced', language)}. {origin}"
    data = write(NOT_XML.sub("", title), [block for block in paragraphs if block], origin)
    return {
        "name": f"{_slug(frame.title)}.{kind}",
        "mime": MIME[kind],
        "data": base64.b64encode(data).decode("ascii"),
    }


def _txt(title: str, paragraphs: list[str], origin: str) -> bytes:
    return "\n\n".join([title, *paragraphs, f"—\n{origin}"]).encode("utf-8") + b"\n"


def _md(title: str, paragraphs: list[str], origin: str) -> bytes:
    blocks = [f"# {_plain(title)}", *map(_plain, paragraphs), "---", f"*{_plain(origin)}*"]
    return "\n\n".join(blocks).encode("utf-8") + b"\n"


def _plain(text: str) -> str:
    """`text` so that Markdown shows it as it is."""
    return _MARKDOWN.sub(
        lambda match: f"\\{match[0]}" if match[1] else match[0][:-1] + "\\" + match[0][-1], text
    )


def _docx(title: str, paragraphs: list[str], origin: str) -> bytes:
    from docx import Document

    document = Document()
    document.core_properties.title = title[:250]
    document.core_properties.author = "Orador"
    document.add_heading(title, level=1)
    for block in paragraphs:
        document.add_paragraph(block)
    document.add_paragraph().add_run(origin).italic = True
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def _slug(title: str) -> str:
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode("ascii").lower()
    return "-".join(re.findall(r"[a-z0-9]+", plain))[:50].strip("-") or "discurso"
