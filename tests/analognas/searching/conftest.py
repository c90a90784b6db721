"""A search space, a scorer and a search loop whose answers are known."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from analognas.searching.candidates import Candidate, Codes
from analognas.searching.journal import Journal
from analognas.searching.loop import Demands, SearchLoop
from analognas.searching.objectives import OBJECTIVES, select_objectives
from analognas.searching.samplers import SAMPLERS
from analognas.searching.strategies import Problem

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


def decode(codes: Codes) -> FakeArchitecture | None:
    depth = int(codes["depth"])
    widths = tuple(codes[f"width_{layer}"] for layer in range(1, depth + 1))
    if widths[0] == 64 and depth == 4:
        return None  # does not fit and cannot be shrunk
    return FakeArchitecture((codes["kind"], codes["kernel"], *widths))


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

    def score(self, archs: Sequence[Any]) -> list[dict[str, float]]:
        self.batches.append([arch.key for arch in archs])
        return [make_scores(arch) for arch in archs]


@dataclass(frozen=True)
class LoopFactory:
    """Makes search loops over the fake space."""

    def __call__(self, path: Path, sampler: str = "nsga2", **changes: Any) -> SearchLoop:
        demands = changes.get("demands", Demands())
        problem = Problem(
            genes=changes.get("genes", GENES),
            objectives=select_objectives(changes.get("objectives", ("accuracy@1day", "energy"))),
            constrained=demands.any,
            population=changes.get("population", 20),
        )
        journal = Journal(path)
        if not path.exists():
            journal.create()
        return SearchLoop(
            strategy=SAMPLERS[sampler](problem, changes.get("seed", 0)),
            decode=decode,  # type: ignore[arg-type]
            scorer=changes.get("scorer", FakeScorer()),
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
