"""The settings of a search."""

import json
from typing import Any

import pytest

from analognas.errors import UserError
from analognas.searching.budget import Budget
from analognas.searching.config import SearchConfig, make_config
from analognas.searching.objectives import OBJECTIVES, select_objectives
from analognas.searching.strategies import STRATEGIES


def test_settings_survive_the_round_trip_through_json() -> None:
    config = SearchConfig(
        task="kws",
        words=("yes", "zoom in"),
        overrides={"converters.adc_bits": "6"},
        objectives=("drop", "cores"),
        budget="10m",
        min_accuracy=0.9,
    )
    assert SearchConfig.from_json(config.to_json()) == config
    assert SearchConfig.from_json(SearchConfig(task="kws").to_json()) == SearchConfig(task="kws")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"objectives": ["speed"]}, "Unknown objective 'speed'.*accuracy@1day.*parameters"),
        ({"objectives": []}, "At least one objective"),
        ({"objectives": ["drop", "drop"]}, "once"),
        ({"budget": 0}, "number of evaluations"),
        ({"budget": "soon"}, "minutes"),
        ({"budget": "0m"}, "minutes"),
        ({"sampler": "magic"}, "nsga2"),
        ({"max_cores": 0}, "max_cores"),
        ({"min_accuracy": 97}, "min_accuracy"),
        ({"winners": -1}, "winners"),
        ({"seed": -1}, "seed"),
        ({"objectve": ["drop"]}, "Did you mean 'objectives'"),
    ],
)
def test_a_bad_setting_is_one_message_with_its_name(values: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        make_config({"task": "kws", **values})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ("[]", "not written by"),
        ('{"format": "other"}', "not written by"),
        ('{"format": "analognas-search", "format_version": 9}', "format_version"),
        ('{"format": "analognas-search", "format_version": 1}', "task"),
    ],
)
def test_a_foreign_configuration_is_refused(text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        SearchConfig.from_json(text)


def test_a_stored_configuration_names_its_format() -> None:
    content = json.loads(SearchConfig(task="kws").to_json())
    assert (content["format"], content["format_version"]) == ("analognas-search", 1)


def test_a_budget_is_a_number_of_networks_or_minutes() -> None:
    assert SearchConfig(task="kws", budget=50).limit == Budget(evaluations=50)
    assert SearchConfig(task="kws", budget="50").budget == 50
    assert SearchConfig(task="kws", budget="1.5m").limit == Budget(seconds=90.0)


def test_is_capped_and_says_so() -> None:
    many = SearchConfig(task="kws", sampler="tpe", budget=2000)
    assert many.limit == Budget(evaluations=300)
    assert many.is_capped
    timed = SearchConfig(task="kws", sampler="tpe", budget="5m")
    assert timed.limit == Budget(evaluations=300, seconds=300.0)
    assert not SearchConfig(task="kws", sampler="tpe", budget=100).is_capped
    assert not SearchConfig(task="kws", budget=2000).is_capped


def test_every_sampler_of_the_settings_exists() -> None:
    for name in STRATEGIES:
        assert SearchConfig(task="kws", sampler=name).sampler == name


def test_every_objective_says_direction_unit_and_origin() -> None:
    for name, objective in OBJECTIVES.items():
        assert select_objectives([name]) == (objective,)
        assert objective.unit in objective.heading
        assert objective.origin in objective.heading
        assert objective.sign == (1.0 if objective.direction == "maximize" else -1.0)
