"""The vocabulary of a loaded GGUF: text to token ids and back; used by `space/engine.py`."""

from __future__ import annotations

import ctypes
from functools import cached_property
from typing import Any

import llama_cpp

from space.chat import Marker

MARKS = llama_cpp.LLAMA_TOKEN_ATTR_CONTROL | llama_cpp.LLAMA_TOKEN_ATTR_USER_DEFINED
HIDDEN = llama_cpp.LLAMA_TOKEN_ATTR_CONTROL | llama_cpp.LLAMA_TOKEN_ATTR_UNKNOWN


class Vocabulary:
    """The vocabulary of `model` (a llama_model pointer, which must outlive this object)."""

    def __init__(self, model: Any) -> None:
        self._vocab = llama_cpp.llama_model_get_vocab(model)
        self.size: int = llama_cpp.llama_vocab_n_tokens(self._vocab)
        self._pieces: list[bytes | None] = [None] * self.size

    @cached_property
    def _attributes(self) -> list[int]:
        attribute = llama_cpp.llama_vocab_get_attr
        return [attribute(self._vocab, token) for token in range(self.size)]

    @cached_property
    def markers(self) -> dict[str, Marker]:
        """The special tokens by their text."""
        return {
            self._text(token): Marker(
                token,
                lstrip=bool(attributes & llama_cpp.LLAMA_TOKEN_ATTR_LSTRIP),
                rstrip=bool(attributes & llama_cpp.LLAMA_TOKEN_ATTR_RSTRIP),
            )
            for token, attributes in enumerate(self._attributes)
            if attributes & MARKS and self._text(token)
        }

    @cached_property
    def ends(self) -> frozenset[int]:
        """The tokens that end an answer."""
        return frozenset(t for t in range(self.size) if llama_cpp.llama_vocab_is_eog(self._vocab, t))

    @cached_property
    def never(self) -> tuple[int, ...]:
        """The tokens that no answer may contain: special ones that do not end it."""
        return tuple(t for t, a in enumerate(self._attributes) if a & HIDDEN and t not in self.ends)

    @cached_property
    def paragraph(self) -> list[int]:
        """The ids of a blank line within a text."""
        return self.tokenize("a\n\n")[len(self.tokenize("a")) :]

    @property
    def bos(self) -> str:
        return self._special(llama_cpp.llama_vocab_bos(self._vocab))

    @property
    def eos(self) -> str:
        return self._special(llama_cpp.llama_vocab_eos(self._vocab))

    def tokenize(self, text: str) -> list[int]:
        """The ids of plain `text`: no special token is read in it, and none is added."""
        data = text.encode("utf-8")
        tokens = (llama_cpp.llama_token * (len(data) + 2))()
        count = llama_cpp.llama_tokenize(self._vocab, data, len(data), tokens, len(tokens), False, False)
        if count < 0:
            raise ValueError(f"llama_tokenize wants {-count} places for {len(data)} bytes")
        return tokens[:count]

    def piece(self, token: int) -> bytes:
        """The bytes of one token; nothing for a special one."""
        known = self._pieces[token]
        if known is None:
            known = self._pieces[token] = self._read_piece(token)
        return known

    def _read_piece(self, token: int, room: int = 256) -> bytes:
        buffer = ctypes.create_string_buffer(
            room
        )  # not shared: the engine's thread and visitors' threads both read pieces
        size = llama_cpp.llama_token_to_piece(self._vocab, token, buffer, room, 0, False)
        return buffer.raw[:size] if size >= 0 else self._read_piece(token, -size)

    def _text(self, token: int) -> str:
        raw = llama_cpp.llama_vocab_get_text(self._vocab, token)
        return (raw or b"").decode("utf-8", errors="replace")

    def _special(self, token: int) -> str:
        return self._text(token) if token >= 0 else ""
