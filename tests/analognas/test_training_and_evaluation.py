"""Training for the chip and measuring on it, on the small digits."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from analognas.evaluation import digital_accuracy, evaluate_answers, evaluate_trained
from analognas.records import EVALUATION_TIMES_S, Evaluation
from analognas.search_spaces import Architecture, SearchSpace, make_space
from analognas.simulator import HERMES_DEFAULT, IDEAL, HwaRecipe
from analognas.simulator.chip import load_chip
from analognas.simulator.devices import PcmHermes
from analognas.tasks import Task, load_task
from analognas.training import (
    RANGE_PREFIX,
    TrainedNetwork,
    TrainingRecipe,
    restore_network,
    train_network,
)

RECIPE = TrainingRecipe(epochs=8)


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task("digits")


@pytest.fixture(scope="module")
def space(task: Task) -> SearchSpace:
    return make_space("tinyml", input_shape=task.input_shape, n_classes=task.n_classes)


@pytest.fixture(scope="module")
def arch(space: SearchSpace) -> Architecture:
    codes = dict(space.codes(space.named["analognet-like"]))
    codes |= {"conv.stages": 2, "conv.width_1": 16, "conv.width_2": 16}
    arch = space.decode(codes)
    assert arch is not None
    return arch


@pytest.fixture(scope="module")
def trained(task: Task, space: SearchSpace, arch: Architecture) -> TrainedNetwork:
    return train_network(space, arch, task, RECIPE, HERMES_DEFAULT, seed=1)


def test_training_learns_and_the_chip_keeps_most_of_it(trained: TrainedNetwork, task: Task) -> None:
    evaluation = evaluate_trained(
        trained, task, HERMES_DEFAULT, load_chip("hermes"), part="validation", chips=4
    )
    assert evaluation.digital_accuracy > 0.5
    assert evaluation.analog.times_s == tuple(EVALUATION_TIMES_S.values())
    assert evaluation.analog.chips == 4
    assert evaluation.analog.mean()[0] > 0.4
    assert evaluation.hardware_hash == HERMES_DEFAULT.hash
    assert Evaluation.from_dict(evaluation.to_dict()) == evaluation


def test_same_seed_same_network_and_same_answers(
    trained: TrainedNetwork, task: Task, space: SearchSpace, arch: Architecture
) -> None:
    again = train_network(space, arch, task, RECIPE, HERMES_DEFAULT, seed=1)
    assert all(torch.equal(value, trained.state[name]) for name, value in again.state.items())
    chip = load_chip("hermes")
    first, second = (
        evaluate_answers(one, task, HERMES_DEFAULT, chip, part="validation", chips=2)[1]
        for one in (trained, again)
    )
    assert np.array_equal(first, second)


def test_another_seed_is_another_network(
    trained: TrainedNetwork, task: Task, space: SearchSpace, arch: Architecture
) -> None:
    other = train_network(space, arch, task, replace(RECIPE, epochs=1), HERMES_DEFAULT, seed=2)
    assert not torch.equal(next(iter(other.state.values())), next(iter(trained.state.values())))


def test_ideal_hardware_classifies_like_the_digital_network(
    trained: TrainedNetwork, task: Task, space: SearchSpace, arch: Architecture
) -> None:
    state = {
        name: torch.full_like(value, 1e6) if name.startswith(RANGE_PREFIX) else value
        for name, value in trained.state.items()
    }
    ideal = restore_network(space, arch, state, RECIPE, IDEAL, seed=1)
    result = evaluate_trained(ideal, task, IDEAL, load_chip("hermes"), part="validation", chips=2)
    expected = digital_accuracy(ideal.digital, task.validation)
    assert np.allclose(result.analog.accuracy, expected)


def test_stored_weights_give_the_network_back(
    trained: TrainedNetwork, task: Task, space: SearchSpace, arch: Architecture
) -> None:
    restored = restore_network(space, arch, trained.state, RECIPE, HERMES_DEFAULT, seed=1)
    x = torch.from_numpy(task.validation.inputs[:16])
    with torch.no_grad():
        torch.testing.assert_close(restored.digital(x), trained.digital(x))
    assert restored.state.keys() == trained.state.keys()


def test_weights_of_another_network_are_refused(
    trained: TrainedNetwork, space: SearchSpace
) -> None:
    other = space.named["ds-cnn"]
    with pytest.raises(ValueError, match="names or shapes differ"):
        restore_network(space, other, trained.state, RECIPE, HERMES_DEFAULT, seed=1)


def test_noise_in_training_makes_the_network_more_robust(task: Task, space: SearchSpace) -> None:
    """The reason for HWA training: without it, more accuracy is lost on a noisy chip."""
    arch = space.named["analognet-like"]
    noisy = replace(HERMES_DEFAULT, device=PcmHermes(programming_noise_scale=3.0))
    lost = {}
    for name, hwa in {
        "with": HwaRecipe(),
        "without": HwaRecipe(weight_noise=0.0, output_noise=0.0, clip_sigma=None),
    }.items():
        recipe = TrainingRecipe(epochs=12, hwa=hwa)
        network = train_network(space, arch, task, recipe, noisy, seed=0)
        result = evaluate_trained(
            network, task, noisy, load_chip("hermes"), part="validation", chips=6
        )
        lost[name] = result.digital_accuracy - result.analog.mean()[-1]
    assert lost["with"] < 0.75 * lost["without"]


def test_chips_in_several_rounds_give_the_same_answers(trained: TrainedNetwork, task: Task) -> None:
    chip = load_chip("hermes")
    accuracies = [
        evaluate_trained(
            trained, task, HERMES_DEFAULT, chip, part="validation", chips=5, chip_batch=batch
        ).analog.accuracy
        for batch in (None, 2)
    ]
    np.testing.assert_allclose(accuracies[0], accuracies[1], atol=1e-9)
