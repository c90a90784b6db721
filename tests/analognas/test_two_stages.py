"""A second stage of training continues from the weights of a first."""

from dataclasses import replace

import pytest
import torch

from analognas.search_spaces import Architecture, SearchSpace, make_space
from analognas.simulator import analog_layers
from analognas.simulator.adc_gain import adc_gain
from analognas.simulator.presets import AON_CIM_8BIT
from analognas.simulator.training.analognets import FIRST_STAGE, second_stage
from analognas.tasks import Task, load_task
from analognas.training import TrainedNetwork, TrainingRecipe, train_network

FIRST = TrainingRecipe(epochs=1, hwa=FIRST_STAGE)


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task("digits")


@pytest.fixture(scope="module")
def space(task: Task) -> SearchSpace:
    return make_space("tinyml", input_shape=task.input_shape, n_classes=task.n_classes)


def small(space: SearchSpace, width: int) -> Architecture:
    codes = dict(space.codes(space.named["analognet-like"]))
    codes |= {"conv.stages": 2, "conv.width_1": width, "conv.width_2": 8}
    arch = space.decode(codes)
    assert arch is not None
    return arch


@pytest.fixture(scope="module")
def first(task: Task, space: SearchSpace) -> TrainedNetwork:
    return train_network(space, small(space, 8), task, FIRST, AON_CIM_8BIT, seed=0)


def test_the_first_stage_knows_no_ranges(first: TrainedNetwork) -> None:
    assert all(layer.input_range.isnan() for _, layer in analog_layers(first.analog))


def test_the_second_stage_starts_where_the_first_ended(
    first: TrainedNetwork, task: Task, space: SearchSpace
) -> None:
    still = TrainingRecipe(
        epochs=1, learning_rate=1e-9, hwa=replace(second_stage(0.0), clip_sigma=None)
    )
    second = train_network(
        space, first.architecture, task, still, AON_CIM_8BIT, seed=0, start=first
    )
    fresh = train_network(space, first.architecture, task, still, AON_CIM_8BIT, seed=0)
    weights = {
        name: dict(one.digital.named_parameters())
        for name, one in (("first", first), ("second", second), ("fresh", fresh))
    }
    for name, value in weights["first"].items():
        if value.dim() > 1:
            assert torch.allclose(weights["second"][name], value, atol=1e-5)
            assert not torch.allclose(weights["fresh"][name], value, atol=1e-3)


def test_the_learned_gain_is_that_of_the_result(
    first: TrainedNetwork, task: Task, space: SearchSpace
) -> None:
    recipe = TrainingRecipe(epochs=1, hwa=second_stage(0.05))
    trained = train_network(
        space, first.architecture, task, recipe, AON_CIM_8BIT, seed=0, start=first
    )
    gain = adc_gain(trained.analog)
    assert gain == trained.analog.hardware.converters.output_bound
    assert gain != AON_CIM_8BIT.converters.output_bound
    assert trained.analog.hardware.hash != AON_CIM_8BIT.hash


def test_a_stage_of_another_network_is_refused(
    first: TrainedNetwork, task: Task, space: SearchSpace
) -> None:
    with pytest.raises(ValueError, match="must be a training of"):
        train_network(space, small(space, 12), task, FIRST, AON_CIM_8BIT, seed=0, start=first)
