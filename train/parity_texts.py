"""The texts of the parity gate: a Spanish stress set for tokenizers, and small conversations of our own.

Used by `python -m train export` and `python -m train parity`. None of them names a special token: what training reads as
one, serving takes as plain text.
"""

from __future__ import annotations

from typing import Any

from space.prompts import CHAT, QUESTIONS, RAG, SPEECH, format_context, question_request

STRESS = (
    "¿Qué pasó ayer? ¡Nada, señor!",
    "  dos espacios al principio y dos al final  ",
    "palabras   con    espacios     dentro",
    "línea uno\nlínea dos\n\n\tcon tabulador\r\ny retorno",
    "\n\nempieza con una línea en blanco",
    "emoji 😀👩‍👩‍👧 y bandera 🇲🇽, ❤️ y 👍🏽",
    "3,1416 × 2.000.000 = 6 283 200 €; 50 % (½) y 10⁻³",
    "pingüino, ñandú, vigésimo-primero, MAYÚSCULAS ÁÉÍÓÚÜÑ",
    "n\u0303 y e\u0301 descompuestas, ﬁ ligada, ª y º",
    "comillas «así» “así” y ‘así’… —raya— – guion – y \"rectas\" 'simples'",
    "<b>html</b> & <|nada|> \\n %s {llaves} {{ plantilla }} [INST] ### <s >",
    "espacio\u00a0duro, fino\u202fy\u2009otro, cero\u200bancho y BOM\ufeff",
    "https://ejemplo.org/a?b=c&d=%C3%A1#f y correo@ejemplo.org",
    "def f(x):\n    return x**2  # código\n",
    "日本語, العربية, ελληνικά, кириллица",
    "otorrinolaringológicamente electroencefalografista desoxirribonucleico",
    "ÿþýüûúùø×÷ ¬¶§¿¡ ♪♫ ←↑→↓ ■□▲△",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "1234567890 12 123 1234 0001 1.000,50 $ 15:30 h 21/11/2026",
    "x",
)

_RIVER = (
    "El río que cruza el pueblo no siempre tuvo puente. Durante años, quien quería pasar esperaba la barca de Julia, y "
    "mientras esperaba, hablaba. Cuando por fin hicimos el puente, ganamos diez minutos y perdimos la conversación."
)
_LIBRARY = (
    "La biblioteca abre de noche desde hace un año. Al principio venían tres personas; ahora faltan sillas. Nadie viene "
    "solo a leer: vienen a no estar solos, y de paso leen."
)
_CLOCK = "Un reloj parado no miente dos veces al día: miente siempre, y dos veces al día tiene suerte. ¡Arréglenlo!"

OWN: tuple[dict[str, Any], ...] = tuple(
    {"messages": messages}
    for messages in (
        SPEECH.example(_RIVER, field="urbanismo", topics="los puentes, la espera y la conversación"),
        SPEECH.example(_LIBRARY, field="educación", topics="las bibliotecas y la noche"),
        SPEECH.example(_CLOCK, field="física", topics="el tiempo"),
        RAG.example(_LIBRARY, context=format_context([_RIVER, _LIBRARY]), topics="las bibliotecas"),
        CHAT.example("ya voy\nestoy en la barca 😀", persona="Julia", message="¿Dónde estás?"),
        CHAT.example(
            "en diez minutos",
            [{"role": "user", "content": "¿Vienes?"}, {"role": "assistant", "content": "sí, claro"}],
            persona="Julia",
            message="¿Cuándo?",
        ),
        QUESTIONS.example(
            "1. ¿De quién era la barca?\nRespuesta: de Julia",
            text=_RIVER,
            request=question_request("short", 1),
        ),
    )
)
"""Conversations as `prepare` writes them, for an adapter that has no held-out examples of its own."""
