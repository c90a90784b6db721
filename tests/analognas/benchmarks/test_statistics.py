"""Spread and paired differences of a benchmark."""

import numpy as np
import pytest

from analognas.benchmarks.measuring import Measurement
from analognas.benchmarks.statistics import by_speaker, paired_difference, spread_at
from analognas.records import AccuracyOverTime, CostSummary, Evaluation


def measurement(accuracy: list[float], speakers: dict[str, float]) -> Measurement:
    cost = CostSummary("hermes", "4-phase", 1.0, 1.0, 1.0, 1, 0.5)
    evaluation = Evaluation(
        key="k",
        architecture={},
        task="kws",
        split="recording",
        part="test",
        data_key="d",
        hardware="hermes",
        hardware_hash="h",
        simulator_version="1",
        training={},
        seed=0,
        digital_accuracy=1.0,
        analog=AccuracyOverTime((1.0,), (tuple(accuracy),)),
        cost=cost,
        parameters=1,
        multiplications=1,
        training_seconds=1.0,
        evaluation_seconds=1.0,
    )
    return Measurement(evaluation, {name: (value,) for name, value in speakers.items()})


def test_spread_tells_chips_from_trainings() -> None:
    runs = [measurement([0.8, 0.9], {}), measurement([0.9, 1.0], {})]
    spread = spread_at(runs, 1.0)
    assert spread.mean == pytest.approx(0.9)
    assert spread.sd == pytest.approx(np.std([0.8, 0.9, 0.9, 1.0], ddof=1))
    assert spread.sd_trainings == pytest.approx(np.std([0.85, 0.95], ddof=1))


def test_one_chip_and_one_training_have_no_spread() -> None:
    spread = spread_at([measurement([0.8], {})], 1.0)
    assert (spread.sd, spread.sd_trainings) == (0.0, 0.0)


def test_speakers_are_averaged_over_trainings() -> None:
    runs = [measurement([0.5], {"a": 0.4, "b": 1.0}), measurement([0.5], {"a": 0.6, "b": 0.8})]
    assert by_speaker(runs, 1.0) == pytest.approx({"a": 0.5, "b": 0.9})


def test_paired_difference_keeps_sign_and_counts_speakers() -> None:
    first = {"a": 0.9, "b": 0.8, "c": 0.7, "d": 0.5}
    second = {"a": 0.8, "b": 0.7, "c": 0.6, "d": 0.6}
    result = paired_difference(first, second, rng=np.random.default_rng(0))
    assert result.mean == pytest.approx(0.05)
    assert (result.better, result.speakers) == (3, 4)
    assert result.lower <= result.mean <= result.upper
    assert (result.lower, result.upper) == pytest.approx((-0.05, 0.1))


def test_measurements_survive_the_journey_through_json() -> None:
    one = measurement([0.5, 0.6], {"a": 0.4})
    assert Measurement.from_dict(one.to_dict()) == one
