"""What the engine's determinism rests on: the numbers of a sequence do not depend on slices, slots or company."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import llama_cpp
import numpy as np
import pytest

from space.kernels import Kernels
from space.native import Context, Model, configure
from space.settings import EMBEDDED

SLOTS, SIZE, PROMPT, WRITTEN = 5, 512, 150, 12


@pytest.fixture(scope="module", params=["tiny F16", "embedded Q8_0"])
def model(request: pytest.FixtureRequest, tiny_gguf: Path, tiny_lora_gguf: Path) -> Iterator[Model]:
    embedded = request.param == "embedded Q8_0"
    path = next((EMBEDDED / "models").glob("*.gguf")) if embedded else tiny_gguf
    loaded = Model(path, {} if embedded else {"lora": tiny_lora_gguf})
    yield loaded
    loaded.close()


def sequences(model: Model) -> list[list[int]]:
    rng = random.Random(0)
    return [[rng.randrange(300, model.vocabulary.size - 100) for _ in range(300)] for _ in range(SLOTS)]


def opened(model: Model) -> Context:
    context = Context(model, SLOTS, SIZE, 256, 1)
    context.calibrate(1)
    return context


def logits(
    model: Model, slices: Sequence[int], slot: int = 0, company: Sequence[int] = (), filler: str | None = None
) -> np.ndarray:
    """[1 + WRITTEN, vocabulary]: after a prompt in `slot` read by `slices`, and after each of some tokens written.

    Slots of `company` read before each slice and write with each token; `filler` is an adapter used in between.
    """
    context = opened(model)
    texts, result, read, width = sequences(model), [], 0, itertools.cycle(slices)
    while read < PROMPT:
        for other in company:
            context.use_adapter(filler)
            context.read(other, texts[other][:3])
            context.use_adapter(None)
        size = min(next(width), PROMPT - read)
        row = context.read(slot, texts[0][read : read + size])
        read += size
    result.append(context.logits(row).copy())
    for n in range(WRITTEN):
        rows = sorted([(slot, texts[0][PROMPT + n]), *((other, texts[other][n]) for other in company)])
        places = context.write(rows)
        result.append(context.logits(places[[s for s, _ in rows].index(slot)]).copy())
    context.close()
    return np.stack(result)


@pytest.fixture(scope="module")
def alone(model: Model) -> np.ndarray:
    return logits(model, [PROMPT])


@pytest.mark.parametrize("slices", [[2], [3], [8], [16, 5, 64], [64], [148, 2]])
def test_slices_do_not_matter(slices: list[int], model: Model, alone: np.ndarray) -> None:
    assert np.array_equal(logits(model, slices), alone)


@pytest.mark.parametrize(("slot", "company"), [(4, []), (0, [1]), (2, [1, 3]), (0, [3]), (3, [0, 1, 2, 4])])
def test_slots_and_company_do_not_matter(
    slot: int, company: list[int], model: Model, alone: np.ndarray
) -> None:
    assert np.array_equal(logits(model, [40, 24], slot, company), alone)


def test_adapters_of_others_do_not_matter(model: Model, alone: np.ndarray) -> None:
    if not model.adapters:
        pytest.skip("no adapter here")
    assert np.array_equal(logits(model, [50], 1, [0, 2], filler="lora"), alone)


def test_a_copy_and_a_cut_continue_as_the_original(model: Model, alone: np.ndarray) -> None:
    context = opened(model)
    text = sequences(model)[0]
    context.read(1, text[: PROMPT - 30])
    context.read(3, sequences(model)[2][:90])
    context.restore(3, [context.cells(1).cut(0, PROMPT - 50)])
    context.read(1, text[:20])
    row = context.read(3, text[PROMPT - 50 : PROMPT])
    assert np.array_equal(context.logits(row), alone[0])
    context.truncate(3, 60)
    row = context.read(3, text[60:PROMPT])
    assert np.array_equal(context.logits(row), alone[0])
    context.close()


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux's list of mapped files")
@pytest.mark.parametrize("repack", [False, True])
def test_the_weights_are_in_memory_once(repack: bool, tiny_gguf: Path) -> None:
    loaded = Model(tiny_gguf, {}, Kernels(repack=repack))
    assert (tiny_gguf.name not in Path("/proc/self/maps").read_text()) == repack
    loaded.close()


def test_a_parameter_that_llama_cpp_does_not_have_is_refused() -> None:
    with pytest.raises(AttributeError, match="llama_model_params has no use_mmap"):
        configure(llama_cpp.llama_model_default_params(), use_mmap=False)


def test_a_full_slot_between_two_that_write_is_no_hindrance(model: Model) -> None:
    context = Context(model, 3, 256, 256, 1)
    context.read(1, sequences(model)[1][:256])
    context.read(0, [300, 301])
    context.read(2, [302, 303])
    assert context.write([(0, 304), (2, 305)]) == [0, 2]
    assert context.lengths == [3, 255, 3]
    context.close()
