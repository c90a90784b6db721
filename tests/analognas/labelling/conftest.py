"""Fixtures of the label runs: fake jobs that worker processes can import."""

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from analognas.labelling import Job, make_plan, plan_jobs

SETTINGS: dict[str, Any] = {
    "command": "analognas label --task digits",
    "task": "digits",
    "title": "handwritten digits",
    "data_name": "sklearn-digits",
    "space": "tinyml",
    "seed": 0,
    "networks": 6,
    "clips": 100,
    "variants": 2,
    "variant_chips": 2,
    "hardware_variants": [
        {
            "variant": f"variant{place}",
            "hardware": "hermes",
            "hardware_hash": f"{place:012x}",
            "recalibrated": False,
            "hardware_toml": "x = 1",
        }
        for place in range(8)
    ],
}


@pytest.fixture
def settings() -> dict[str, Any]:
    return dict(SETTINGS)


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module of fakes; its folder is on the path of spawned processes too."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return importlib.import_module("fake_label_jobs")


@pytest.fixture
def jobs(fakes: ModuleType) -> tuple[Job, ...]:
    """Six networks, two of them under three seeds: ten jobs."""
    return plan_jobs(
        fakes.make_candidates(6), make_plan(networks=6, replicated=2, seeds=3, variants=2)
    )
