"""A bundle at work: its engine and its indexes, loaded once, when they are first needed."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import llama_cpp

from index.errors import OradorError
from index.search import Hit, Index
from space.answers import Answers
from space.bundle import Bundle, Generator
from space.calibrate import Calibration, calibrate
from space.engine import Engine
from space.errors import NoIndex, NotText, UnknownChoice
from space.local_engine import LocalEngine, Tuning
from space.originals import Originals
from space.persona import imitated
from space.remote_engine import Remote, RemoteEngine
from space.settings import Settings
from space.states import States

PROMPT_TOKENS = 256
TOKENS_PER_WORD = 2.0


class Studio:
    """Serves one bundle; safe for several threads. Without an `engine` the bundle's own model is loaded."""

    def __init__(
        self,
        bundle: Bundle,
        settings: Settings,
        engine: Engine | None = None,
        warning: OradorError | None = None,
    ) -> None:
        self.bundle = bundle
        self.warning = warning
        self.settings = settings
        self._engine = engine
        self._indexes: dict[str, Index] = {}
        self._originals: dict[str, Originals] = {}
        self._loading = threading.Lock()

    @property
    def speakers(self) -> list[Generator]:
        """The generators of the fine-tuned tab."""
        return [generator for generator in self.bundle.generators if "speech" in generator.prompts]

    @property
    def grounded(self) -> list[Generator]:
        """The generators of the RAG tab."""
        return [g for g in self.bundle.generators if g.index is not None and "rag" in g.prompts]

    @property
    def personas(self) -> list[Generator]:
        """The generators of the chat tab."""
        return imitated(self.bundle)

    @property
    def questioners(self) -> list[Generator]:
        """The generators of the tab of questions."""
        return [generator for generator in self.bundle.generators if generator.kind == "questions"]

    @property
    def max_minutes(self) -> int:
        """The longest speech that the settings allow and the context holds."""
        words = (self.bundle.context - PROMPT_TOKENS) / TOKENS_PER_WORD
        pace = min(generator.words_per_minute for generator in self.bundle.generators)
        return max(1, min(self.settings.max_minutes, int(words / pace)))

    @property
    def loaded(self) -> bool:
        """Whether the model is in memory."""
        return self._engine is not None

    @property
    def calibration(self) -> Calibration | None:
        """What was chosen for the model on this machine; None until it is in memory, or with a remote engine."""
        return getattr(self._engine, "calibration", None)

    @property
    def threads(self) -> dict[str, int]:
        """The engine's threads for reading and for writing; empty until the model is in memory."""
        return getattr(self._engine, "threads", {})

    def engine(self) -> Engine:
        """The engine, loaded at the first call. Raises EngineError."""
        with self._loading:
            if self._engine is None and self.settings.engine_url:
                remote = Remote(
                    self.settings.engine_url, self.settings.engine_key, self.settings.engine_model
                )
                self._engine = RemoteEngine(remote, self.bundle.chat_template, self.bundle.context)
            elif self._engine is None:
                local = self._local()
                self._engine = Answers(local)
                self._learn(local)
            return self._engine

    def _local(self) -> LocalEngine:
        """The bundle's model with the kernels that suit it and this machine. Raises EngineError."""
        bundle, settings = self.bundle, self.settings
        chosen = calibrate(bundle.base, settings.threads, settings.halved_cells, settings.cache)
        files = [bundle.base_file, *(bundle.adapter_files[name] for name in sorted(bundle.adapters))]
        key = f"{llama_cpp.__version__} {chosen.kernels} {[self._named(file) for file in files]}"
        states = States(
            key, settings.cache / "states", settings.state_memory * 2**20, settings.state_disk * 2**20
        )
        return LocalEngine(
            bundle.base,
            bundle.adapters,
            bundle.chat_template,
            bundle.context,
            settings.threads,
            settings.parallel,
            Tuning(chosen, states),
        )

    def _named(self, file: str) -> str:
        """The hash of a file of the bundle; of one that was put beside it, as `train originality` does, its name and time."""
        entry = self.bundle.files.get(file)
        return entry.sha256 if entry else f"{file} {(self.bundle.folder / file).stat().st_mtime_ns}"

    def _learn(self, engine: LocalEngine) -> None:
        """Has the beginnings of all prompts kept: what comes before the first word of a visitor."""
        for generator in self.bundle.generators:
            for name, template in generator.prompts.items():
                # Only the prompts that an adapter was trained with use it: see space/questions.py.
                adapter = None if generator.kind == "questions" and name != "questions" else generator.adapter
                values = {field: generator.values.get(field) for field in template.fields}
                one, other = (
                    template.render(**{field: value or mark for field, value in values.items()})
                    for mark in ("0", "a")
                )
                engine.learn(adapter, one, other)

    def index(self, generator: Generator) -> Index:
        """The index of `generator`, loaded at the first call. Raises NoIndex, or an error of the index."""
        if generator.index is None:
            raise NoIndex(name=generator.name)
        with self._loading:
            if generator.index not in self._indexes:
                self._indexes[generator.index] = Index.load(self.bundle.indexes[generator.index])
            return self._indexes[generator.index]

    def originals(self, generator: Generator) -> Originals | None:
        """What the texts of `generator` are compared with, None without such a file. Raises OriginalsInvalid."""
        if generator.name not in self.bundle.originals:
            return None
        with self._loading:
            file = self.bundle.originals[generator.name]
            if file not in self._originals:
                self._originals[file] = Originals.load(self.bundle.folder / file)
            return self._originals[file]

    def warm(self) -> None:
        """Loads all, so that the first visitor does not wait."""
        self.engine()
        for generator in self.grounded:
            self.index(generator)
        for generator in self.bundle.generators:
            self.originals(generator)

    def search(self, generator: Generator, query: str, k: int) -> list[Hit]:
        """The `k` best passages, whatever they score."""
        return self.index(generator).search(query, k, threshold=float("-inf"))

    def threshold(self, generator: Generator) -> float:
        """The lowest score of a passage that is used: the generator's own, or that of its index."""
        if generator.threshold is not None:
            return generator.threshold
        return self.index(generator).threshold

    def relevance(self, generator: Generator, score: float) -> str:
        """`score` in words: "high", "medium" or "low"."""
        return self.index(generator).relevance(score)

    def choose(self, name: object, among: Sequence[Generator]) -> Generator:
        """The generator `name` of `among`, the first one for no name. Raises UnknownChoice."""
        if name is None or name == "":
            if not among:
                raise NoIndex(name=self.bundle.name)
            return among[0]
        if not isinstance(name, str):
            raise NotText(field="generator", kind=type(name).__name__)
        for generator in among:
            if generator.name == name:
                return generator
        choices = ", ".join(generator.name for generator in among)
        raise UnknownChoice(value=name[:60], field="generator", choices=choices)
