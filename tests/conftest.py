"""Fixtures shared by all tests: isolation from this machine's Hub cache and settings, and the tiny real models."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# Read by huggingface_hub and friends when they are imported, so set before any test module is.
# Threads that wait for each other must not spin: with other work on the machine that costs far more than it saves.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", GRADIO_ANALYTICS_ENABLED="False")
for name in [name for name in os.environ if name.startswith("ORADOR_")]:
    del os.environ[name]

CHROMIUM = Path("/usr/bin/chromium")
SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test has its own Hub folder and cache, which subprocesses inherit."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("ORADOR_CACHE", str(tmp_path / "orador-cache"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium (Debian's) by playwright; what needs it is skipped where it is absent."""
    if not CHROMIUM.exists():
        pytest.skip("no /usr/bin/chromium: apt install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Two threads of torch on two busy cores spin on each other: a tiny model then takes a hundred times longer."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tiny")


@pytest.fixture(scope="session")
def tiny_model(tiny_folder: Path) -> Path:
    """The Hugging Face folder of a tiny Phi-3 with random weights."""
    from tests import tiny

    return tiny.build_model(tiny_folder / "model")


@pytest.fixture(scope="session")
def tiny_gguf(tiny_model: Path, tiny_folder: Path) -> Path:
    """The same model as an F16 GGUF."""
    from tests import tiny

    return tiny.build_gguf(tiny_model, tiny_folder / f"{tiny.NAME}-F16.gguf")


@pytest.fixture(scope="session")
def tiny_lora_gguf(tiny_model: Path, tiny_folder: Path) -> Path:
    """A LoRA of random weights for the tiny model."""
    from tests import tiny

    return tiny.build_lora_gguf(tiny_model, tiny_folder / f"{tiny.NAME}-F16-LoRA.gguf")


@pytest.fixture(scope="session")
def space_bundle(tiny_gguf: Path, tiny_lora_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the Space serves: the tiny model, its adapter, an index."""
    from tests.space_bundle import make_space_bundle

    return make_space_bundle(tmp_path_factory.mktemp("space") / "bundle", tiny_gguf, tiny_lora_gguf).folder


@pytest.fixture
def shared_data() -> Path:
    """The folder of real texts; the test is skipped where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("../shared/data is not here")
    return SHARED_DATA
