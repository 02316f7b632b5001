"""Serves a bundle: `python app.py`, or ORADOR_BUNDLE=owner/repo@<40 hex> python app.py (space/settings.py has all settings)."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from index.errors import OradorError
from space.settings import Settings

if TYPE_CHECKING:
    import gradio as gr

    from space.bundle import Bundle
    from space.studio import Studio


def main() -> int:
    """Loads the bundle, builds the page and serves it until interrupted. Returns the exit status."""
    try:
        settings = Settings.from_env()
        bundle, warning = open_bundle(settings)
    except OradorError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    from space.studio import Studio
    from space.tabs import build

    studio = Studio(bundle, settings, warning=warning)
    try:
        demo = build(studio)
    except OradorError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    threading.Thread(target=warm, args=[studio], daemon=True, name="warm").start()
    launch(demo, settings)
    return 0


def warm(studio: Studio) -> None:
    """Loads all before the first visitor asks, and then has read what visitors are likely to ask for."""
    from space.generators import prepare_examples

    studio.warm()
    prepare_examples(studio)


def open_bundle(settings: Settings) -> tuple[Bundle, OradorError | None]:
    """The bundle that the settings name, verified, and a warning (printed, shown by /info) when it is an earlier one."""
    from space.bundle import Bundle

    if not settings.remote:
        return Bundle.load(Path(settings.bundle)), None
    from space.hub import open_bundle as open_remote

    opened = open_remote(settings.bundle, settings.cache)
    if opened.warning is not None:
        print(f"warning: {opened.warning}", file=sys.stderr)
    return opened.bundle, opened.warning


def launch(demo: gr.Blocks, settings: Settings) -> None:
    """Serves `demo` with everything switched off that a public page does not need."""
    from importlib.util import find_spec

    from space.style import STYLE_SHEET, theme

    demo.queue(max_size=settings.queue_size, default_concurrency_limit=1, api_open=True)
    demo.launch(
        server_name=settings.host,
        server_port=settings.port or None,
        theme=theme(),
        css_paths=[STYLE_SHEET],
        ssr_mode=False,
        strict_cors=True,
        enable_monitoring=False,
        run_history=False,
        allowed_paths=[],
        max_file_size="1mb",
        state_session_capacity=200,
        footer_links=["api", "gradio"],
        mcp_server=find_spec("mcp") is not None,
    )


if __name__ == "__main__":
    sys.exit(main())
