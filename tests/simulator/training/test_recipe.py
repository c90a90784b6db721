"""The recipe as stored tables have it."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from analognas.simulator import HwaRecipe
from analognas.simulator.training import (
    AdditiveNoise,
    CellNoise,
    DiscretizeNoise,
    Distillation,
    DorefaNoise,
    FixedClip,
    LearnedClip,
    MeanMaximumClip,
    MultiplicativeNoise,
    PcmNoise,
    PolynomialNoise,
    SigmaClip,
)

STORED = (
    '{"weight_noise": 2.0, "noise_time_s": 86400.0, "ramp_fraction": 0.3, "clip_sigma": 2.5, '
    '"output_noise": 1.0, "range_batches": 20}'
)


def test_a_recipe_of_before_is_written_as_before() -> None:
    assert json.dumps(HwaRecipe().to_dict()) == STORED
    assert HwaRecipe(**json.loads(STORED)) == HwaRecipe()


@pytest.mark.parametrize(
    "settings",
    [
        {"noise": AdditiveNoise(sigma=0.038, relative_to="layer")},
        {"noise": MultiplicativeNoise(sigma=0.1)},
        {"noise": PolynomialNoise(coefficients=(0.1, 0.2), keep_sign=True)},
        {"noise": PcmNoise(t_s=3600.0, stuck_at_reset=0.01)},
        {"noise": DorefaNoise(bits=4)},
        {"noise": DiscretizeNoise(bits=4, sigma=0.1)},
        {"noise": CellNoise(relative_to="layer")},
        {"drop_connect": 0.01},
        {"per_sample": True},
        {"clip": FixedClip(bound=1.0)},
        {"clip": SigmaClip(n_sigma=2.0, per="column")},
        {"clip": MeanMaximumClip()},
        {"clip": LearnedClip()},
        {"learn_output_scales": True},
        {"distillation": Distillation(temperature=2.0)},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_new_settings_are_written_and_read_back(settings: dict[str, Any]) -> None:
    recipe = HwaRecipe(**settings)
    written = recipe.to_dict()
    assert set(written) == {*json.loads(STORED), *settings}
    assert HwaRecipe(**json.loads(json.dumps(written))) == recipe
    assert hash(recipe) != hash(HwaRecipe())


def test_the_rule_for_the_weights_limits() -> None:
    assert HwaRecipe().weight_clip == SigmaClip(n_sigma=2.5, per="layer")
    assert HwaRecipe(clip_sigma=None).weight_clip is None
    assert HwaRecipe(clip=FixedClip(bound=1.0)).weight_clip == FixedClip(bound=1.0)


def test_an_unknown_law_is_refused_with_those_known() -> None:
    with pytest.raises(ValidationError, match="'cell', 'additive', 'multiplicative'"):
        HwaRecipe(noise={"kind": "salt and pepper"})  # type: ignore[arg-type]
