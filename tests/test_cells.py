"""What a slot holds, as bytes and back: the numbers after a restore, cutting and joining, what is not understood."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from space.cells import Bytes, Cells, pack, unpack
from space.errors import StateUnknown
from space.kernels import Kernels
from space.native import Context, Model

SLOTS = 3
TOKENS = [300 + 7 * n % 1500 for n in range(60)]
WITH_TINY = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module", params=[False, True], ids=["values transposed", "rows of 8 bits"])
def context(request: pytest.FixtureRequest, tiny_gguf: Path) -> Iterator[Context]:
    model = Model(tiny_gguf, {}, Kernels(halved=request.param))
    opened = Context(model, SLOTS, 256, 128, 1)
    yield opened
    opened.close()
    model.close()


def reading(context: Context, slot: int = 0, tokens: list[int] = TOKENS) -> Cells:
    """What `slot` holds after `tokens`."""
    context.truncate(slot, 0)
    context.read(slot, tokens)
    return context.cells(slot)


def following(context: Context, slot: int) -> np.ndarray:
    """[5, vocabulary]: the logits of what is read and written next."""
    found = [context.logits(context.read(slot, [400, 500, 600])).copy()]
    found += [context.logits(context.write([(slot, 700 + n)])[0]).copy() for n in range(4)]
    return np.stack(found)


def test_the_layouts_are_the_two_that_are_served(context: Context) -> None:
    cells = reading(context)
    assert cells.layout.transposed != context.model.kernels.halved
    assert cells.keys.shape[:2] == (cells.layout.layers, len(TOKENS))
    assert cells.values.ndim == (4 if cells.layout.transposed else 3)
    assert cells.positions.tolist() == list(range(len(TOKENS)))


def test_what_is_packed_is_what_llama_cpp_gave(context: Context) -> None:
    cells = reading(context)
    data = pack([cells], 3)
    again = unpack(data)
    assert again.layout == cells.layout
    assert np.array_equal(pack([again], 3), data)
    assert len(data) - cells.nbytes < 20 * len(TOKENS) + 200


def test_cells_do_not_keep_the_bytes_they_came_from_in_memory(context: Context) -> None:
    data = pack([reading(context)], 3)
    cells = unpack(data)
    assert not any(np.shares_memory(data, array) for array in (cells.positions, cells.keys, cells.values))


def test_another_slot_goes_on_with_the_same_numbers(context: Context) -> None:
    cells = reading(context)
    expected = following(context, 0)
    context.read(2, [9, 8, 7])
    context.restore(2, [cells])
    assert context.lengths[2] == len(TOKENS)
    assert np.array_equal(following(context, 2), expected)


@pytest.mark.parametrize("places", [[30], [2, 40], [1, 2, 3, 59]])
def test_what_is_cut_and_put_together_again_is_what_was_read(context: Context, places: list[int]) -> None:
    cells = reading(context)
    expected = following(context, 0)
    bounds = [0, *places, len(TOKENS)]
    parts = [cells.cut(a, b) for a, b in pairwise(bounds)]
    assert [len(part) for part in parts] == np.diff(bounds).tolist()
    context.restore(1, parts)
    assert np.array_equal(following(context, 1), expected)


def test_a_beginning_that_was_cut_out_is_that_of_a_shorter_prompt(context: Context) -> None:
    beginning = reading(context).cut(0, 20)
    reading(context, 0, TOKENS[:20])
    expected = following(context, 0)
    context.restore(0, [beginning])
    assert np.array_equal(following(context, 0), expected)


def test_a_stretch_keeps_nothing_of_the_whole_alive(context: Context) -> None:
    cells = reading(context)
    part = cells.cut(5, 9)
    assert not any(
        np.shares_memory(one, other) for one, other in [(part.keys, cells.keys), (part.values, cells.values)]
    )


def test_cells_are_in_the_order_of_reading_after_parts_were_taken_back(context: Context) -> None:
    """`cut` relies on it: what is read again takes the places that were freed."""
    whole = reading(context)
    for length in (10, 50, 31):
        context.read(1, TOKENS[:5])
        context.truncate(0, length)
        context.read(0, TOKENS[length:])
        context.truncate(1, 0)
    cells = context.cells(0)
    assert cells.positions.tolist() == list(range(len(TOKENS)))
    assert cells.keys.shape == whole.keys.shape


@WITH_TINY
@given(share=st.floats(0, 1, exclude_max=True))
def test_bytes_that_were_cut_short_are_not_understood(context: Context, share: float) -> None:
    data = packed(context)
    with pytest.raises(StateUnknown):
        unpack(data[: int(share * len(data))])


@WITH_TINY
@given(place=st.integers(0, 15), byte=st.integers(1, 255))
def test_a_changed_head_is_refused_by_us_or_by_llama_cpp(context: Context, place: int, byte: int) -> None:
    """Magic number, streams, number of cells; what passes gives cells, never another error."""
    data = packed(context).copy()
    data[place] ^= byte
    try:
        cells = unpack(data)
        context.restore(1, [cells])
    except StateUnknown:
        return
    assert len(cells) == 8


def test_bytes_after_the_last_cell_are_not_understood(context: Context) -> None:
    with pytest.raises(StateUnknown):
        unpack(np.append(packed(context), np.uint8(0)))
    with pytest.raises(StateUnknown):
        unpack(np.zeros(0, np.uint8))


def test_an_empty_slot_has_no_cells(context: Context) -> None:
    context.truncate(1, 0)
    with pytest.raises(StateUnknown):
        context.cells(1)


def packed(context: Context) -> Bytes:
    return pack([reading(context, 0, TOKENS[:8])], SLOTS)


def test_cells_of_another_layout_are_refused_and_the_context_goes_on(
    context: Context, tiny_gguf: Path
) -> None:
    other = Model(tiny_gguf, {}, Kernels(halved=not context.model.kernels.halved))
    opened = Context(other, 1, 256, 128, 1)
    foreign = reading(opened)
    opened.close()
    other.close()
    cells = reading(context)
    expected = following(context, 0)
    reading(context, 2, TOKENS[:9])
    with pytest.raises(StateUnknown):
        context.restore(2, [foreign])
    assert context.lengths[2] == 0
    context.restore(2, [cells])
    assert np.array_equal(following(context, 2), expected)
    reading(context)
    assert np.array_equal(following(context, 0), expected)


@pytest.mark.parametrize("slots", [1, 5])
def test_a_context_with_another_number_of_slots_goes_on_with_the_same_numbers(
    context: Context, slots: int
) -> None:
    cells = reading(context)
    expected = following(context, 0)
    other = Context(context.model, slots, 256, 128, 1)
    other.restore(slots - 1, [cells])
    assert np.array_equal(following(other, slots - 1), expected)
    other.close()


def test_more_cells_than_a_slot_has_are_refused(context: Context) -> None:
    part = reading(context)
    with pytest.raises(StateUnknown):
        context.restore(1, [part] * 5)
    context.restore(1, [part])
    assert context.lengths[1] == len(TOKENS)
