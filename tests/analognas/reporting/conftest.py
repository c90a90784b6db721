"""A run folder as a search leaves it, made of invented numbers."""

import csv
import hashlib
import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from analognas.deployment import bundle as files
from analognas.deployment.bundle import Origin, PredictedAccuracy
from analognas.records import EVALUATION_TIMES_S, AccuracyOverTime, CostSummary, Evaluation
from analognas.searching.candidates import Candidate
from analognas.searching.config import SearchConfig
from analognas.searching.journal import Batch, Journal
from analognas.searching.objectives import OBJECTIVES
from analognas.simulator.chip import LayerCost, estimate_cost, load_chip, place_layers
from analognas.simulator.mapping import LayerShape

TIMES_S = tuple(EVALUATION_TIMES_S.values())


def separable_layers(width: int, depth: int) -> tuple[LayerShape, ...]:
    """Shapes of a network with a regular stem and depthwise-separable stages."""
    layers = [LayerShape("stem", "conv2d", 1, width, (10, 4), mvms=125)]
    for index in range(depth):
        grouped = LayerShape(
            f"stages.{index}.depthwise", "conv2d", width, width, (3, 3), width, mvms=125
        )
        layers += [
            grouped,
            LayerShape(f"stages.{index}.pointwise", "conv2d", width, width, mvms=125),
        ]
    return (*layers, LayerShape("head", "linear", width, 12))


def regular_layers(width: int, depth: int) -> tuple[LayerShape, ...]:
    """Shapes of a network of ordinary convolutions."""
    layers = [LayerShape("stem", "conv2d", 1, width, (3, 3), mvms=125)]
    for index in range(depth):
        layers.append(
            LayerShape(f"stages.{index}.conv", "conv2d", width, width, (3, 3), mvms=125 >> index)
        )
    return (*layers, LayerShape("head", "linear", width, 12))


def write_bundle(
    winners: Path,
    origin: Origin,
    layers: tuple[LayerShape, ...],
    accuracy: tuple[float, float],
    rng: np.random.Generator,
) -> None:
    """Write the files of a bundle; accuracy goes from the first to the second value in a year."""
    chip = load_chip("hermes")
    placement = place_layers(layers, chip)
    cost = estimate_cost(placement, chip)
    means = np.interp(np.log10(TIMES_S), np.log10([1.0, TIMES_S[-1]]), accuracy)
    chips = means[:, None] + rng.normal(size=(5, 25)) * np.linspace(0.003, 0.009, 5)[:, None]
    key = hashlib.sha256(repr((layers, origin.name)).encode()).hexdigest()[:12]
    evaluation = Evaluation(
        key=key,
        architecture={"key": key},
        task="kws",
        split="by recording",
        part="test",
        data_key="0123456789abcdef",
        hardware="HERMES_DEFAULT",
        hardware_hash="fedcba987654",
        simulator_version="1",
        training={"epochs": 60},
        seed=0,
        digital_accuracy=accuracy[0] + 0.012,
        analog=AccuracyOverTime(TIMES_S, tuple(tuple(map(float, row)) for row in chips)),
        cost=CostSummary(
            chip.name,
            cost.read_mode,
            cost.energy_nJ,
            cost.latency_us,
            cost.area_mm2,
            cost.cores,
            cost.utilisation_fraction,
        ),
        parameters=sum(layer.weights + 2 * layer.columns for layer in layers),
        multiplications=sum(layer.weights * layer.mvms for layer in layers),
        training_seconds=40.0,
        evaluation_seconds=6.0,
    )
    folder = files.bundle_folder(winners, origin.name, key)
    folder.mkdir(parents=True)
    files.write_json(folder / files.ARCHITECTURE, evaluation.architecture)
    files.write_json(folder / files.PICK, origin.to_dict())
    files.write_json(folder / files.PLACEMENT, placement.to_dict())
    files.write_json(folder / files.EVALUATION, evaluation.to_dict())
    files.write_table(folder / files.ACCURACY, *files.accuracy_table(evaluation.analog))
    names = [column.name for column in fields(LayerCost)]
    rows = [[asdict(layer)[name] for name in names] + [cost.scope] for layer in cost.layers]
    files.write_table(folder / files.COST, [*names, "scope"], rows)
    save_file({"weight": np.zeros(3, dtype=np.float32)}, folder / files.WEIGHTS)
    for name in (files.NETWORK, files.README):
        (folder / name).write_bytes(b"content")


def predicted(first: float, last: float, margin: float) -> tuple[PredictedAccuracy, ...]:
    means = np.interp(np.log10(TIMES_S), np.log10([1.0, TIMES_S[-1]]), [first, last])
    return tuple(
        PredictedAccuracy(t_s, float(m), float(m) - margin, min(1.0, float(m) + margin))
        for t_s, m in zip(TIMES_S, means, strict=True)
    )


def write_search(path: Path, count: int, rng: np.random.Generator) -> None:
    """Write settings, journal and front of a search that scored `count` networks."""
    path.mkdir(parents=True)
    config = SearchConfig(task="kws", baselines=True, overrides={"converters.adc_bits": "6"})
    (path / "config.json").write_text(config.to_json())
    (path / "environment.json").write_text(
        json.dumps({"analognas": "0.1.0", "torch": "2.13.0", "python": "3.11.7", "cores": 2})
    )
    provenance: dict[str, Any] = {
        "task_title": "Spoken digits <0-9>, split by recording",
        "data_name": "spoken-digits",
        "split": "recording",
        "space_size": "123456789012345678901",
        "surrogate": {"name": "xgboost", "basis": "Fitted to 120 networks of the same task."},
        "warnings": ["The surrogate was fitted to another data set: what it says here is a guess."],
    }
    (path / "provenance.json").write_text(json.dumps(provenance))
    energy_nJ = np.exp(rng.uniform(np.log(2e3), np.log(3e5), count))
    best = 0.97 - 0.5 * np.exp(-np.log(energy_nJ / 800) / 1.3)
    accuracy = np.clip(best - rng.gamma(1.2, 0.04, count), 0.1, 1.0)
    candidates = []
    for index in range(count):
        scores = dict.fromkeys(OBJECTIVES, 0.0)
        scores |= {"accuracy@1day": float(accuracy[index]), "energy": float(energy_nJ[index])}
        candidates.append(Candidate(f"{index:012x}", 0, {"gene": index}, {"index": index}, scores))
    journal = Journal(path / "journal.jsonl")
    journal.create()
    codes, keys = tuple(c.codes for c in candidates), tuple(c.key for c in candidates)
    journal.append(Batch(0, 12.5, codes, keys, tuple(candidates)))
    cheapest_first = np.argsort(energy_nJ)
    reached = np.maximum.accumulate(accuracy[cheapest_first])
    front = cheapest_first[np.isclose(accuracy[cheapest_first], reached)]
    with (path / "front.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["key"], *([f"{index:012x}"] for index in front)])


def write_run(path: Path, *, count: int = 400) -> Path:
    """Write a whole run folder: search, three picks, three baselines."""
    rng = np.random.default_rng(5)
    write_search(path, count, rng)
    winners = path / "winners"
    networks = (
        ("accuracy", False, (0.958, 0.936, 0.02), regular_layers(96, 4), (0.949, 0.921)),
        ("knee", False, (0.941, 0.915, 0.024), regular_layers(48, 3), (0.938, 0.902)),
        ("energy", False, (0.92, 0.89, 0.03), regular_layers(24, 2), (0.904, 0.858)),
        ("ds-cnn", True, (0.93, 0.84, 0.03), separable_layers(64, 4), (0.936, 0.812)),
        ("analognet-like", True, None, regular_layers(64, 4), (0.943, 0.911)),
        ("resnet-small", True, None, regular_layers(72, 5), (0.946, 0.915)),
    )
    for name, baseline, said, layers, accuracy in networks:
        origin = Origin(name, baseline, predicted(*said) if said else ())
        write_bundle(winners, origin, layers, accuracy, rng)
    return path


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a finished run; do not change it."""
    return write_run(tmp_path_factory.mktemp("runs") / "finished")


@pytest.fixture
def search_folder(tmp_path: Path) -> Path:
    """Return the folder of a run that has scored networks but trained none."""
    write_search(tmp_path / "run", 30, np.random.default_rng(1))
    return tmp_path / "run"
