"""Exports of WhatsApp in the forms of many phones. Run: pytest tests/test_whatsapp.py"""

from __future__ import annotations

import datetime
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.corpus_files import SHARED
from train.decoding import decode
from train.whatsapp import Chat, merged, parse

WHATSAPP = SHARED / "whatsapp"
LRM, NNBSP, NBSP = "\u200e", "\u202f", "\u00a0"


def kinds(chat: Chat) -> dict[str, int]:
    return dict(Counter(entry.kind for entry in chat.entries))


def read(lines: list[str], **options: str) -> Chat:
    return parse("\n".join(lines), **options)


# --- one line, many phones

AFTERNOON = datetime.datetime(2024, 3, 13, 15, 45)
WRITTEN = [
    "13/03/2024, 15:45 - {}",
    "13/3/24, 3:45 p. m. - {}",
    f"13/3/24, 3:45{NNBSP}p.{NBSP}m. - {{}}",
    "13/03/24 3:45 p.m. - {}",
    "13/03/2024, 3:45 pm - {}",
    "3/13/24, 3:45 PM - {}",
    f"3/13/24, 3:45{NNBSP}PM - {{}}",
    "[13/03/24, 15:45:00] {}",
    f"{LRM}[13/3/24, 3:45:00{NNBSP}p.{NBSP}m.] {{}}",
    "[3/13/24, 3:45:00 PM] {}",
    "13.03.24, 15:45 - {}",
    "13-03-2024 15:45 - {}",
    "2024-03-13, 15:45 - {}",
    "2024/03/13, 15:45. - {}",
    "13.3.2024 klo 15.45 - {}",
    "13. 3. 2024. 15:45:00 {}",
    "13.03.2024 г., 15:45 ч. - {}",
    "2024/3/13 下午3:45 - {}",
    "[2024. 3. 13. 오후 3:45:00] {}",
    "2024年3月13日 15:45 - {}",
    "13/3/24, 3:45 μ.μ. - {}",
    "13/3/2567 15:45 - {}",
    "15:45, 13/03/2024 - {}",
    "2024-03-13 15 h 45 - {}",
    "13/03/2024 à 15:45 - {}",
    "13 de mar. de 2024, 15:45 - {}",
    "[Mar 13, 2024 at 3:45:00 PM] {}",
    "\u200f١٣\u200f/٣\u200f/٢٠٢٤، ٣:٤٥ م - \u200f{}",
]


@pytest.mark.parametrize("written", WRITTEN)
def test_a_message_of_any_phone(written: str) -> None:
    text = "¿Vienes?: trae 3, de 10:30 a 12"
    chat = parse(written.format(f"Ana María: {text}"))
    assert [(e.time, e.author, e.text) for e in chat.entries] == [(AFTERNOON, "Ana María", text)]
    assert chat.unread == []


@pytest.mark.parametrize(
    ("written", "hour"),
    [("12:05 a. m.", 0), ("12:05 PM", 12), ("0:05 a. m.", 0), ("13:05 p.m.", 13), ("24:05", 0)],
)
def test_twelve_hours(written: str, hour: int) -> None:
    assert parse(f"13/3/24, {written} - Ana: x").entries[0].time.hour == hour


# --- the order of day and month


@pytest.mark.parametrize(
    ("dates", "order", "certain"),
    [
        (["01/02/24", "13/02/24"], "dmy", True),
        (["01/02/24", "02/13/24"], "mdy", True),
        (
            ["1/4/26", "8/4/26", "9/4/26", "2/5/26"],
            "dmy",
            True,
        ),  # read the other way it would go back in time
        (["4/1/26", "4/8/26", "4/9/26", "5/2/26"], "mdy", True),
        (["3/4/24", "5/4/24"], "dmy", False),  # two days or two months apart
        (["4/3/24", "4/5/24"], "mdy", False),
        (["5/5/24"], "dmy", True),
        (["3/4/24"], "dmy", False),
        (["2024-03-01"], "ymd", True),
        (["24/03/30", "24/04/29"], "ymd", True),
        (["03/30/24", "30/03/24", "31/03/24"], "dmy", True),
    ],
)
def test_the_order_of_a_file(dates: list[str], order: str, certain: bool) -> None:
    found = read([f"{date}, 10:00 - Ana: x" for date in dates]).order
    assert (found.order, found.certain) == (order, certain)
    assert found.reason


def test_the_order_can_be_given() -> None:
    assert parse("3/4/24, 10:00 - Ana: x", "mdy").entries[0].time.month == 3


def test_a_date_of_another_order_is_read_and_counted() -> None:
    chat = read(["13/03/24, 10:00 - Ana: x", "14/03/24, 10:00 - Ana: y", "03/15/24, 10:00 - Ana: z"])
    assert [e.time.day for e in chat.entries] == [13, 14, 15]
    assert chat.reordered == 1


@settings(max_examples=40, deadline=None)
@given(
    start=st.datetimes(datetime.datetime(2012, 1, 1), datetime.datetime(2030, 1, 1)),
    gaps=st.lists(st.integers(1, 4000), min_size=30, max_size=60),
    form=st.sampled_from(
        ["%d/%m/%y, %H:%M - ", "%m/%d/%y, %I:%M %p - ", "[%d.%m.%Y, %H:%M:%S] ", "%Y-%m-%d %H:%M - "]
    ),
)
def test_every_message_of_any_chat_is_read_with_its_time(
    start: datetime.datetime, gaps: list[int], form: str
) -> None:
    times = [start.replace(second=0, microsecond=0)]
    for gap in gaps:
        times.append(times[-1] + datetime.timedelta(minutes=gap))
    chat = read([f"{time.strftime(form)}Ana: mensaje {n}\nsegunda línea" for n, time in enumerate(times)])
    assert [e.text for e in chat.entries] == [f"mensaje {n}\nsegunda línea" for n in range(len(times))]
    assert chat.unread == []
    if chat.order.certain:
        assert [e.time for e in chat.entries] == times


# --- what is not a message

MARKS = [
    ("<Multimedia omitido>", "attachment"),
    ("<Media omitted>", "attachment"),
    ("<Mídia oculta>", "attachment"),
    ("<Médias omis>", "attachment"),
    ("<Medien ausgeschlossen>", "attachment"),
    ("<Media omessi>", "attachment"),
    ("<Без медиафайлов>", "attachment"),
    ("<メディアは含まれません>", "attachment"),
    ("IMG-20240313-WA0001.jpg (archivo adjunto)", "attachment"),
    (f"{LRM}Cotización final.pdf (arquivo anexado)", "attachment"),
    ("STK-20240313-WA0003.webp (dosya ekli)", "attachment"),
    ("<adjunto: 00000012-PHOTO-2024-03-13-15-46-01.jpg>", "attachment"),
    (f"{LRM}<Anhang: 00000003-PHOTO-2024-03-13.jpg>", "attachment"),
    ("imagen omitida", "attachment"),
    (f"{LRM}Bild weggelassen", "attachment"),
    (f"informe.pdf • {LRM}3 páginas {LRM}documento omitido", "attachment"),
    ("Ubicación: https://maps.google.com/?q=-34.6,-58.3", "attachment"),
    (f"{LRM}ENCUESTA:\n¿Vamos?\n{LRM}OPCIÓN: Sí (2 votos)", "attachment"),
    ("null", "attachment"),
    ("Se eliminó este mensaje.", "deleted"),
    ("Eliminaste este mensaje", "deleted"),
    ("This message was deleted.", "deleted"),
    ("Esta mensagem foi apagada", "deleted"),
    ("Ce message a été supprimé", "deleted"),
    (f"{LRM}Diese Nachricht wurde gelöscht.", "deleted"),
    ("Questo messaggio è stato eliminato", "deleted"),
    ("Llamada perdida a las 15:47", "notice"),
    ("Missed voice call. Tap to call back", "notice"),
    (f"{LRM}Ana cambió el ícono de este grupo.", "notice"),
    (f"{LRM}ข้อความในภาษาที่ไม่รู้จัก", "notice"),
    ("", "empty"),
]


@pytest.mark.parametrize(("text", "kind"), MARKS)
def test_what_whatsapp_writes_is_no_message(text: str, kind: str) -> None:
    chat = read([f"[13/03/24, 15:45:00] Ana: {text}", "[13/03/24, 15:46:00] Leo: hola"])
    assert [e.kind for e in chat.entries] == [kind, "message"]
    assert [e.text for e in chat.messages] == ["hola"]


@pytest.mark.parametrize(
    "text",
    ["<3", "<risas>", "left the building", "la llamada perdida era mía", "foto adjunta", "eliminé este mensaje", "null y vacío",
     "mi imagen omitida", "Ana salió", "https://ejemplo.org/a: mira", "a las 13/03/24, 10:00 - nos vemos"],
)  # fmt: skip
def test_what_people_write_is_a_message(text: str) -> None:
    chat = parse(f"13/03/24, 15:45 - Ana: {text}".replace("Ana: Ana", "Leo: Ana"))
    assert [(e.kind, e.text) for e in chat.entries] == [("message", text)]


@pytest.mark.parametrize(
    "notice",
    ["Los mensajes y las llamadas están cifrados de extremo a extremo. Obtén más información.", 'Ana creó el grupo "Cena: viernes"',
     'Ana cambió el asunto de "a: b" a "c: d"', "Ana añadió a Leo", "Te uniste mediante el enlace de invitación de este grupo.",
     "Cambió tu código de seguridad con Leo.", "+54 9 11 5555-1234 left", "You changed this group's icon", "Ana adicionou Rita",
     "Léa a quitté le groupe", "Max hat Eva hinzugefügt", "Pia ha aggiunto Ugo"],
)  # fmt: skip
def test_notices_without_an_author(notice: str) -> None:
    chat = parse(f"13/03/24, 15:45 - {notice}")
    assert [(e.kind, e.author, e.text) for e in chat.entries] == [("notice", "", notice)]
    assert chat.unread == []


def test_an_edited_message_and_a_caption() -> None:
    chat = read(
        [
            f"[13/03/24, 15:45:00] Ana: a las tres {LRM}<This message was edited.>",
            "[13/03/24, 15:46:00] Leo: bueno <Se editó este mensaje.>",
            f"[13/03/24, 15:47:00] Ana: Mirá {LRM}<adjunto: 00000012-PHOTO.jpg>",
            "[13/03/24, 15:48:00] Leo: IMG-20240313-WA0001.jpg (archivo adjunto)\nLa del patio",
        ]
    )
    assert [(e.kind, e.text, e.edited) for e in chat.entries] == [
        ("message", "a las tres", True),
        ("message", "bueno", True),
        ("attachment", "Mirá", False),
        ("attachment", "La del patio", False),
    ]
    assert len(chat.messages) == 4


# --- authors


def test_names_with_a_colon() -> None:
    texts = ["hola", "dos cosas: pan y sal", "chau"]
    chat = read(
        [f"13/03/24, 10:0{n} - Ana: trabajo: {text}" for n, text in enumerate(texts)]
        + ["13/03/24, 10:05 - Leo: uno: dos"]
    )
    assert [(e.author, e.text) for e in chat.entries] == [
        *[("Ana: trabajo", t) for t in texts],
        ("Leo", "uno: dos"),
    ]


def test_names_of_people_not_in_the_contacts_and_mentions() -> None:
    chat = read(
        [
            f"[13/03/24, 10:00:00] ~{NNBSP}Rita 🌻: hola @\u2068Ana\u2069 y @\u2068~{NNBSP}Otra Persona\u2069",
            "[13/03/24, 10:01:00] Rita 🌻: soy yo",
            f"[13/03/24, 10:02:00] {LRM}+54 9 11 5555-1234: 👩‍🚀",
        ]
    )
    assert [e.author for e in chat.entries] == ["Rita 🌻", "Rita 🌻", "+54 9 11 5555-1234"]
    assert chat.entries[0].text == "hola @Ana y @Otra Persona"
    assert chat.entries[2].text == "👩‍🚀"
    assert chat.mentioned == {"Ana", "Otra Persona"}


# --- lines that fit nothing


def test_nothing_is_joined_or_lost_in_silence() -> None:
    chat = read(
        [
            "basura",
            "13/03/24, 10:00 - Ana: la lista",
            "",
            "2016-04-29 10:30:00",
            "15/05/24, 10:00 - dentista",
            "13/03/24, 10:01 - Ana añadió a Leo",
            "colgada",
            "31/02/24, 10:00 - Leo: imposible",
            "sigue",
            "14/03/24, 10:01 - Algo que no se conoce",
            "14/03/24, 10:02 - Leo: fin",
        ]
    )
    assert [(e.kind, e.text) for e in chat.entries] == [
        ("message", "la lista\n\n2016-04-29 10:30:00\n15/05/24, 10:00 - dentista"),
        ("notice", "Ana añadió a Leo"),
        ("notice", "Algo que no se conoce"),
        ("message", "fin"),
    ]
    assert [line.line for line in chat.quoted] == [5]
    assert sorted((line.line, line.reason.split()[0]) for line in chat.unread) == [
        (1, "before"), (7, "after"), (8, "a"), (9, "a"), (10, "no"),
    ]  # fmt: skip


def test_pasted_messages_stay_in_the_message_that_pastes_them() -> None:
    lines = [f"{day}/3/24, 10:00 - {'Ana' if day % 2 else 'Leo'}: m{day}" for day in range(1, 31)]
    lines[20] += "\n[1/2/24, 09:00] Rita: no voy\n[1/2/24, 09:01] Ana: dale"
    chat = read(lines)
    assert len(chat.entries) == 30
    assert chat.entries[20].text == "m21\n[1/2/24, 09:00] Rita: no voy\n[1/2/24, 09:01] Ana: dale"
    assert len(chat.quoted) == 2


def test_exports_that_overlap_give_each_message_once() -> None:
    lines = [f"{day}/3/24, 10:00 - Ana: {text}" for day in range(1, 20) for text in ("ja", "ja", f"m{day}")]
    (first, second), dropped = merged([read(lines[:40]), read(lines[20:])])
    assert (len(first.entries), len(second.entries), dropped) == (40, len(lines) - 40, 20)


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="12/3-: [],pm.Ana\n\u200e<>é年\u202f", max_size=120))
def test_any_text_is_read_without_failing(text: str) -> None:
    chat = parse(text)
    assert len(chat.entries) <= text.count("\n") + 1


# --- the shared exports, counted by hand

COUNTED = {
    "es_snippets/android_en_us_12h_nnbsp_crlf.txt": (2, 3, 1, 1),  # messages, attachments, deleted, notices
    "es_snippets/android_es_AR_grupo.txt": (3, 1, 1, 2),
    "es_snippets/android_es_CO_12h_nnbsp.txt": (2, 3, 0, 2),
    "es_snippets/android_es_PE_24h_preambulo.txt": (4, 0, 0, 2),
    "es_snippets/android_es_grupo_nbsp_mezcla_en.txt": (5, 0, 0, 5),
    "es_snippets/android_es_mdy_ampm.txt": (2, 2, 0, 1),
    "es_snippets/ios_en_group_2024plus.txt": (5, 2, 1, 5),
    "es_snippets/ios_es_MX_multilinea.txt": (3, 1, 0, 0),
    "es_snippets/ios_es_adjunto_mixto.txt": (2, 1, 0, 0),
    "es_snippets/mitri_es_12h_sin_coma.txt": (5, 0, 0, 1),
    "es_snippets/pustur_formats.txt": (10, 0, 0, 0),
    "es_snippets/us_mdy_12h.txt": (2, 0, 0, 0),
    "chat-miner_history/test_dateformat1.txt": (7, 0, 0, 3),
    "chat-miner_history/test_dateformat2.txt": (4, 0, 0, 0),
    "chat-miner_history/test_dateformat3.txt": (4, 0, 0, 0),
    "chat-miner_history/test_dateformat4.txt": (4, 0, 0, 0),
    "chat-miner_history/test_dateformat5.txt": (4, 0, 0, 0),
    "chat-miner_history/test_dateformat6.txt": (4, 0, 0, 0),
    "chat-miner_history/test_unicode.txt": (3, 0, 0, 0),
    "chat-miner_history/testlog.txt": (17, 0, 0, 3),
    **{f"chat-miner/test/whatsapp/test_{name}.txt": (7, 0, 0, 2)
       for name in ("[mmddyy]_24hrs", "ddmmyy_24hrs", "mmddyy_24hrs", "mmddyyyy_12hrs", "yyyymmdd_24hrs")},
    **{f"whatstk_history/{name}.txt": (18, 0, 0, 2)
       for name in ("chats_dash_samplechat_4", "chats_dot_samplechat_3", "chats_samplechat", "tests_chats_example-12h-2",
                    "tests_chats_example-12h", "tests_chats_example", "tests_chats_example_2")},
    "whatstk/chats/whatsapp/pokemon.txt": (18, 0, 0, 2),
    "whatstk/chats/whatsapp/lorem.txt": (500, 0, 0, 0),
    "whatstk/chats/whatsapp/lorem-2000.txt": (2000, 0, 0, 0),
    "whatstk/chats/whatsapp/lorem-merge-part1.txt": (300, 0, 0, 0),
    "whatstk/chats/whatsapp/lorem-merge-part2.txt": (300, 0, 0, 0),
}  # fmt: skip
ORDERS = {
    "es_snippets/android_en_us_12h_nnbsp_crlf.txt": "mdy",
    "es_snippets/android_es_AR_grupo.txt": "dmy",
    "es_snippets/android_es_mdy_ampm.txt": "mdy",
    "es_snippets/ios_en_group_2024plus.txt": "dmy",
    "chat-miner_history/test_dateformat3.txt": "ymd",
    "chat-miner_history/test_dateformat5.txt": "mdy",
    "whatstk/chats/whatsapp/lorem.txt": "dmy",
    "whatstk/chats/whatsapp/lorem-2000.txt": "ymd",
}


@pytest.mark.real_data
@pytest.mark.skipif(not WHATSAPP.is_dir(), reason="../shared/data is absent")
@pytest.mark.parametrize("name", COUNTED)
def test_shared_exports(name: str) -> None:
    chat = parse(decode((WHATSAPP / name).read_bytes()).text)
    found = kinds(chat)
    assert (
        tuple(found.get(kind, 0) for kind in ("message", "attachment", "deleted", "notice")) == COUNTED[name]
    )
    assert len(chat.unread) == (1 if "preambulo" in name else 0)
    assert chat.order.order == ORDERS.get(name, chat.order.order)


@pytest.mark.real_data
@pytest.mark.skipif(not WHATSAPP.is_dir(), reason="../shared/data is absent")
def test_every_shared_export_is_counted() -> None:
    assert {path.relative_to(WHATSAPP).as_posix() for path in WHATSAPP.rglob("*.txt")} == set(COUNTED)


@pytest.mark.real_data
@pytest.mark.skipif(not WHATSAPP.is_dir(), reason="../shared/data is absent")
def test_texts_and_authors_of_shared_exports() -> None:
    group = parse(decode((WHATSAPP / "es_snippets/ios_en_group_2024plus.txt").read_bytes()).text)
    assert [(e.author, e.text, e.edited) for e in group.messages] == [
        ("Priya Nandakumar", "Draft is in the shared folder", False),
        ("Marcus Oyelaran", "Agenda:\n1. budget\n2. hiring: next week", False),
        ("Marcus Oyelaran", "Moved to 3pm", True),
        ("Marcus Oyelaran", "@Priya Nandakumar can you check?", False),
        ("Dana", "hi all, @Ghost Person too", False),
    ]
    lorem = parse(decode((WHATSAPP / "whatstk/chats/whatsapp/lorem-2000.txt").read_bytes()).text)
    assert Counter(e.author for e in lorem.entries) == {
        "Giuseppe": 516,
        "+1 123 456 789": 507,
        "Mary": 496,
        "John": 481,
    }
    late = parse(decode((WHATSAPP / "es_snippets/android_en_us_12h_nnbsp_crlf.txt").read_bytes()).text)
    assert [e.text for e in late.messages][-1] == "late one\nsecond line\n2016-04-29 10:30:00"


def test_our_own_export_is_read_whole() -> None:
    path = Path(__file__).parents[1] / "train/texts/chat/chat-de-whatsapp-con-lucia.txt"
    text = path.read_text(encoding="utf-8")
    chat = parse(text)
    assert kinds(chat) == {"message": 6224, "attachment": 36, "deleted": 4, "notice": 1}
    assert (chat.unread, chat.quoted, chat.order.order, chat.order.certain) == ([], [], "dmy", True)
    assert len(text.split("\n")) - 1 == len(chat.entries) + sum(e.text.count("\n") for e in chat.entries)
