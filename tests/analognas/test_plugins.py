"""Spaces, strategies and evaluators of other distributions, installed in a folder."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from analognas import run_search
from analognas.errors import UserError
from analognas.examples.own_space import Perceptron, PerceptronSpace, evaluate
from analognas.plugins import STRATEGY_PLUGINS, load_plugin, plugin_names
from analognas.search_spaces import ConvSpace, make_space
from analognas.searching.config import SearchConfig
from analognas.tasks import load_task

MODULE = """
from dataclasses import replace

from analognas.examples.own_evaluator import NoisyEvaluator
from analognas.examples.own_space import evaluate
from analognas.examples.own_strategy import HillClimber
from analognas.search_spaces import ConvOptions, ConvSpace
from analognas.searching.evaluators import FunctionEvaluator
from analognas.tasks import load_task


def shallow(input_shape, n_classes):
    return ConvSpace(input_shape, n_classes, ConvOptions(stages=(2, 3)))


def perceptrons():
    return FunctionEvaluator(evaluate)


def load_small_digits(request):
    task = load_task("digits", split=request.split)
    return replace(task, name="small-digits", train=task.train.stratified(100))
"""
ENTRY_POINTS = """
[analognas.spaces]
shallow = acme_nas:shallow
broken-space = acme_nas:nothing

[analognas.tasks]
small-digits = acme_nas:load_small_digits

[analognas.strategies]
hill-climber = acme_nas:HillClimber
broken = acme_missing:Strategy

[analognas.evaluators]
perceptrons = acme_nas:perceptrons
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A distribution `acme-nas` as an installer leaves it."""
    (tmp_path / "acme_nas.py").write_text(MODULE)
    info = tmp_path / "acme_nas-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-nas\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield
    sys.modules.pop("acme_nas", None)


@pytest.mark.usefixtures("installed")
def test_an_installed_strategy_and_evaluator_are_used_by_name() -> None:
    outcome = run_search(
        PerceptronSpace(), "perceptrons", "max:accuracy", "hill-climber", budget=20
    )
    assert outcome.strategy == "hill-climber"
    assert all(one.scores == evaluate(_net(one.key)) for one in outcome.evaluations)
    assert SearchConfig(task="kws", sampler="hill-climber").sampler == "hill-climber"


def _net(key: str) -> Perceptron:
    return Perceptron(tuple(int(width) for width in key.split("-")))


@pytest.mark.usefixtures("installed")
def test_an_installed_space_is_made_by_name() -> None:
    space = make_space("shallow", input_shape=(1, 16, 16), n_classes=4)
    assert isinstance(space, ConvSpace)
    assert space.genes["stages"] == (2, 3)
    with pytest.raises(ValueError, match="conv, resnet, tinyml, broken-space, shallow"):
        make_space("unknown", input_shape=(1, 16, 16), n_classes=4)


@pytest.mark.usefixtures("installed")
def test_a_broken_plug_in_is_one_line_and_no_crash() -> None:
    assert plugin_names(STRATEGY_PLUGINS) == ("broken", "hill-climber")
    with pytest.raises(UserError) as caught:
        load_plugin(STRATEGY_PLUGINS, "broken")
    assert "'broken' of acme-nas (acme_missing:Strategy) cannot be loaded" in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match=r"'broken-space' .* cannot be used: AttributeError"):
        make_space("broken-space", input_shape=(1, 16, 16), n_classes=4)


def test_without_any_plug_in_unknown_names_are_answered_as_before() -> None:
    assert plugin_names(STRATEGY_PLUGINS) == ()
    assert load_plugin(STRATEGY_PLUGINS, "hill-climber") is None
    with pytest.raises(UserError, match="Unknown strategy 'hill-climber'"):
        run_search(PerceptronSpace(), evaluate, "max:accuracy", "hill-climber")


@pytest.mark.usefixtures("installed")
def test_an_installed_task_is_loaded_by_its_name() -> None:
    task = load_task("small-digits", split="image")
    assert task.name == "small-digits"
    assert 90 <= len(task.train) <= 110
    with pytest.raises(UserError, match="Unknown task"):
        load_task("no-digits")
