"""The benchmark of the engines: one small run of two of them, its plan, its arithmetic, and the model it is made for."""

from __future__ import annotations

import math
import tarfile
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from gguf import GGUFReader
from llama_cpp import Llama

from space.bundle import Bundle
from space.settings import EMBEDDED
from tests.bench import bench_engine, engine_tables, llama_tools, machine, phi3_shape
from tests.bench.engines import BEST, DEFAULTS, LLAMA_SERVER, THIS
from tests.bench.play import Figures, Record
from tests.bench.scenarios import TITLES, Plan, Prompts, growth
from train import llamacpp

BUNDLE = Bundle.load(EMBEDDED, verify=False)
INDEX = BUNDLE.indexes["charlas"]
LIMITS = machine.ModelLimits(alone=10.0, reading=50.0)
FIGURES = Figures(
    visitors=1, prompt=50, written=20, seconds=6.0, first_p50=2.0, first_p95=2.0, last_first=2.0, speed=5.0,
    total=4.0, gap=0.5, memory=10**9,
)  # fmt: skip


@pytest.fixture
def options(tiny_gguf: Path) -> bench_engine.Options:
    return bench_engine.Options(
        model=tiny_gguf,
        index=INDEX,
        scenarios=list(TITLES),
        engines=[THIS, DEFAULTS],
        runs=1,
        tokens=12,
        slots=2,
        passage_tokens=60,
        growth=False,
        reference=False,
    )


def test_two_engines_play_the_same_visits(options: bench_engine.Options) -> None:
    options = replace(options, scenarios=["reordered", "long"])
    plan = bench_engine.plan(options, LIMITS)
    (run,) = bench_engine.take_turns(options.engines, plan, 1)
    assert list(run) == options.engines
    for found in run.values():
        assert list(found) == options.scenarios
        for name, visits in plan.scenarios.items():
            figures = found[name]
            assert figures.visitors == len(visits)
            assert figures.prompt == sum(len(visit.prompt.tokens) for visit in visits) > 200
            assert figures.written == sum(visit.written for visit in visits)
            assert 0 < figures.first_p50 <= figures.first_p95 < figures.seconds
            assert 0 < figures.gap < figures.seconds
            assert figures.total == pytest.approx(figures.written / figures.seconds)
            assert figures.speed > 0
            assert figures.memory > options.model.stat().st_size
    text = "\n".join(bench_engine.report(options, plan, [run, run], LIMITS))
    assert text.count(f"| {THIS} |") == 2
    assert "### A long prompt arrives while others stream\n\n1 stream. " in text


@pytest.mark.parametrize("server", ["llama_cpp.server", LLAMA_SERVER])
def test_the_servers_write_as_much(server: str, options: bench_engine.Options) -> None:
    if server == LLAMA_SERVER and not llama_tools.folder().is_dir():
        pytest.skip("python -m tests.bench.llama_tools has not been run")
    plan = bench_engine.plan(replace(options, scenarios=["alone", "long"]), LIMITS)
    (run,) = bench_engine.take_turns([server], plan, 1)
    for name, visits in plan.scenarios.items():
        assert run[server][name].written == sum(visit.written for visit in visits)
        assert run[server][name].memory > options.model.stat().st_size


def test_the_plan_is_the_same_for_all_and_survives_its_file(
    options: bench_engine.Options, tmp_path: Path
) -> None:
    plan = bench_engine.plan(options, LIMITS)
    plan.write(tmp_path / "plan.json")
    assert Plan.read(tmp_path / "plan.json") == plan == bench_engine.plan(options, LIMITS)
    assert list(plan.scenarios) == list(TITLES)
    cold, reordered, template = (plan.scenarios[name][0].prompt for name in ("cold", "reordered", "template"))
    assert cold.passages != reordered.passages
    assert sorted(cold.passages) == sorted(reordered.passages)
    assert cold.topics != reordered.topics
    assert not set(cold.passages) & set(template.passages)
    assert all(passage in cold.messages[0]["content"] for passage in cold.passages)
    arrivals = [visit.at for visit in plan.scenarios["random8"]]
    assert arrivals == sorted(set(arrivals))
    assert sorted(len(visit.prompt.passages) for visit in plan.scenarios["random8"]) == [0] * 6 + [5] * 2
    *streams, long = plan.scenarios["long"]
    assert len(streams) == options.slots - 1
    assert long.written_first < streams[0].written


def test_a_rag_prompt_is_as_long_as_it_says() -> None:
    with closing(Prompts(BUNDLE.base, INDEX)) as prompts:
        lengths = [len(prompts.rag(prompts.passages(5)).tokens) for _ in range(20)]
        assert max(abs(length - 1400) for length in lengths) < 140
        grown = growth(prompts, 64)
    room = BUNDLE.context - 64
    assert all(len(visit.prompt.tokens) < room for visits in grown.values() for visit in visits)
    assert {"4 visitors, short prompts", "5 passages, new", "5 passages, seen, reversed"} <= set(grown)
    with closing(Prompts(BUNDLE.base, INDEX)) as prompts, pytest.raises(ValueError, match="not enough"):
        prompts.passages(10**4)


def test_limits_and_shares() -> None:
    # 50 tokens read at 50 a second, 20 written at 10 a second: 3 of the 6 seconds
    assert engine_tables.share(FIGURES, LIMITS) == pytest.approx(0.5)
    assert LIMITS.least_seconds(0, 80, visitors=4) == pytest.approx(80 / 40)
    assert LIMITS.least_seconds(0, 80, visitors=8) == pytest.approx(80 / 50)  # no more than what can be read
    record = Record(begun=1.0, times=[(3.0, 1), (4.0, 3), (6.5, 6)])
    assert (record.first, record.gap) == (2.0, 2.5)
    assert record.speed == pytest.approx(5 / 3.5)
    assert math.isnan(Record(0.0, [(1.0, 1)]).speed)


def test_medians_are_of_each_figure() -> None:
    runs = [
        {THIS: {"alone": replace(FIGURES, speed=speed, gap=gap)}} for speed, gap in ((1, 9), (2, 7), (30, 8))
    ]
    found = bench_engine.medians(runs)[THIS]["alone"]
    assert (found.speed, found.gap, found.memory) == (2, 8, 10**9)


def test_the_bars_are_met_or_not() -> None:
    mine = dict.fromkeys(("alone", "cold", "reordered", "four", "long"), FIGURES)
    theirs = {name: replace(FIGURES, first_p50=5.0, total=2.0, speed=4.0) for name in mine}
    found = {THIS: mine, DEFAULTS: theirs, BEST: theirs, LLAMA_SERVER: theirs}
    bars = list(engine_tables.bars(found, engine_tables.Reference(reading=1.0, writing=5.0)))
    assert [(round(bar.value, 3), bar.met) for bar in bars] == [
        (1.0, True), (1.25, False), (0.4, True), (0.4, False), (2.0, True), (2.0, False), (0.5, True), (1.0, True),
    ]  # fmt: skip
    assert [bar.demand for bar in engine_tables.bars({THIS: mine}, engine_tables.Reference(1.0, 5.0))] == [
        0.97,
        1.5,
        5.5,
    ]


def test_the_machine_is_measured(tiny_gguf: Path) -> None:
    assert machine.read_bandwidth(2, size=2**22, rounds=2) > 1e7
    assert machine.int8_throughput(1, rounds=1) > 1e7
    tensors = {tensor.name: tensor for tensor in GGUFReader(tiny_gguf).tensors}
    assert "output.weight" in tensors
    whole = sum(int(tensor.n_bytes) for tensor in tensors.values())
    assert machine.weight_bytes(tiny_gguf) == whole - int(tensors["token_embd.weight"].n_bytes)
    layer = 4 * 256 * 256 + 3 * 256 * 512  # query, key, value, output; gate, up, down
    assert machine.multiplications(tiny_gguf) == 2 * layer
    bounds = machine.limits_of(tiny_gguf, machine.Limits(2, 1e9, 1e9))
    assert bounds.reading == pytest.approx(1e9 / (2 * layer))


def test_phi3_by_its_shape_loads_and_writes(tiny_gguf: Path, tmp_path: Path) -> None:
    shape = phi3_shape.Shape(layers=1, hidden=256, heads=4, feed_forward=512, vocabulary=9000, context=256)
    (file,) = phi3_shape.make(tmp_path, shape, ["Q4_K_M"])
    assert [path.name for path in tmp_path.iterdir()] == [f"{phi3_shape.NAME}-Q4_K_M.gguf"]
    fields = {name: field.contents() for name, field in GGUFReader(file).fields.items()}
    assert set(fields) | {"general.size_label"} == set(GGUFReader(tiny_gguf).fields) | {
        "general.quantization_version"
    }
    assert len(fields["tokenizer.ggml.tokens"]) == len(set(fields["tokenizer.ggml.tokens"])) == 9000
    assert "phi3" in fields["general.name"]
    llama = Llama(str(file), n_ctx=256, n_threads=1, verbose=False)
    pieces = [chunk["choices"][0] for chunk in llama.create_completion("El mar", max_tokens=40, stream=True)]
    assert pieces[-1]["finish_reason"] == "length"  # no end token is ever likely
    assert sum(bool(piece["text"]) for piece in pieces) == 40  # each token is a text
    assert "PAD" not in "".join(piece["text"] for piece in pieces)


def test_phi3_mini_has_3_8_billion_weights() -> None:
    shape = phi3_shape.Shape()
    sizes = [rows * columns for _, rows, columns, _ in shape.matrices()]
    assert (
        sum(sizes) + shape.vocabulary * shape.hidden + len(list(shape.norms())) * shape.hidden
        == 3_821_079_552
    )


def test_a_tokenizer_that_is_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="8192 pieces, more than 100"):
        phi3_shape.make(tmp_path, phi3_shape.Shape(vocabulary=100), ["Q4_0"])


def test_the_tools_say_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(llama_tools.ToolsMissing, match=r"python -m tests\.bench\.llama_tools"):
        llama_tools.built(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(llama_tools.ToolsMissing, match=r"without cmake and a C\+\+ compiler"):
        llama_tools.build(tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_build_that_fails_shows_its_last_lines(tmp_path: Path) -> None:
    (tmp_path / "CMakeLists.txt").write_text('message(FATAL_ERROR "no such luck")\n')
    with pytest.raises(llama_tools.ToolsMissing, match=r"(?s)cmake -S failed.*no such luck"):
        llama_tools.compile_programs(tmp_path, tmp_path / "build")


def test_any_part_of_the_source_can_be_unpacked(tmp_path: Path) -> None:
    for name in ("a/vendor/llama.cpp/tools/x.cpp", "a/vendor/other/y.cpp"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("int x;")
    archive = tmp_path / "a.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "a", "a")
    hashed = sha256(archive.read_bytes()).hexdigest()
    llamacpp.unpack(archive, hashed, tmp_path / "out", needed=llama_tools.SOURCE)
    assert [path.name for path in (tmp_path / "out").rglob("*") if path.is_file()] == ["x.cpp"]
