"""Networks and settings with which deployment takes a moment instead of a minute."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analognas.deployment import Deployment, Methods, NamedNetwork, PredictedAccuracy
from analognas.search_spaces import make_space
from analognas.simulator import HERMES_DEFAULT
from analognas.simulator.chip import load_chip
from analognas.tasks import Limits, Task
from analognas.tasks.base import Part


def small_task(methods: Any) -> Task:
    rng = np.random.default_rng(0)
    part = Part(rng.normal(size=(12, 1, 8, 8)).astype(np.float32), np.arange(12) % 3)
    return Task(
        name="digits",
        title="invented images",
        data_name="invented",
        split="image",
        data_key="0123456789abcdef",
        classes=("a", "b", "c"),
        limits=Limits(64, 100_000, 1_000_000),
        train=part,
        validation=part,
        test=part,
        augment=methods.unchanged,
        provenance="invented",
    )


@pytest.fixture
def methods(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the module of fast methods; other processes find it on the path as well."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    module = importlib.import_module("fast_methods")
    module.TRAINED.clear()
    return module


@pytest.fixture
def setting(methods: Any) -> Deployment:
    return Deployment(
        task=small_task(methods),
        space=make_space("tinyml", input_shape=(1, 8, 8), n_classes=3),
        hardware=HERMES_DEFAULT,
        chip=load_chip("hermes"),
        seed=3,
        chips=4,
        methods=Methods(methods.train, methods.measure, methods.write_onnx),
    )


@pytest.fixture
def picks(setting: Deployment) -> list[NamedNetwork]:
    rng = np.random.default_rng(7)
    said = PredictedAccuracy(86_400.0, 0.9, 0.85, 0.95)
    return [
        NamedNetwork(name, setting.space.sample(rng), {said.t_s: said})
        for name in ("accuracy", "knee+energy")
    ]
