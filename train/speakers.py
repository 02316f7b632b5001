"""Decides which speaker labels of transcripts are the wanted person: used by the conference recipe.

"PRESIDENTE ANDRÉS MANUEL LÓPEZ OBRADOR", "AMLO", "Lic. Andrés López Obrador" and "PRSIDENTE ANDRÉS MANEL LÓPEZ OBRADOR"
are one; "JOSÉ RAMÓN LÓPEZ OBRADOR" and "ESPOSA DEL PRESIDENTE LÓPEZ OBRADOR" are others. Case, accents, titles and what
follows a comma (the office) do not count; one token in two may be misspelt.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache

from train.errors import AmbiguousSpeaker

_PARTICLES = frozenset("de del la las los el y e da do dos van von mc".split())  # noqa: SIM905
_TITLES = frozenset(
    "presidente presidenta expresidente expresidenta vicepresidente vicepresidenta lic licenciado licenciada dr dra doctor doctora "  # noqa: SIM905
    "ing ingeniero ingeniera mtro mtra maestro maestra arq prof profesor profesora gral general almirante coronel capitan sr sra srta "
    "senor senora don dona c ciudadano ciudadana constitucional republica nacion mexico estados unidos mexicanos electo electa "
    "gobierno municipal secretario secretaria gobernador gobernadora senador senadora diputado diputada ministro ministra alcalde alcaldesa candidato "
    "candidata rey reina papa embajador embajadora".split()
)
_CLOSE = 0.8  # difflib ratio: one wrong letter in five


@dataclass(frozen=True)
class Match:
    """How a label relates to the wanted name: "exact" (same tokens), "variant", "similar" (not taken), "other".

    "surname" (a title and one surname: "PRESIDENTE PETRO") is settled by the other labels, in `Speaker.choose`.
    """

    kind: str
    extension: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        return self.kind in ("exact", "variant")


class Speaker:
    """The wanted person by `name`, with labels that are taken as they are (`aliases`)."""

    def __init__(self, name: str, aliases: list[str] | None = None) -> None:
        self.name = name
        self._wanted = _name_tokens(name)
        self._whole = {_plain(text) for text in [name, *(aliases or [])]}
        self._initials = "".join(token[0] for token in self._wanted)

    def match(self, label: str) -> Match:
        """Whether `label` is this person."""
        plain = _plain(re.sub(r"\(.*", "", label)) or _plain(label)
        if plain in self._whole or _plain(label) in self._whole:
            return Match("exact")
        tokens = _label_tokens(label)
        if not tokens or not self._wanted:
            return Match("other")
        if len(self._initials) >= 3 and tokens == [self._initials]:
            return Match("variant")
        if (
            len(tokens) == 1
            and tokens[0] in _surnames(self._wanted)
            and any(map(_is_title, _plain(label).split()))
        ):
            return Match("surname")
        return _compare(self._wanted, tokens)

    def choose(self, labels: list[str]) -> dict[str, Match]:
        """The match of each label. Raises AmbiguousSpeaker when a short name fits people with different further names."""
        matches = {label: self.match(label) for label in labels}
        others = {
            token
            for label, match in matches.items()
            if not match.accepted and match.kind != "surname"
            for token in _plain(label).split()
        }
        for label, match in matches.items():
            if match.kind == "surname":
                matches[label] = Match("similar" if _label_tokens(label)[0] in others else "variant")
        further: list[tuple[str, ...]] = []
        for match in matches.values():
            if match.extension and not any(_same_extension(match.extension, other) for other in further):
                further.append(match.extension)
        if len(further) > 1:
            names = sorted({re.sub(r",.*", "", label) for label, match in matches.items() if match.extension})
            raise AmbiguousSpeaker(speaker=self.name, names="; ".join(names[:8]))
        return matches

    def is_named_as_author(self, title: str) -> bool:
        """Whether a title says that the text is this person's speech ("Mensaje del presidente NAME durante …")."""
        tokens = _plain(re.sub(r"[-_]", " ", title)).split()
        starts = [i for i, token in enumerate(tokens) if token in _SPEECH_WORDS]
        for start in starts:
            after = [t for t in tokens[start + 1 : start + 14] if t not in _PARTICLES]
            while after and after[0] in _TITLES:
                after.pop(0)
            wanted = self._wanted
            if wanted and (after[: len(wanted)] == wanted or (len(wanted) > 2 and after[:2] == wanted[-2:])):
                return True
        return False


_SPEECH_WORDS = frozenset(
    "discurso mensaje palabras intervencion alocucion conferencia informe declaracion posicionamiento entrevista".split()  # noqa: SIM905
)


def _compare(wanted: list[str], tokens: list[str]) -> Match:
    exact, close, left = _align(wanted, tokens)
    extra = [token for token in tokens if token not in exact and token not in close]
    if not extra:
        if len(close) > len(exact) or len(exact) + len(close) < 2:
            return Match("similar" if exact else "other")
        if all(name in left for name in _surnames(wanted)):
            return Match("similar")
        return Match("exact" if not left and not close else "variant")
    if not left and not close and len(wanted) in (2, 3) and tokens[0] == wanted[0] and len(extra) <= 2:
        return Match("variant", tuple(extra))
    return Match("similar" if len(exact) + len(close) >= 2 else "other")


def _surnames(wanted: list[str]) -> list[str]:
    """The last two words of a name of three or more, else the last."""
    return wanted[-2:] if len(wanted) > 2 else wanted[1:]


def _align(wanted: list[str], tokens: list[str]) -> tuple[list[str], list[str], list[str]]:
    """Tokens of the label that are wanted ones, those that are misspelt wanted ones, and wanted ones not met."""
    left = list(wanted)
    exact = []
    for token in tokens:
        if token in left:
            left.remove(token)
            exact.append(token)
    close = []
    for token in tokens:
        if token not in exact and (best := next((w for w in left if _misspelt(token, w)), None)):
            left.remove(best)
            close.append(token)
    return exact, close, left


def _misspelt(token: str, name: str) -> bool:
    """Whether `token` is `name` with a slip; María/Mario, Luis/Luisa and Hernández/Fernández are different names."""
    if min(len(token), len(name)) < 4 or SequenceMatcher(None, token, name).ratio() < _CLOSE:
        return False
    vowels = {token[0], name[0]} <= set("aeiou")
    if token[0] != name[0] and token[1:] == name[1:] and not vowels:
        return False
    gendered = token.rstrip("aoe") == name.rstrip("aoe")
    return not gendered


def _same_extension(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    shorter, longer = sorted((one, other), key=len)
    return all(any(a == b or _misspelt(a, b) for b in longer) for a in shorter)


def _label_tokens(label: str) -> list[str]:
    """The name of a label: its first part before a comma; where that is only an office, the next part or the brackets."""
    outside = re.sub(r"\(.*?(\)|$)", " ", label)
    segments = [s for s in re.split(r"[,;]", outside) if s.strip()][:2] + re.findall(r"\(([^()]*)\)?", label)[
        :1
    ]
    for segment in segments:
        tokens = _name_tokens(segment)
        if tokens or not any(map(_is_title, _plain(segment).split())):
            return tokens
    return []


def _name_tokens(text: str) -> list[str]:
    """The words of a name, without leading titles, particles and initials."""
    tokens = [token for token in _plain(text).split() if token not in _PARTICLES and len(token) > 1]
    while tokens and _is_title(tokens[0]):
        tokens.pop(0)
    return tokens


@cache
def _is_title(token: str) -> bool:
    if token in _TITLES:
        return True
    return len(token) > 6 and any(
        SequenceMatcher(None, token, title).ratio() > 0.87 for title in ("presidente", "presidenta")
    )


def _plain(text: str) -> str:
    """Lower case without accents and punctuation."""
    bare = unicodedata.normalize("NFD", text).encode("ascii", "ignore").decode().lower()
    return " ".join(re.findall(r"[a-z0-9]+", bare))
