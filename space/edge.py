"""Where errors become messages: named errors are shown in the visitor's language, others get a code and a log entry."""

from __future__ import annotations

import html
import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import gradio as gr

from index.errors import OradorError
from space.errors import Unexpected
from space.settings import LANGUAGES
from space.texts import explain, say

log = logging.getLogger("orador")


def language_of(value: object) -> str:
    """ "es" or "en"; anything else is Spanish."""
    return value if isinstance(value, str) and value in LANGUAGES else "es"


@contextmanager
def visible_errors(language: str) -> Iterator[None]:
    """Turns any error within into a gr.Error. The page shows its message as HTML, so it is escaped."""
    try:
        yield
    except gr.Error:
        raise
    except OradorError as error:
        raise _shown(explain(error, language), language) from error
    except Exception as error:
        code = secrets.token_hex(4)
        log.exception("unexpected error %s", code)
        raise _shown(Unexpected(code=code).message(language), language) from error


def _shown(message: str, language: str) -> gr.Error:
    title = say("error.title", language)
    return gr.Error(html.escape(message, quote=False), title=title, duration=12, print_exception=False)
