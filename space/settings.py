"""All settings, read from the environment in this one place; `ORADOR_PORT=8080 python app.py` shows how to set one.

| variable | meaning | default |
|---|---|---|
| ORADOR_BUNDLE | a folder, or `owner/repo@<40 hex>` | the embedded bundle, space/bundle |
| ORADOR_THREADS | most threads of llama.cpp; the engine uses one where that measures faster | the cores this process may use |
| ORADOR_PARALLEL | texts written at once; each has a whole context in memory (Phi-3-mini: 384 KiB a token) | 4 |
| ORADOR_ENGINE_URL | an OpenAI-compatible server that writes instead of this process, such as `http://host:8000/v1` | none |
| ORADOR_ENGINE_MODEL, ORADOR_ENGINE_KEY | its model, whatever the adapter; its key | the adapter's name; none |
| ORADOR_HOST, ORADOR_PORT | where to listen | 127.0.0.1 (0.0.0.0 on a Space), 7860 |
| ORADOR_QUEUE_SIZE | visitors that may wait; the next one is refused with a message | 16 |
| ORADOR_CACHE | where pulled bundles are kept | ~/.cache/orador |
| ORADOR_MAX_CHARS | characters of one text field | 2000 |
| ORADOR_MAX_MINUTES | longest speech | 10 |
| ORADOR_DEADLINE | seconds that one text may take | 600 |
| ORADOR_CELLS | keys and values of attention: `f16`, or `q8_0` for half the memory and a large model that reads slower | f16 |
| ORADOR_STATE_MEMORY, ORADOR_STATE_DISK | MiB of states that are kept so that prompts and passages are read once | 1024, 4096 |
| ORADOR_RAG_SECONDS | seconds of reading before a text of the RAG tab begins; for longer ones its passages are condensed | 16 |
| ORADOR_WIKIPEDIA_URL | the wiki whose articles the tab of questions can fetch; `none`: it does not offer it | https://es.wikipedia.org |
| ORADOR_LANGUAGE | language of the page at first sight: es or en | es |
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from space.errors import SettingInvalid

EMBEDDED = Path(__file__).parent / "bundle"
LANGUAGES = ("es", "en")
WIKIPEDIA = "https://es.wikipedia.org"
REMOTE = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}")


@dataclass(frozen=True)
class Settings:
    """What the Space needs to know; `bundle` is a folder or `owner/repo@revision`."""

    bundle: str = str(EMBEDDED)
    threads: int = 2
    parallel: int = 4
    engine_url: str | None = None
    engine_model: str | None = None
    engine_key: str | None = field(default=None, repr=False)
    host: str = "127.0.0.1"
    port: int = 7860
    queue_size: int = 16
    cache: Path = Path("~/.cache/orador")
    max_chars: int = 2000
    max_minutes: int = 10
    deadline: float = 600.0
    rag_seconds: int = 16
    halved_cells: bool = False
    state_memory: int = 1024
    state_disk: int = 4096
    wikipedia: str | None = WIKIPEDIA
    language: str = "es"

    @property
    def remote(self) -> bool:
        """Whether the bundle is pulled from the Hub."""
        return REMOTE.fullmatch(self.bundle) is not None

    @classmethod
    def from_env(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """The settings of `environment` (by default the process's). Raises SettingInvalid."""
        env = os.environ if environment is None else environment
        return cls(
            bundle=env.get("ORADOR_BUNDLE") or str(EMBEDDED),
            threads=_number(env, "ORADOR_THREADS", available_cores(env), 1, 512),
            parallel=_number(env, "ORADOR_PARALLEL", 4, 1, 64),
            engine_url=_url(env, "ORADOR_ENGINE_URL"),
            engine_model=env.get("ORADOR_ENGINE_MODEL") or None,
            engine_key=env.get("ORADOR_ENGINE_KEY") or None,
            host=env.get("ORADOR_HOST") or ("0.0.0.0" if "SPACE_ID" in env else "127.0.0.1"),
            port=_number(env, "ORADOR_PORT", 7860, 0, 65535),
            queue_size=_number(env, "ORADOR_QUEUE_SIZE", 16, 1, 1000),
            cache=Path(env.get("ORADOR_CACHE") or "~/.cache/orador").expanduser(),
            max_chars=_number(env, "ORADOR_MAX_CHARS", 2000, 100, 100_000),
            max_minutes=_number(env, "ORADOR_MAX_MINUTES", 10, 1, 60),
            deadline=_number(env, "ORADOR_DEADLINE", 600, 1, 86_400),
            halved_cells=_one_of(env, "ORADOR_CELLS", ("f16", "q8_0")) == "q8_0",
            state_memory=_number(env, "ORADOR_STATE_MEMORY", 1024, 0, 1_000_000),
            state_disk=_number(env, "ORADOR_STATE_DISK", 4096, 0, 1_000_000),
            rag_seconds=_number(env, "ORADOR_RAG_SECONDS", 16, 1, 86_400),
            wikipedia=_wikipedia(env),
            language=_one_of(env, "ORADOR_LANGUAGE", LANGUAGES),
        )


def available_cores(environment: Mapping[str, str]) -> int:
    """The cores this process may use; a Space says so in CPU_CORES, where the container shows the host's."""
    told = environment.get("CPU_CORES", "")
    if told.isdecimal() and int(told) > 0:
        return int(told)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _wikipedia(env: Mapping[str, str]) -> str | None:
    """The address of a wiki without its last "/", None where it is switched off."""
    if env.get("ORADOR_WIKIPEDIA_URL", "").strip() == "none":
        return None
    return (_url(env, "ORADOR_WIKIPEDIA_URL") or WIKIPEDIA).rstrip("/")


def _url(env: Mapping[str, str], name: str) -> str | None:
    text = env.get(name, "").strip()
    if text and not re.fullmatch(r"https?://\S+", text):
        raise SettingInvalid(name=name, value=text, reason="an address such as http://host:8000/v1")
    return text or None


def _one_of(env: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    """The value of `name`, the first of `choices` where it is not set."""
    value = env.get(name) or choices[0]
    if value not in choices:
        raise SettingInvalid(name=name, value=value, reason=" or ".join(choices))
    return value


def _number(env: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = env.get(name, "").strip()
    if not text:
        return default
    if not re.fullmatch(r"\d{1,9}", text) or not low <= int(text) <= high:
        raise SettingInvalid(name=name, value=text, reason=f"a whole number between {low} and {high}")
    return int(text)
