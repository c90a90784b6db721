"""A search space, a scorer and a search loop whose answers are known."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from analognas.searching.candidates import Candidate, Codes, Result, Trial
from analognas.searching.journal import Journal
from analognas.searching.loop import SearchLoop
from analognas.searching.objectives import OBJECTIVES, select_objectives
from analognas.searching.spaces import Decoder
from analognas.searching.strategies import STRATEGIES, Problem
from analognas.searching.trials import InProcess

GENES: Mapping[str, tuple[int | str, ...]] = {
    "depth": (1, 2, 3, 4),
    "width_1": (8, 16, 24, 32, 48, 64),
    "width_2": (8, 16, 24, 32, 48, 64),
    "width_3": (8, 16, 24, 32, 48, 64),
    "width_4": (8, 16, 24, 32, 48, 64),
    "kind": ("regular", "separable", "pointwise"),
    "kernel": (1, 3, 5),
}


@dataclass(frozen=True)
class FakeArchitecture:
    """A stack of layers; widths behind the depth play no part, so different codes can be equal."""

    choices: tuple[int | str, ...]

    @property
    def key(self) -> str:
        return hashlib.blake2b(repr(self.choices).encode(), digest_size=6).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        return {"choices": list(self.choices)}


@dataclass(frozen=True)
class FakeSpace:
    """Networks of one to four layers; those that are wide and deep do not fit."""

    genes: Mapping[str, tuple[int | str, ...]] = field(default_factory=lambda: GENES)

    def decode(
        self, codes: Codes, fits: Callable[[Any], bool] | None = None
    ) -> FakeArchitecture | None:
        depth = int(codes["depth"])
        widths = tuple(codes[f"width_{layer}"] for layer in range(1, depth + 1))
        if widths[0] == 64 and depth == 4:
            return None  # does not fit and cannot be shrunk
        return FakeArchitecture((codes["kind"], codes["kernel"], *widths))

    def codes(self, architecture: FakeArchitecture, /) -> dict[str, int | str]:
        kind, kernel, *widths = architecture.choices
        codes = {gene: values[0] for gene, values in self.genes.items()}
        codes |= {"depth": len(widths), "kind": kind, "kernel": kernel}
        return codes | {f"width_{layer}": width for layer, width in enumerate(widths, start=1)}


def make_scores(arch: FakeArchitecture) -> dict[str, float]:
    """Accuracy saturates with the size, energy grows with it: a genuine trade-off."""
    kind, kernel, *widths = arch.choices
    size = sum(int(width) for width in widths) * int(kernel)
    bonus = {"regular": 0.1, "separable": 0.0, "pointwise": 0.02}[str(kind)]
    accuracy = 0.4 + bonus + 0.5 * size / (size + 150)
    drop = {"regular": 0.02, "separable": 0.15, "pointwise": 0.05}[str(kind)]
    scores = dict.fromkeys(OBJECTIVES, accuracy)
    energy = 3.0 * size * (1.3 if kind == "regular" else 1.0)
    return scores | {
        "drop": drop,
        "energy": energy,
        "latency": 0.1 * size,
        "cores": float(len(widths)),
        "parameters": float(size * 10),
    }


@dataclass
class FakeScorer:
    """Remembers what it was asked, so that tests can count."""

    batches: list[list[str]] = field(default_factory=list)

    def evaluate(self, trials: Sequence[Trial]) -> list[Result]:
        self.batches.append([trial.arch.key for trial in trials])
        return [Result(make_scores(trial.arch)) for trial in trials]


@dataclass(frozen=True)
class LoopFactory:
    """Makes search loops over the fake space."""

    space: FakeSpace = field(default_factory=FakeSpace)

    def __call__(self, path: Path, strategy: str = "nsga2", **changes: Any) -> SearchLoop:
        demands = changes.get("demands", ())
        decoder = Decoder(FakeSpace(changes.get("genes", GENES)))
        problem = Problem(
            genes=decoder.genes,
            objectives=select_objectives(changes.get("objectives", ("accuracy@1day", "energy"))),
            constrained=bool(demands),
            population=changes.get("population", 20),
            realise=decoder.realise,
        )
        journal = Journal(path, ("accuracy@1day", "energy"))
        if not path.exists():
            journal.create()
        return SearchLoop(
            strategy=STRATEGIES[strategy](problem, changes.get("seed", 0)),
            decoder=decoder,
            runner=InProcess(changes.get("scorer", FakeScorer()), tuple(OBJECTIVES)),
            journal=journal,
            demands=demands,
        )


@pytest.fixture
def make_loop() -> LoopFactory:
    return LoopFactory()


@pytest.fixture
def fake_scorer() -> FakeScorer:
    return FakeScorer()


@pytest.fixture
def make_candidate() -> Callable[..., Candidate]:
    """Build a candidate from a key and a few scores."""

    def make(key: str, **scores: float) -> Candidate:
        renamed = {
            {"accuracy": "accuracy@1day"}.get(name, name): value for name, value in scores.items()
        }
        return Candidate(key, 0, {}, {"key": key}, dict.fromkeys(OBJECTIVES, 0.0) | renamed)

    return make


@pytest.fixture
def without_seconds() -> Callable[[Path], list[Any]]:
    """Read a journal without its stopwatch."""

    def read(path: Path) -> list[Any]:
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        return [{name: line[name] for name in line if name != "seconds"} for line in lines]

    return read
