"""Networks evaluated for real: trained, measured, kept, and learned from."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analognas.errors import UserError
from analognas.labelling.job import TaskChoice
from analognas.search_spaces import Architecture, make_space
from analognas.searching.active_labelling import GuidedEvaluator, label_actively
from analognas.searching.candidates import Trial
from analognas.searching.config import make_config
from analognas.searching.measured import measured_scores
from analognas.searching.objectives import OBJECTIVES, simulated
from analognas.searching.running import resume_search, search_task
from analognas.searching.setup import prepare
from analognas.searching.training_evaluator import TrainingEvaluator
from analognas.simulator import HERMES_DEFAULT
from analognas.simulator.chip import load_chip
from analognas.surrogates import LabelTable, load_labels


@pytest.fixture
def small() -> Architecture:
    """The smallest of a few random networks."""
    space = make_space("tinyml", input_shape=(1, 8, 8), n_classes=10)
    rng = np.random.default_rng(3)
    return min((space.sample(rng) for _ in range(30)), key=space.multiplications)


@pytest.fixture
def evaluator(tmp_path: Path) -> TrainingEvaluator:
    return TrainingEvaluator(
        task=TaskChoice("digits"),
        space="tinyml",
        hardware=HERMES_DEFAULT,
        chip=load_chip("hermes"),
        epochs=4,
        chips=2,
        min_accuracy=0.1,
        cache=tmp_path / "trainings",
    )


def test_a_network_is_trained_for_its_share_of_the_epochs_and_measured(
    evaluator: TrainingEvaluator, small: Architecture
) -> None:
    whole, part, other = evaluator.evaluate(
        [Trial(small), Trial(small, fidelity=0.5), Trial(small, seed=1)]
    )
    assert whole.metrics is not None
    assert set(whole.metrics) == set(OBJECTIVES)
    assert whole.seconds is not None
    assert part.seconds is not None
    assert 0 < part.seconds < whole.seconds
    assert whole.metrics != other.metrics
    assert evaluator.measure(small, 0.5, 0).training["epochs"] == 2
    assert evaluator.measure(small, 1.0, 0).part == "validation"


def test_what_was_trained_is_kept_and_costs_what_it_did(
    evaluator: TrainingEvaluator, small: Architecture, tmp_path: Path
) -> None:
    (first,) = evaluator.evaluate([Trial(small, 0.25)])
    (kept,) = (tmp_path / "trainings").iterdir()
    before = kept.stat().st_mtime_ns
    assert evaluator.evaluate([Trial(small, 0.25)]) == [first]
    assert kept.stat().st_mtime_ns == before
    for changed in (
        replace(evaluator, epochs=8),
        replace(evaluator, first_seed=1000),
        replace(evaluator, chips=1),
        replace(evaluator, hardware=replace(HERMES_DEFAULT, weight_read_noise=0.1)),
    ):
        changed.measure(small, 0.25, 0)
    assert len(list((tmp_path / "trainings").iterdir())) == 5

    kept.write_text("{}")
    with pytest.raises(UserError, match="Delete this file"):
        evaluator.measure(small, 0.25, 0)


def test_scores_follow_from_the_chips(evaluator: TrainingEvaluator, small: Architecture) -> None:
    evaluation = evaluator.measure(small, 0.25, 0)
    accuracy = np.array(evaluation.analog.accuracy)  # (times, chips)
    enough = float(accuracy[2].max())
    scores = measured_scores(evaluation, enough)
    assert scores["accuracy@1day"] == pytest.approx(accuracy[2].mean())
    assert scores["accuracy-worst"] == pytest.approx(accuracy.mean(axis=1).min())
    assert scores["drop"] == pytest.approx(accuracy[0].mean() - accuracy[3].mean())
    assert scores["yield@1day"] == pytest.approx((accuracy[2] >= enough).mean())
    assert scores["cores"] == evaluation.cost.cores
    assert "service-life" not in measured_scores(evaluation)
    assert simulated(OBJECTIVES["drop"]).heading.endswith("(fraction, simulated, validation part)")
    assert simulated(OBJECTIVES["energy"]).origin == "modelled"


def test_times_that_nobody_asks_for_are_not_measured(
    evaluator: TrainingEvaluator, small: Architecture
) -> None:
    (everything,) = evaluator.evaluate([Trial(small, 0.25)])
    (day,) = replace(evaluator, times=("1day",)).evaluate([Trial(small, 0.25)])
    (drop,) = replace(evaluator, times=("1s", "1month")).evaluate([Trial(small, 0.25)])
    assert everything.metrics is not None
    assert day.metrics is not None
    assert drop.metrics is not None
    for fewer in (day.metrics, drop.metrics):  # what is measured is the same
        assert {name: everything.metrics[name] for name in fewer} == fewer
    assert "accuracy@1day" in day.metrics
    assert not {"accuracy@1s", "accuracy-worst", "drop", "service-life"} & set(day.metrics)
    assert "drop" in drop.metrics
    assert "accuracy@1day" not in drop.metrics


def test_first_guesses_stay_in_the_process_that_searches(
    evaluator: TrainingEvaluator, small: Architecture
) -> None:
    setup = prepare(make_config({"task": "digits"}))
    guided = GuidedEvaluator(evaluator, setup.scorer)
    features, known = guided.describe([small])
    predicted = setup.scorer.score([small])[0]
    assert features["accuracy@1day"].item() == predicted["accuracy@1day"]
    assert known["energy"].item() == predicted["energy"]
    sent = pickle.loads(pickle.dumps(guided))  # what a process pool does
    assert sent.scorer is None
    assert sent.trainer == evaluator


@pytest.mark.slow
def test_labels_are_made_where_they_matter_and_a_surrogate_is_fitted_on_them(
    tmp_path: Path,
) -> None:
    setup = prepare(make_config({"task": "digits", "max_parameters": 5_000}))
    found = label_actively(setup, tmp_path / "labels", seconds=6, epochs=1)
    assert found.labels > 0
    assert found.joined == len(load_labels("digits-8x8").networks)
    table = LabelTable.read(tmp_path / "labels")
    assert len(table.networks) == found.labels
    assert (table.networks["parameters"] <= 5_000).all()
    assert (table.networks["part"] == "validation").all()
    assert table.networks["seed"].min() >= 1000
    assert "no fair sample" in table.card
    assert found.chosen.hash != setup.chosen.hash
    assert str(found.labels) in found.sentence

    again = label_actively(setup, tmp_path / "labels", seconds=6, epochs=1)
    assert again.chosen.hash == found.chosen.hash
    assert again.sentence == found.sentence


@pytest.mark.slow
def test_a_search_that_labels_first_is_told_by_its_own_surrogate(tmp_path: Path) -> None:
    config = make_config(
        {
            "task": "digits",
            "max_parameters": 5_000,
            "budget": 30,
            "label_budget": "10s",
            "winners": 0,
            "workers": 1,
        }
    )
    result = search_task(config, tmp_path / "run")
    assert "fitted anew on" in result.basis
    assert any("were trained and measured" in warning for warning in result.warnings)
    assert "fitted anew on" in (tmp_path / "run" / "front.csv").read_text()
    again = resume_search(tmp_path / "run")
    assert again.front == result.front
    assert again.basis == result.basis


@pytest.mark.parametrize("budget", ["30", "-3m", "soon"])
def test_a_label_budget_is_a_time(budget: str) -> None:
    with pytest.raises(UserError, match="budget"):
        make_config({"task": "digits", "label_budget": budget})
