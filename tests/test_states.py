"""States of passages and beginnings on disk and in memory: who finds them, what goes first, what broken files do."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from space.cells import Cells, Layout, pack
from space.states import SUM, States

LAYOUT = Layout(magic=2, layers=2, key_type=1, value_type=1, transposed=True)
PLENTY = 10**9


def cells(seed: int, n: int = 5) -> Cells:
    """Two layers of `n` cells with random bytes; 80 bytes a cell."""
    rng = np.random.default_rng(seed)
    return Cells(
        LAYOUT,
        np.arange(n, dtype=np.int32),
        rng.integers(0, 256, (2, n, 20), np.uint8),
        rng.integers(0, 256, (2, 10, n, 2), np.uint8),
    )


NBYTES, FILE = cells(0).nbytes, len(pack([cells(0)], 1)) + SUM


def same(one: Cells | None, other: Cells) -> bool:
    return one is not None and np.array_equal(pack([one], 1), pack([other], 1))


Make = Callable[..., States]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made = []

    def states(
        key: str = "model", memory: int = PLENTY, disk: int = PLENTY, folder: str = "states"
    ) -> States:
        made.append(States(key, tmp_path / folder, memory, disk))
        return made[-1]

    yield states
    for one in made:
        one.close()


def put(states: States, kept: dict[int, Cells]) -> None:
    """Keeps each under the tokens [its number], and waits for the disk."""
    with closing(states):
        for number, value in kept.items():
            states.put(None, [number], 0, value)


def found(states: States, numbers: Sequence[int]) -> list[bool]:
    return [states.get(None, [number]) is not None for number in numbers]


def test_a_state_is_found_in_memory_and_by_the_next_start_on_disk(make: Make) -> None:
    first, kept = make(), cells(1)
    assert first.get("charlas", [1, 2, 3], 1) is None
    first.put("charlas", [1, 2, 3], 1, kept)
    assert first.get("charlas", [1, 2, 3], 1) is kept
    first.close()
    second = make()
    assert second.has("charlas", [1, 2, 3], 1)
    assert same(second.get("charlas", [1, 2, 3], 1), kept)


def test_only_disk_or_only_memory_is_enough(make: Make) -> None:
    on_disk, kept = make(memory=0), cells(1)
    put(on_disk, {1: kept})
    assert not on_disk._cells
    assert same(on_disk.get(None, [1]), kept)
    in_memory = make(disk=0, folder="none")
    put(in_memory, {1: kept})
    assert in_memory.get(None, [1]) is kept
    assert found(make(folder="none"), [1]) == [False]


@pytest.mark.parametrize(
    ("key", "adapter", "tokens", "start"),
    [
        ("other", "charlas", [1, 2, 3], 1),
        ("model", None, [1, 2, 3], 1),
        ("model", "otro", [1, 2, 3], 1),
        ("model", "charlas", [1, 2, 3], 2),
        ("model", "charlas", [1, 2], 1),
        ("model", "charlas", [1, 2, 4], 1),
        ("model", "charlas", [1, 2, 3, 0], 1),
    ],
)
def test_nothing_else_is_found(
    make: Make, key: str, adapter: str | None, tokens: list[int], start: int
) -> None:
    with closing(make()) as states:
        states.put("charlas", [1, 2, 3], 1, cells(1))
    for asked in (make(key), states) if key == "model" else (make(key),):
        assert not asked.has(adapter, tokens, start)
        assert asked.get(adapter, tokens, start) is None


def test_least_recently_used_ones_leave_memory_first(make: Make) -> None:
    states = make(memory=3 * NBYTES, disk=0)
    for number in range(3):
        states.put(None, [number], 0, cells(number))
    assert states.get(None, [0]) is not None
    states.put(None, [3], 0, cells(3))
    assert found(states, [0, 1, 2, 3]) == [True, False, True, True]


def test_one_that_is_larger_than_the_memory_drives_no_other_out(make: Make) -> None:
    states = make(memory=3 * NBYTES, disk=0)
    states.put(None, [0], 0, cells(0))
    states.put(None, [1], 0, cells(1, n=100))
    assert found(states, [0, 1]) == [True, False]


def test_least_recently_used_ones_leave_the_disk_first(make: Make, tmp_path: Path) -> None:
    states = make(disk=3 * FILE)
    put(states, {number: cells(number) for number in range(3)})
    for age, number in enumerate([2, 1, 0]):
        name = states._name(None, [number], 0)
        os.utime(tmp_path / "states" / name, (10**9 - age, 10**9 - age))
    assert states.get(None, [0]) is not None  # from memory; the disk's order knows of it all the same
    put(make(disk=3 * FILE), {3: cells(3)})
    assert found(make(), [0, 1, 2, 3]) == [True, False, True, True]
    assert sum(file.stat().st_size for file in (tmp_path / "states").iterdir()) == 3 * FILE


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=12), room=st.integers(0, 60))
def test_the_bounds_hold_whatever_is_put(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], room: int
) -> None:
    folder, bound = tmp_path_factory.mktemp("bounds"), room * NBYTES // 5
    states = States("model", folder, memory=bound, disk=bound)
    put(states, {number: cells(number, n) for number, n in enumerate(sizes)})
    assert sum(kept.nbytes for kept in states._cells.values()) <= bound
    assert sum(file.stat().st_size for file in folder.iterdir()) <= bound
    last = cells(len(sizes) - 1, sizes[-1])
    if len(pack([last], 1)) + SUM <= bound:
        assert same(States("model", folder, 0, bound).get(None, [len(sizes) - 1]), last)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.booleans(), place=st.integers(0, FILE - 1), flip=st.integers(1, 255))
def test_a_file_that_was_cut_or_changed_is_not_used_and_is_deleted(
    tmp_path_factory: pytest.TempPathFactory, cut: bool, place: int, flip: int
) -> None:
    folder = tmp_path_factory.mktemp("broken")
    put(States("model", folder, PLENTY, PLENTY), {1: cells(1)})
    (file,) = folder.iterdir()
    data = bytearray(file.read_bytes())
    assert len(data) == FILE
    data[place] ^= flip
    file.write_bytes(data[:place] if cut else data)
    states = States("model", folder, PLENTY, PLENTY)
    assert states.get(None, [1]) is None
    assert not list(folder.iterdir())
    put(states, {1: cells(1)})
    assert same(States("model", folder, PLENTY, PLENTY).get(None, [1]), cells(1))


def test_a_folder_that_cannot_be_made_costs_nothing_but_the_disk(make: Make, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    states = make(folder="file/states")
    put(states, {1: cells(1)})
    assert found(states, [1, 2]) == [True, False]
    assert (tmp_path / "file").read_text() == "not a folder"


def test_a_file_that_cannot_be_written_leaves_nothing_behind(make: Make, tmp_path: Path) -> None:
    states = make(memory=0)
    taken = tmp_path / "states" / states._name(None, [1], 0)
    (taken / "full").mkdir(parents=True)  # no file can take the place of a folder with something in it
    put(states, {1: cells(1)})
    assert found(states, [1]) == [False]
    assert list((tmp_path / "states").iterdir()) == [taken]


def test_several_threads_find_what_they_put(make: Make) -> None:
    states = make(memory=6 * NBYTES, disk=40 * FILE)

    def work(thread: int) -> bool:
        numbers = range(100 * thread, 100 * thread + 5)
        for number in numbers:
            states.put(None, [number], 0, cells(number))
            kept = states.get(None, [number])
            assert kept is None or same(kept, cells(number))  # other threads may have driven it out
            other = states.get(None, [number % 100])
            assert other is None or same(other, cells(number % 100))
        return True

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(work, range(6)))
    states.close()
    assert sum(kept.nbytes for kept in states._cells.values()) <= 6 * NBYTES
    numbers = [100 * thread + n for thread in range(6) for n in range(5)]
    again = make()
    assert all(same(again.get(None, [number]), cells(number)) for number in numbers)
