"""Prompt templates, in one place: training and serving render the same template by the same function.

A bundle carries the templates it was trained with (`PromptTemplate.to_json`), so that a Space can serve a
generator whose recipe it has never seen.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Message = dict[str, str]


@dataclass(frozen=True)
class PromptTemplate:
    """A conversation with `{placeholders}`; rendering ends before the assistant's answer.

    Values are inserted once and never read as templates: braces in a visitor's text stay braces.
    """

    messages: tuple[tuple[str, str], ...]

    @property
    def fields(self) -> frozenset[str]:
        """The placeholder names."""
        formatter = string.Formatter()
        return frozenset(name for _, text in self.messages for _, name, _, _ in formatter.parse(text) if name)

    def render(self, history: Sequence[Message] = (), /, **values: str) -> list[Message]:
        """The messages to send to the model; `history`, earlier turns, goes before the last of the template's.

        Raises KeyError for a missing value.
        """
        messages = [{"role": role, "content": text.format_map(values)} for role, text in self.messages]
        return [*messages[:-1], *history, *messages[-1:]]

    def example(self, answer: str, history: Sequence[Message] = (), /, **values: str) -> list[Message]:
        """A whole training conversation: the rendered prompt and the assistant's `answer`."""
        return [*self.render(history, **values), {"role": "assistant", "content": answer}]

    def to_json(self) -> list[Message]:
        return [{"role": role, "content": text} for role, text in self.messages]

    @classmethod
    def from_json(cls, messages: list[Mapping[str, Any]]) -> PromptTemplate:
        return cls(tuple((str(m["role"]), str(m["content"])) for m in messages))


SPEECH = PromptTemplate(
    (
        (
            "user",
            "Crea un discurso al estilo TED-Talk que suene como si fuera dado por un experto en {field} "
            "y que trate sobre {topics}",
        ),
    )
)
"""Training and the fine-tuned tab: field and topics (comma separated, the last joined by "y")."""

RAG = PromptTemplate(
    (
        (
            "user",
            "Eres un experto en redactar discursos. Usa únicamente el siguiente contexto para escribir un "
            "discurso sobre el tema indicado.\n\n"
            "Contexto:\n{context}\n\n"
            "Tema: {topics}\n\n"
            "El discurso debe tener:\n"
            "- Una introducción atractiva.\n"
            "- Los puntos principales desarrollados de forma clara y concisa.\n"
            "- Ejemplos o anécdotas relevantes.\n"
            "- Una conclusión contundente.",
        ),
    )
)
"""The RAG tab: retrieved passages as context, and the topics."""


CHAT = PromptTemplate(
    (("system", "Eres {persona} y contestas como en un chat de mensajes cortos."), ("user", "{message}"))
)
"""A chat with a persona: each line of a message is a bubble; earlier turns are the `history` of `render`."""

CHAT_OPENING = "(Escribe tú primero.)"
"""The user's message where the persona writes unasked: it opens the conversation, or goes on after a pause."""


def join_topics(topics: list[str]) -> str:
    """`["a", "b", "c"]` as "a, b y c"; "e" before the sound i ("pan e historia", but "agua y hielo")."""
    if len(topics) < 2:
        return "".join(topics)
    conjunction = "e" if re.match(r"[ií]|h[ií](?![aáeé])", topics[-1], re.I) else "y"
    return f"{', '.join(topics[:-1])} {conjunction} {topics[-1]}"


def format_context(passages: list[str]) -> str:
    """The passages as the context of a RAG prompt: numbered, one paragraph each."""
    return "\n\n".join(f"[{n}] {' '.join(text.split())}" for n, text in enumerate(passages, 1))


_ASK_QUESTIONS = "Texto:\n{text}\n\nEscribe {request} sobre el texto, con su solución."
_QUESTION_RULES = (
    "Usa solo lo que dice el texto y no preguntes dos veces lo mismo. Numera las líneas: «1.», «2.»… "
    "Debajo de cada pregunta escribe «Respuesta:» y la respuesta con pocas palabras del texto. "
    "Debajo de cada afirmación escribe «Verdadero», o «Falso:» y qué es lo correcto. No escribas nada más."
)
QUESTIONS = PromptTemplate((("user", _ASK_QUESTIONS),))
"""Training and the fine-tuned questions: a text, and what to ask about it (`question_request`)."""

QUESTIONS_ZERO_SHOT = PromptTemplate((("user", f"{_ASK_QUESTIONS} {_QUESTION_RULES}"),))
"""For a model that was not trained on QUESTIONS: the same, and the rules of the answer."""

QUESTIONS_SYSTEM = PromptTemplate(
    (
        (
            "system",
            "Eres docente de lengua y preparas ejercicios de comprensión lectora en español claro y natural. "
            f"{_QUESTION_RULES}",
        ),
        ("user", _ASK_QUESTIONS),
    )
)
"""The rules as the system message."""

QUESTIONS_FEW_SHOT = PromptTemplate(
    (
        (
            "user",
            "Texto:\nMaria Sibylla Merian nació en Fráncfort, Alemania, el 2 de abril de 1647. Su padre era un conocido "
            "grabador y editor, pero murió cuando ella tenía tres años. Su madre volvió a casarse con un pintor de "
            "flores, Jacob Marrel, y fue él quien le enseñó a dibujar.\n\n"
            "Escribe 2 preguntas de respuesta corta sobre el texto, con su solución.",
        ),
        (
            "assistant",
            "1. ¿Dónde nació Maria Sibylla Merian?\nRespuesta: en Fráncfort, Alemania\n"
            "2. ¿Quién le enseñó a dibujar?\nRespuesta: Jacob Marrel",
        ),
        (
            "user",
            "Texto:\nUna noche de noviembre, la lámpara se apagó. Ramiro revisó los cables y cambió la bombilla, pero no "
            "consiguió encenderla. Era una noche sin luna y en el mar se oía el motor de un barco que se acercaba a las "
            "rocas. Llamó por la radio y nadie respondió.\n\n"
            "Escribe 2 afirmaciones verdaderas o falsas sobre el texto, con su solución.",
        ),
        (
            "assistant",
            "1. La lámpara se apagó una noche de marzo.\nFalso: se apagó una noche de noviembre\n"
            "2. Nadie respondió cuando Ramiro llamó por la radio.\nVerdadero",
        ),
        ("user", _ASK_QUESTIONS),
    )
)
"""Two answered requests, one of each kind, before the request (from train/texts/readings)."""


def question_request(kind: str, number: int, level: str = "") -> str:
    """What QUESTIONS asks for: "1 pregunta de respuesta corta", "3 afirmaciones verdaderas o falsas de nivel B1".

    `kind` is "short" or "truefalse"; KeyError for another.
    """
    one, many = {
        "short": ("pregunta de respuesta corta", "preguntas de respuesta corta"),
        "truefalse": ("afirmación verdadera o falsa", "afirmaciones verdaderas o falsas"),
    }[kind]
    return f"{number} {one if number == 1 else many}{f' de nivel {level}' if level else ''}"
