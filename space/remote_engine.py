"""An OpenAI-compatible server as engine: `ORADOR_ENGINE_URL=http://host:8000/v1 python app.py`.

`llama_cpp.server`, llama-server, vLLM and Inference Endpoints offer the same `/completions`. The prompt is rendered here by the
bundle's own chat template and sent as a text, so that the server sees what its model was trained on. A content that
holds a mark such as `<|end|>` is refused: a server would read it as a special token.

What a server cannot do is not done: `min_words` (the end token cannot be held back), and equal seeds give equal texts
only where the server promises it.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import httpx

from space.chat import ChatTemplate
from space.engine import Request, Step, Steps
from space.errors import ForbiddenMark, RemoteFailed, RemoteWithoutAdapter
from space.prompts import Message
from space.writing import StopStrings

CONNECT_SECONDS = 10
CHARACTERS_PER_TOKEN = 3
"""A server does not count tokens for us: prompts are estimated from above, Spanish has about 4 characters a token."""
_MARK = re.compile(r"<\|[^|<>\s]{1,40}\|>|</?s>|\[/?INST\]|<(?:start|end)_of_turn>")


@dataclass(frozen=True)
class Remote:
    """Where the server is; `model` None asks for the adapter's name, or for the server's first model without adapter."""

    url: str
    key: str | None = None
    model: str | None = None


class RemoteEngine:
    """A server at `remote.url`. Raises RemoteFailed where it does not answer as one."""

    def __init__(self, remote: Remote, chat_template: str, context: int) -> None:
        self.context = context
        headers = {"Authorization": f"Bearer {remote.key}"} if remote.key else {}
        timeout = httpx.Timeout(None, connect=CONNECT_SECONDS)
        self._http = httpx.Client(base_url=remote.url.rstrip("/") + "/", headers=headers, timeout=timeout)
        self._remote = remote
        self._template = ChatTemplate(chat_template)
        self._models = self._list()

    reading_speed: float | None = None

    def close(self) -> None:
        self._http.close()

    def hot(self, request: Request) -> list[bool]:
        """None: a server keeps what it keeps."""
        return [False] * len(request.passages)

    def prepare(self, request: Request) -> None:
        """Nothing: a server is asked when a visitor asks."""

    def prompt(self, messages: Sequence[Message], opening: str = "") -> str:
        """The prompt as a text. Raises ForbiddenMark for a content that holds a special token's text."""
        parts = self._template.parts(messages, opening)
        for part in parts:
            if not part.trusted and (mark := _MARK.search(part.text)):
                raise ForbiddenMark(mark=mark[0])
        return "".join(part.text for part in parts)

    def count(self, messages: Sequence[Message], opening: str = "") -> int:
        """An estimate from above."""
        return len(self.prompt(messages, opening)) // CHARACTERS_PER_TOKEN + 1

    def stream(self, request: Request) -> Steps:
        """The steps of `request`. Raises ForbiddenMark, RemoteWithoutAdapter; RemoteFailed also later."""
        prompt = self.prompt(request.messages, request.opening)
        sampling = request.sampling
        body: dict[str, Any] = {
            "model": self._model(request.adapter),
            "prompt": prompt,
            "max_tokens": request.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": sampling.top_k,
            "min_p": sampling.min_p,
            "repeat_penalty": sampling.repeat_penalty,  # llama.cpp's name
            "repetition_penalty": sampling.repeat_penalty,  # vLLM's
            "seed": sampling.seed,
            "stream": True,
        }
        if request.stop:
            body["stop"] = list(request.stop)
        if request.grammar is not None:
            body["grammar"] = request.grammar
        return self._follow(request, body, self.count(request.messages, request.opening))

    def _model(self, adapter: str | None) -> str:
        if self._remote.model is not None:
            return self._remote.model
        if adapter is None:
            return self._models[0] if self._models else ""
        if adapter not in self._models:
            raise RemoteWithoutAdapter(name=adapter, url=self._remote.url, models=", ".join(self._models))
        return adapter

    def _follow(self, request: Request, body: dict[str, Any], size: int) -> Steps:
        deadline, written = time.monotonic() + request.deadline, 0
        stops = StopStrings(request.stop)
        yield Step("", 0, size, 0)
        with closing(self._events(body)) as events:
            for text, reason in events:
                written += bool(text)
                certain, stopped = stops.add(text)
                end = "stop" if stopped else {"length": "tokens", "stop": "model"}.get(reason or "")
                if end is None and time.monotonic() > deadline:
                    end = "deadline"
                yield Step(certain + (stops.rest() if end else ""), size, size, written, end)
                if end is not None:
                    return
        yield Step(stops.rest(), size, size, written, "model")

    def _events(self, body: dict[str, Any]) -> Generator[tuple[str, str | None], None, None]:
        """The pieces of the answer with the reason of its end, from the server-sent events."""
        try:
            with self._http.stream("POST", "completions", json=body) as answer:
                if answer.status_code != httpx.codes.OK:
                    answer.read()
                    raise RemoteFailed(url=self._remote.url, reason=_reason(answer))
                for line in answer.iter_lines():
                    if not line.startswith("data:") or line.endswith("[DONE]"):
                        continue
                    event = json.loads(line.removeprefix("data:"))
                    if "error" in event:
                        raise RemoteFailed(url=self._remote.url, reason=str(event["error"])[:300])
                    for choice in event.get("choices", []):
                        yield choice.get("text") or "", choice.get("finish_reason")
        except (httpx.HTTPError, ValueError) as error:
            raise RemoteFailed(url=self._remote.url, reason=f"{type(error).__name__}: {error}") from error

    def _list(self) -> list[str]:
        """The names of the server's models."""
        try:
            answer = self._http.get("models", timeout=CONNECT_SECONDS)
            if answer.status_code != httpx.codes.OK:
                raise RemoteFailed(url=self._remote.url, reason=_reason(answer))
            return [str(model["id"]) for model in answer.json()["data"]]
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise RemoteFailed(url=self._remote.url, reason=f"{type(error).__name__}: {error}") from error


def _reason(answer: httpx.Response) -> str:
    return f"HTTP {answer.status_code}: {' '.join(answer.text.split())[:300]}"
