"""Personal data in messages. All numbers are invented or the published examples of their kind. Run: pytest tests/test_privacy.py"""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from train.identifiers import find_identifiers, is_clabe, is_uruguayan
from train.privacy import PLACEHOLDERS, Masker, fold

NAMES = {
    "Tomás Ibarra": "Persona 1",
    "Mar Sol": "Persona 2",
    "+54 9 11 5555-1234": "Persona 3",
    "Abril 🌻": "Persona 4",
}


def mask(text: str) -> str:
    return Masker(NAMES).mask(text)


SECRETS = [
    ("phone", "+54 9 11 6234-5678"),
    ("phone", "+34 612 345 678"),
    ("phone", "612345678"),
    ("phone", "11 5555-4321"),
    ("phone", "(55) 1234 5678"),
    ("phone", "099 123 456"),
    ("phone", "+593 98 765 4321"),
    ("phone", "4555-1234"),
    ("card", "4111 1111 1111 1111"),
    ("card", "5500-0000-0000-0004"),
    ("card", "378282246310005"),
    ("account", "ES91 2100 0418 4502 0005 1332"),
    ("account", "ES9121000418450200051332"),
    ("account", "2850590940090418135201"),  # CBU
    ("account", "032180000118359719"),  # CLABE
    ("document", "12345678Z"),  # DNI of Spain
    ("document", "X1234567L"),  # NIE
    ("document", "30.123.456"),  # DNI of Argentina
    ("document", "20-11111111-2"),  # CUIT
    ("document", "20111111112"),
    ("document", "GOMC560326HDFXYZ08"),  # CURP
    ("document", "GODE561231GR8"),  # RFC
    ("document", "12.345.678-5"),  # RUT
    ("document", "1.234.567-2"),  # cédula of Uruguay
    ("document", "529.982.247-25"),  # CPF
    ("document", "123-45-6789"),
    ("email", "ana.perez+x@correo.com.ar"),
    ("email", "ana (arroba) correo.com"),
    ("link", "https://meet.example.com/abc-defg?token=xyz"),
    ("link", "www.ejemplo.com/x?y=1"),
    ("link", "bit.ly/3xyz"),
    ("place", "-34.603722, -58.381592"),
    ("user", "@lucia.panes"),
    ("address", "Av. Corrientes 1234, piso 5 depto B"),
    ("address", "calle san martín 450"),
    ("address", "c/ Mayor, 12, 3º B"),
    ("address", "calle 93 # 15-20 apto 301"),
    ("address", "cra 7 # 12-34"),
    ("address", "Avenida 9 de Julio 1500"),
    ("number", "4111111111111112"),  # no valid card, but no small number either
]


@pytest.mark.parametrize(("kind", "secret"), SECRETS)
def test_a_secret_is_replaced_whole_and_counted(kind: str, secret: str) -> None:
    masker = Masker(NAMES)
    shown = masker.mask(f"mirá, es {secret}. ¿Sí?")
    assert shown == f"mirá, es {PLACEHOLDERS[kind]}. ¿Sí?"
    assert masker.counts == {kind: 1}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mi dni es 30123456", "mi dni es [documento]"),
        ("Cédula: 1714307103, dale", "Cédula: [documento], dale"),
        ("pasaporte AAB123456", "pasaporte [documento]"),
        ("llamame al 4555123", "llamame al [teléfono]"),
        ("la clave del wifi es perro1234", "la clave del wifi es [clave]"),
        ("el código es 4821 ok", "el código es [clave] ok"),
        ("cvv 123", "cvv [clave]"),
        ("CP 28013", "[dirección]"),
    ],
)
def test_a_word_before_a_number_says_what_it_is(text: str, shown: str) -> None:
    assert mask(text) == shown


@pytest.mark.parametrize(
    "text",
    ["lo ceden con CC0 1.0 y están de acuerdo", "salió $ 1.250.000 y 1.250.000 pesos", "del 2019-2020 al 12-03-2024, 12/03/2024 10:30", "año 2024 2025 2026", "son 120.000 personas",
     "a las 10:30, 15 o 20", "3-2 y 21-19", "la clave es tener paciencia", "calle 31", "estoy en la calle con 20 amigos",
     "la plaza mayor tiene 40 palomas", "camino 40 kilómetros", "veces que dora dijo calle: 31", "harina 000, 750 g, 24 horas",
     "el mar y el sol de abril", "llamá a los 40 minutos", "1.299.999.999"],
)  # fmt: skip
def test_what_is_nobodys_stays(text: str) -> None:
    masker = Masker(NAMES)
    assert masker.mask(text) == text
    assert not masker.counts


def test_names_of_the_chat_in_any_case_and_without_accents() -> None:
    assert mask("tomas, TOMÁS e Ibarra: @Tomás Ibarra") == "Persona 1, Persona 1 e Persona 1: @Persona 1"
    assert mask("tomasito no, tomate tampoco") == "tomasito no, tomate tampoco"
    assert (
        mask("Mar y Abril llegaron; el mar en abril no")
        == "Persona 2 y Persona 4 llegaron; el mar en abril no"
    )
    assert (
        mask("hola @5491155551234, tu número es +54 9 11 5555 1234")
        == "hola @Persona 3, tu número es Persona 3"
    )


def test_check_digits_of_our_own() -> None:
    assert is_clabe("032180000118359719")
    assert not is_clabe("032180000118359718")
    assert is_uruguayan("1.234.567-2")
    assert not is_uruguayan("1.234.567-3")
    kinds = [found.kind for found in find_identifiers("12345678A 4111 1111 1111 1112 20-11111111-3")]
    assert "document" not in kinds
    assert "card" not in kinds


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="abcTomás @.-+0123456789()áÉ\n😀ßİ", max_size=80))
def test_masking_leaves_what_it_does_not_find(text: str) -> None:
    masker = Masker(NAMES)
    shown = masker.mask(text)
    assert len(fold(text)) == len(text)
    if not masker.counts:
        assert shown == text
    assert not re.search(r"\d{9}", shown)


@pytest.mark.parametrize("piece", ["ja", "a-", "a.", "x@", "calle a ", "A1", "clave ", "dni ", "av. "])
def test_long_messages_do_not_take_long(piece: str) -> None:
    import time

    started = time.process_time()
    mask(piece * 10_000)
    assert time.process_time() - started < 2
