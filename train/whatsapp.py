"""Reads one export of a WhatsApp chat, of Android or iOS, in any locale: used by `python -m train prepare chat`.

A line that begins with a date is the start of an entry (train/whatsapp_dates.py); others continue the entry above. What
fits nothing is in `Chat.unread`: lines before the first entry or after a notice, dates that do not exist. The words that
WhatsApp itself writes are in train/whatsapp_system.py.
"""

from __future__ import annotations

import datetime
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace

from train.whatsapp_dates import DateOrder, Header, find_header, infer
from train.whatsapp_system import (
    ATTACHMENT,
    MESSAGE,
    NOTICE,
    caption,
    classify,
    is_known_notice,
    is_notice_line,
    without_edited,
)

RARE_STYLE = 0.1  # share of the headers under which another way of writing dates is a quotation, not an entry
FEW = 20  # headers under which there is no telling
_LEFT_TO_RIGHT = "\u200e"
_MARKS = re.compile("[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069\ufeff]")
_SPACES = re.compile("[\t\u00a0\u2000-\u200a\u202f\u205f\u3000]")
_MENTION = re.compile("@\u2068([^\u2068\u2069\n]{1,80})\u2069")
_UNSAVED = re.compile(r"^~\s*")  # before the name that someone who is not in the contacts chose


@dataclass(frozen=True)
class Entry:
    """One entry: `kind` of train/whatsapp_system.py; `text` without WhatsApp's own marks (a caption, for attachments);
    `author` is empty for notices; `line` counts from 1."""

    time: datetime.datetime
    author: str
    kind: str
    text: str
    line: int
    edited: bool = False


@dataclass(frozen=True)
class Unread:
    """A line that was not understood, and why."""

    line: int
    text: str
    reason: str


@dataclass
class Chat:
    """What one export holds. `mentioned`: names written by WhatsApp after an @. `quoted`: lines that begin like an entry
    but were taken as part of the message above. `reordered`: dates that only another order than the file's can read.
    `back`: entries dated before the one above."""

    entries: list[Entry] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    order: DateOrder = field(default_factory=lambda: infer([]))
    mentioned: set[str] = field(default_factory=set)
    quoted: list[Unread] = field(default_factory=list)
    reordered: int = 0
    back: int = 0

    @property
    def messages(self) -> list[Entry]:
        return [
            entry
            for entry in self.entries
            if entry.kind == MESSAGE or (entry.kind == ATTACHMENT and entry.text)
        ]


@dataclass
class _Line:
    number: int
    raw: str
    plain: str
    header: Header | None
    time: datetime.datetime | None = None

    @property
    def rest(self) -> str:
        return self.plain[self.header.end :].strip() if self.header else self.plain

    @property
    def marked_rest(self) -> str:
        """The rest as written, with the marks in it and the one before it."""
        assert self.header
        if len(self.raw) == len(self.plain):
            return self.plain[self.header.end :]
        kept = [i for i, character in enumerate(self.raw) if not _MARKS.match(character)]
        start = kept[self.header.end] if self.header.end < len(kept) else len(self.raw)
        return self.raw[start:]


def parse(text: str, date_order: str = "auto") -> Chat:
    """The entries of an export in the order of its lines; `date_order` is "auto", "dmy", "mdy" or "ymd"."""
    chat = Chat()
    lines = [_line(number, raw) for number, raw in enumerate(text.split("\n"), 1)]
    _drop_rare_styles(lines, chat)
    headers = [line.header for line in lines if line.header]
    chat.order = (
        infer(headers) if date_order == "auto" else DateOrder(date_order, True, "given with --date-order")
    )
    for line in lines:
        if line.header:
            line.time = line.header.moment(chat.order.order)
            chat.reordered += line.time is not None and line.header.date(chat.order.order) is None
    _drop_quoted_lists(lines, chat)
    authors = _Authors(lines)
    for block in _blocks(lines, chat):
        entry = _entry(block, authors, chat)
        if chat.entries and entry.time < chat.entries[-1].time:
            chat.back += 1
        chat.entries.append(entry)
    return chat


def _line(number: int, raw: str) -> _Line:
    raw = _SPACES.sub(" ", raw)
    plain = _MARKS.sub("", raw)
    return _Line(number, raw, plain, find_header(plain))


def _drop_rare_styles(lines: list[_Line], chat: Chat) -> None:
    """Takes the header from lines in a way of writing that is not the file's: pasted messages, dates in a text.

    A date that a colon or nothing closes needs an author too, one that is known from elsewhere unless it is the usual way.
    """
    found = Counter(line.header.frame for line in lines if line.header)
    total = found.total()
    usual = found.most_common(1)[0][0] if found else ""
    strict = {
        _author(line.rest)[0]
        for line in lines
        if line.header and line.header.frame in (usual, "dash", "bracket")
    }
    for line in lines:
        if not line.header:
            continue
        frame = line.header.frame
        rare = total >= FEW and found[frame] < total * RARE_STYLE
        if frame in ("colon", "bare"):
            author = _author(line.rest)[0]
            rare = rare or not author or author not in strict
        if rare:
            line.header = None
            if frame in ("dash", "bracket"):
                chat.quoted.append(
                    Unread(line.number, line.plain, "another way of writing dates than the file's")
                )


def _drop_quoted_lists(lines: list[_Line], chat: Chat) -> None:
    """Takes the header from lines without author and known words whose time is out of order: a list in a message."""
    day = datetime.timedelta(days=1)
    dated = [(line, line.time, _is_sure(line)) for line in lines if line.time]
    nexts: list[datetime.datetime | None] = []
    following = None
    for _, time, sure in reversed(dated):
        nexts.append(following)
        following = time if sure else following
    before = None
    for (line, time, sure), after in zip(dated, reversed(nexts), strict=True):
        if sure:
            before = time
        elif (before and time < before - day) or (after and time > after + day):
            chat.quoted.append(Unread(line.number, line.plain, "no author, and its date is out of order"))
            line.header = line.time = None


def _is_sure(line: _Line) -> bool:
    """Whether a line with a date has an author or says what a notice says."""
    return bool(_author(line.rest)[0]) or is_known_notice(line.rest) or is_notice_line(line.rest)


def _blocks(lines: list[_Line], chat: Chat) -> list[list[_Line]]:
    """Each header line that has a date with the lines that continue it; the rest goes to `unread`."""
    blocks: list[list[_Line]] = []
    reason = "before the first message"
    for line in lines:
        if line.header and line.time:
            blocks.append([line])
            notice = not _author(line.rest)[0] or is_notice_line(line.rest)
            reason = "after a notice" if notice else ""
        elif line.header:
            reason = "a date that does not exist"
            chat.unread.append(Unread(line.number, line.plain, reason))
        elif reason and line.plain.strip():
            chat.unread.append(Unread(line.number, line.plain, reason))
        elif not reason:
            blocks[-1].append(line)
    return blocks


def _entry(block: list[_Line], authors: _Authors, chat: Chat) -> Entry:
    first = block[0]
    assert first.time
    author = "" if is_notice_line(first.rest) else authors.of(first.rest)
    if not author:
        if not is_known_notice(first.rest):
            chat.unread.append(Unread(first.number, first.plain, "no author, and no notice that is known"))
        return Entry(first.time, "", NOTICE, first.rest, first.number)
    chat.mentioned.update(_name(name) for name in _MENTION.findall("\n".join(line.raw for line in block)))
    raw = _after_author(first.marked_rest, author)
    marked = raw.lstrip(" ").startswith(_LEFT_TO_RIGHT)
    whole = "\n".join([_marks_inside(raw), *(_marks_inside(line.raw) for line in block[1:])]).strip()
    whole, edited = without_edited(whole.replace("\u2028", "\n"))
    name = _name(author)
    kind = classify(whole, name, marked)
    text = caption(whole) if kind == ATTACHMENT else whole.replace(_LEFT_TO_RIGHT, "").strip()
    return Entry(first.time, name, kind, text, first.number, edited)


def _marks_inside(raw: str) -> str:
    """A line without marks, except left-to-right ones inside it, and without the ~ of mentions."""
    raw = re.sub("@\u2068~\\s*", "@", raw)
    return re.sub("[\u200f\u061c\u202a-\u202e\u2066-\u2069\ufeff]", "", raw.strip()).removeprefix(
        _LEFT_TO_RIGHT
    )


def _after_author(raw: str, author: str) -> str:
    """What follows `author:` in a line with marks in it."""
    if raw.startswith(f"{author}:"):
        return raw[len(author) + 1 :]
    seen = 0
    for position, character in enumerate(raw):
        if seen == len(author) and character == ":":
            return raw[position + 1 :]
        seen += not _MARKS.match(character)
    return raw


def _author(rest: str) -> tuple[str, str]:
    """Author and text at the first colon that a space or the line's end follows; no author when there is none."""
    match = re.match(r"(.{1,100}?):(?:\s+|$)(.*)", rest)
    return (match[1], match[2]) if match else ("", rest)


def _name(author: str) -> str:
    return _UNSAVED.sub("", _MARKS.sub("", author)).strip()


class _Authors:
    """The authors of a file, as written: also those whose name has a colon, and those that no space follows once.

    A name has a colon when all texts of an author, three at least, go on with the same word and colon.
    """

    def __init__(self, lines: list[_Line]) -> None:
        texts: dict[str, list[str]] = defaultdict(list)
        for line in lines:
            if line.header and line.time and not is_notice_line(line.rest):
                author, text = _author(line.rest)
                texts[author].append(text)
        texts.pop("", None)
        self._longer: dict[str, str] = {}
        for author, said in texts.items():
            nexts = {_author(text)[0] for text in said}
            if len(said) >= 3 and len(nexts) == 1 and (more := nexts.pop()):
                self._longer[author] = f"{author}: {more}"
        self._known = sorted(texts, key=len, reverse=True)

    def of(self, rest: str) -> str:
        """The author of what follows a date; empty for a notice."""
        author, _ = _author(rest)
        if author:
            return self._longer.get(author, author)
        return next((name for name in self._known if rest.startswith(f"{name}:")), "")


def merged(chats: list[Chat]) -> tuple[list[Chat], int]:
    """The chats without the entries that an earlier one holds too (exports of one chat that overlap), and how many."""
    seen: Counter[tuple[datetime.datetime, str, str]] = Counter()
    result, dropped = [], 0
    for chat in chats:
        own: Counter[tuple[datetime.datetime, str, str]] = Counter()
        kept = []
        for entry in chat.entries:
            key = (entry.time, entry.author, entry.text)
            own[key] += 1
            if own[key] > seen[key]:
                kept.append(entry)
        dropped += len(chat.entries) - len(kept)
        seen |= own
        result.append(replace(chat, entries=kept))
    return result, dropped
