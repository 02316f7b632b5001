"""The HTTP side of the loopback Hub (tests/hub_server.py): dispatch, JSON, errors with the Hub's headers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

from tests.hub_store import Refused

Route = tuple[str, str, Callable[..., Callable[[], None]]]
"""Methods, a pattern of the path, and what answers: it runs under the store's lock and returns the sending."""


class Answers(BaseHTTPRequestHandler):
    """One request, answered by the first of `routes` that fits; a subclass gives `routes`."""

    protocol_version = "HTTP/1.1"
    routes: ClassVar[list[Route]] = []
    server: Any

    def log_message(self, *_: object) -> None:
        """Silent: `Hub.requests` is the log."""

    def do_GET(self) -> None:
        self._dispatch()

    do_HEAD = do_POST = do_PUT = do_GET

    def _dispatch(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path)
        self.server.requests.append(f"{self.command} {path}")
        try:
            answer, values = self._route(path)
            with self.server.store.lock:
                result = answer(self, **values)
            result()
        except Refused as refused:
            headers = {
                "X-Error-Message": str(refused),
                **({"X-Error-Code": refused.code} if refused.code else {}),
            }
            self._json({"error": str(refused)}, refused.status, headers)

    def _route(self, path: str) -> tuple[Callable[..., Callable[[], None]], dict[str, str]]:
        for methods, pattern, answer in self.routes:
            if self.command in methods and (match := re.fullmatch(pattern, path)):
                return answer, match.groupdict()
        raise Refused(404, f"this Hub does not answer {self.command} {path}")

    def _json(self, value: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self._send(
            json.dumps(value).encode(), status, {"Content-Type": "application/json", **(headers or {})}
        )

    def _send(self, data: bytes, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
