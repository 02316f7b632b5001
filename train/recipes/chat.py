"""A persona's replies in WhatsApp chats, with what was said to them, the others under pseudonyms.

python -m train prepare chat SOURCE --persona "NAME" --out DIR [--consent FILE] [--window 3] [--silence 6]
"""

from __future__ import annotations

import argparse
import datetime
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from space.prompts import CHAT
from train.audit import Audit
from train.consent import find_consent, read_consent
from train.conversations import (
    Conversation,
    Limits,
    Said,
    by_silence,
    exchanges,
    history,
    pack,
    paragraph,
    to_turns,
)
from train.corpus import Corpus, Document
from train.decoding import NotText
from train.errors import BadConsent, BadOption, PersonaNeeded, PersonaNotFound
from train.privacy import Masker, fold
from train.recipes import Example
from train.whatsapp import Chat, merged, parse
from train.whatsapp_system import ATTACHMENT, MESSAGE, NOTICE

VERSION = 1
IN_ORDER = True
TEMPLATES = {"chat": CHAT}
PSEUDONYM = "Persona {}"
FILE_SENT = "[adjunto]"
"""What stands for a file that the others sent: the persona may answer it."""
_AUTHORS_IN_ERROR = 12
_UNREAD_ROWS = 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--persona", help="whom to imitate: an author, as the export writes the name")
    parser.add_argument(
        "--alias", action="append", default=[], help="a further name of the persona (repeatable)"
    )
    parser.add_argument(
        "--consent", type=Path, help="the persona's consent (else consent.json beside SOURCE)"
    )
    parser.add_argument("--window", type=float, default=3, help="minutes within which messages are one turn")
    parser.add_argument("--silence", type=float, default=6, help="hours after which a conversation is over")
    parser.add_argument("--max-chars", type=int, default=3500, help="most characters of an example")
    parser.add_argument("--max-messages", type=int, default=80, help="most messages of an example")
    parser.add_argument(
        "--date-order", choices=["auto", "dmy", "mdy", "ymd"], default="auto", help="of day, month and year"
    )
    parser.add_argument("--keep-names", action="store_true", help="no pseudonyms for the people of the chats")
    parser.add_argument(
        "--mask-name", action="append", default=[], help="a further name to mask (repeatable)"
    )


@dataclass(frozen=True)
class _Reading:
    """What the steps share: the persona's names, every author's shown name, the masker, options and audit."""

    persona: set[str]
    shown: dict[str, str]
    masker: Masker
    args: argparse.Namespace
    audit: Audit


def documents(corpus: Corpus, args: argparse.Namespace) -> list[Document]:
    """The conversations in which the persona writes, in the order of time, masked.

    Raises ConsentNeeded, BadConsent, BadOption, PersonaNeeded and PersonaNotFound.
    """
    _check(args)
    path = find_consent(args.consent, corpus.source)
    consent = read_consent(path)
    chats, again = merged(
        list(corpus.each(lambda text, name: _read(text, name, corpus, args), (".txt", ".zip")))
    )
    corpus.audit.dropped("messages that another export holds too", number=again)
    persona = _persona(chats, corpus, args)
    if fold(consent.persona) not in map(fold, {args.persona, *persona}):
        raise BadConsent(path=path, reason=f"it is {consent.persona}'s, not {args.persona}'s")
    shown = _shown(chats, persona, args)
    hidden = {} if args.keep_names else {name: shown[name] for name in shown if name not in persona}
    masker = Masker(hidden | dict.fromkeys(args.mask_name, "[nombre]"))
    reading = _Reading(persona, shown, masker, args, corpus.audit)
    found = [c for number, chat in enumerate(chats, 1) for c in _conversations(chat, number, reading)]
    _tables(chats, reading)
    args.consent = consent.to_json(
        masker.mask
    )  # prepared.json and the lineage carry what it says, not where it is
    return [conversation for _, conversation in sorted(found, key=lambda pair: pair[0])]


def examples(documents: list[Document], args: argparse.Namespace, audit: Audit) -> list[Example]:
    """Every turn of the persona once: consecutive exchanges, as many as fit, are one example."""
    limits = Limits(args.max_chars, args.max_messages)
    result = []
    for document in documents:
        assert isinstance(document, Conversation)
        groups = pack(exchanges(document, limits, audit), limits)
        for number, group in enumerate(groups, 1):
            values = {"persona": document.speaker or args.persona, "message": group[-1].message}
            result.append(
                Example(CHAT, values, group[-1].reply, document, [], number, len(groups), history(group))
            )
    return result


def _check(args: argparse.Namespace) -> None:
    for option, least in (("window", 0), ("silence", 0), ("max_chars", 200), ("max_messages", 2)):
        if not getattr(args, option) >= least:
            name = f"--{option.replace('_', '-')}"
            raise BadOption(option=name, value=getattr(args, option), reason=f"give {least} or more")


def _read(text: str, name: str, corpus: Corpus, args: argparse.Namespace) -> Iterator[Chat]:
    """One export. A text without any message is an error, but in a .zip it is a file that somebody sent."""
    if args.consent and corpus.source.is_dir() and (corpus.source / name).resolve() == args.consent.resolve():
        return
    chat = parse(text, args.date_order)
    if not chat.messages:
        if ".zip/" not in name.lower():
            raise NotText("there is no message in it that can be read: is it the export of a WhatsApp chat?")
        corpus.audit.dropped("texts in a .zip that are no chat", name)
        return
    rows = corpus.audit.tables.setdefault("chats", [])
    times = [entry.time for entry in chat.entries]
    rows.append(
        {
            "chat": len(rows) + 1,
            "first": min(times).date().isoformat(),
            "last": max(times).date().isoformat(),
            "messages": len(chat.messages),
            "date order": chat.order.order,
            "certain": "yes" if chat.order.certain else "NO",
            "why": chat.order.reason,
        }
    )
    yield chat


def _persona(chats: list[Chat], corpus: Corpus, args: argparse.Namespace) -> set[str]:
    """The author names that are the persona: equal to --persona or an --alias, else the only one that has its words."""
    counts = Counter(entry.author for chat in chats for entry in chat.messages)
    authors = "; ".join(f"{name} ({number})" for name, number in counts.most_common(_AUTHORS_IN_ERROR))
    if not args.persona:
        raise PersonaNeeded(path=corpus.source, authors=authors)
    wanted = {fold(" ".join(name.split())) for name in (args.persona, *args.alias)}
    found = {author for author in counts if fold(" ".join(author.split())) in wanted}
    if not found:
        words = set(fold(args.persona).split())
        near = {author for author in counts if words <= set(fold(author).split())}
        if len(near) != 1:
            raise PersonaNotFound(persona=args.persona, path=corpus.source, authors=authors)
        found = near
    return found


def _shown(chats: list[Chat], persona: set[str], args: argparse.Namespace) -> dict[str, str]:
    """The name that stands for each person: the persona's own, the others' numbered in the order they appear."""
    shown = dict.fromkeys(persona, args.persona)
    numbers: dict[str, int] = {}
    for chat in chats:
        names = [
            entry.author for entry in chat.entries if entry.kind != NOTICE
        ]  # iOS: a group writes its notices
        for name in [*names, *sorted(chat.mentioned)]:
            if name not in shown:
                number = numbers.setdefault(fold(name), len(numbers) + 1)
                shown[name] = name if args.keep_names else PSEUDONYM.format(number)
    return shown


def _conversations(
    chat: Chat, number: int, reading: _Reading
) -> Iterator[tuple[datetime.datetime, Conversation]]:
    """A chat's conversations in which the persona writes, each with the time it begins."""
    args, audit = reading.args, reading.audit
    said = _said(chat, reading)
    others = {message.author for message in said if not message.by_persona}
    for part in by_silence(said, datetime.timedelta(hours=args.silence)):
        date = part[0].time.date().isoformat()
        if not any(message.by_persona for message in part):
            audit.dropped("conversations in which the persona does not write", number=1)
            audit.dropped("messages of conversations in which the persona does not write", number=len(part))
            continue
        turns = to_turns(part, datetime.timedelta(minutes=args.window))
        yield (
            part[0].time,
            Conversation(
                id=f"chat-{number}/{part[0].time:%Y-%m-%dT%H%M}",
                title=f"Chat {number}, {date}",
                source=f"chat-{number}",
                date=date,
                speaker=args.persona,
                sections=[[paragraph(author, text) for author, text in turn.bubbles] for turn in turns],
                turns=turns,
                labelled=len(others) > 1,
            ),
        )


def _said(chat: Chat, reading: _Reading) -> list[Said]:
    """The messages to learn from, in the order of time; what is left out is counted."""
    audit, result = reading.audit, []
    for entry in sorted(chat.entries, key=lambda entry: entry.time):
        by_persona = entry.author in reading.persona
        text = reading.masker.mask(entry.text) if entry.kind in (MESSAGE, ATTACHMENT) else ""
        if entry.kind == ATTACHMENT:
            whose = "the persona" if by_persona else "others"
            if by_persona and not text:
                audit.dropped("attachments of the persona")
                continue
            audit.kept(f"attachments of {whose}, as {'their caption' if by_persona else FILE_SENT}")
            text = text if by_persona else f"{FILE_SENT}\n{text}".strip()
        elif entry.kind != MESSAGE:
            audit.dropped(
                {"deleted": "deleted messages", "notice": "notices of WhatsApp"}.get(
                    entry.kind, "empty messages"
                )
            )
            continue
        audit.repaired("marks of edited messages removed", number=int(entry.edited))
        audit.kept("messages of the persona" if by_persona else "messages of others")
        result.append(Said(entry.time, reading.shown[entry.author], text, by_persona))
    return result


def _tables(chats: list[Chat], reading: _Reading) -> None:
    """Authors, masks and lines that were not understood, for the report; none of it holds a secret."""
    audit, masker = reading.audit, reading.masker
    messages = [entry for chat in chats for entry in chat.messages]
    counts = Counter(reading.shown[entry.author] for entry in messages)
    words = Counter[str]()
    for entry in messages:
        words[reading.shown[entry.author]] += len(entry.text.split())
    audit.tables["authors"] = [
        {"author": name, "messages": number, "words": words[name]} for name, number in counts.most_common()
    ]
    audit.tables["personal data masked"] = [
        {"kind": kind, "times": number} for kind, number in masker.counts.most_common()
    ]
    unread = [
        {"chat": number, "line": line.line, "why": line.reason, "text": masker.mask(line.text)[:200]}
        for number, chat in enumerate(chats, 1)
        for line in sorted([*chat.unread, *chat.quoted], key=lambda line: line.line)
    ]
    audit.tables["lines not understood"] = unread[:_UNREAD_ROWS]
    for chat in chats:
        for line in chat.unread:
            audit.dropped(f"lines: {line.reason}", masker.mask(line.text))
        for line in chat.quoted:
            audit.kept(
                f"lines that begin with a date, in the message above: {line.reason}", masker.mask(line.text)
            )
        audit.repaired("dates that only another order than the file's can read", number=chat.reordered)
        audit.repaired("entries dated before the one above", number=chat.back)
