"""What labels say, where it is known what they should."""

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from analognas.errors import UserError
from analognas.explaining.label_effects import (
    CONTRASTS,
    LabelEffect,
    in_words,
    label_effects,
    labels_of,
)
from analognas.search_spaces import Architecture
from analognas.surrogates import LabelTable
from analognas.tasks import load_task

MakeLabels = Callable[..., LabelTable]


def with_law(table: LabelTable, name: str, slope: float) -> LabelTable:
    """The same networks; their accuracy hangs on one choice and luck."""
    (contrast,) = [one for one in CONTRASTS if one.name == name]
    rng = np.random.default_rng(0)
    accuracy = {
        str(key): 0.6
        + slope * contrast.value(Architecture.from_dict(json.loads(text)))
        + 0.01 * rng.standard_normal()
        for key, text in zip(table.networks["key"], table.networks["architecture"], strict=True)
    }
    labels = table.labels.assign(accuracy=table.labels["key"].map(accuracy).clip(0.0, 1.0))
    return LabelTable(pd.DataFrame(labels), table.networks)


def by_name(effects: tuple[LabelEffect, ...]) -> dict[str, LabelEffect]:
    return {effect.contrast.name: effect for effect in effects}


@pytest.mark.parametrize(("name", "slope"), [("kernel size", 0.03), ("skips", -0.05)])
def test_a_law_is_found_and_given_to_no_other_choice(
    make_surrogate_labels: MakeLabels, name: str, slope: float
) -> None:
    table = with_law(make_surrogate_labels(60), name, slope)
    effects = by_name(label_effects(table))
    (day,) = effects[name].differences
    assert day.t_s == 86_400.0
    assert day.lower < day.estimate < day.upper
    assert day.settled
    assert day.estimate == pytest.approx(slope, abs=0.01)
    for other, effect in effects.items():
        if other != name and effect.differences:
            assert abs(effect.differences[0].estimate) < 0.3 * abs(slope)
    (sentence,) = [text for text in in_words(tuple(effects.values())) if text.startswith(name)]
    assert ("more" if slope > 0 else "less") in sentence


def test_few_networks_say_nothing(make_surrogate_labels: MakeLabels) -> None:
    effects = label_effects(make_surrogate_labels(12))
    assert all(not effect.differences for effect in effects)
    assert in_words(effects) == ()
    assert all(sum(effect.counts) == 12 for effect in effects)


def test_the_labels_of_the_same_data_are_found() -> None:
    task = load_task("digits")
    named = labels_of(task, None)
    assert named is not None
    assert named.name == "digits-8x8"
    assert labels_of(load_task("imu"), None) is None
    with pytest.raises(UserError, match="must be of the task 'digits'"):
        labels_of(task, "kws-spoken-digits")
