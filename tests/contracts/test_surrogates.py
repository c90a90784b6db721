"""What every surrogate in the registry promises."""

import json

import numpy as np
import pandas as pd
import pytest

from analognas.surrogates import NOMINAL, SURROGATES, LabelDescription, read_surrogate, with_times
from analognas.surrogates.base import Surrogate

TIMES_S = (1.0, 3_600.0, 86_400.0)
ARRAYS = ("mean", "lower", "upper", "quantile_05", "rank_score", "beyond")
DESCRIPTION = LabelDescription(
    task="digits",
    data_name="sklearn-digits",
    data_key="fedcba",
    split="random",
    part="validation",
    hardware="hermes-default",
    hardware_hash="0123456789ab",
    simulator_version="1",
    architectures=40,
    chips=8,
    times_s=TIMES_S,
)


def make_rows(networks: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    keys = [f"{seed:04x}{index:08x}" for index in range(networks)]
    features = with_times(
        pd.DataFrame(
            {
                "log10_parameters": rng.uniform(3.0, 5.5, networks),
                "depth": rng.integers(2, 9, networks).astype(np.float64),
            },
            index=keys,
        ),
        TIMES_S,
    )
    size = features["log10_parameters"].to_numpy()
    mean = 0.15 * size + 0.03 * np.sin(features["depth"].to_numpy())
    mean = mean - 0.01 * features["log10_t_s"].to_numpy()
    targets = pd.DataFrame(
        {
            "key": np.repeat(keys, len(TIMES_S)),
            "t_s": np.tile(TIMES_S, networks),
            "mean": mean,
            "variant": NOMINAL,
            "sd": 0.03,
            "chips": 8.0,
            "clips": 500.0,
            "seeds": 1,
        }
    )
    return features, targets


FEATURES, TARGETS = make_rows(40, seed=0)
NEW, _ = make_rows(200, seed=1)


@pytest.fixture(scope="module", params=list(SURROGATES))
def fitted(request: pytest.FixtureRequest) -> Surrogate:
    return SURROGATES[request.param]().fit(FEATURES, TARGETS, description=DESCRIPTION)


def test_predictions_have_one_row_per_network_and_time(fitted: Surrogate) -> None:
    prediction = fitted.predict(NEW)
    assert {np.shape(getattr(prediction, name)) for name in ARRAYS} == {(len(NEW),)}


def test_predicted_accuracies_are_fractions_within_their_interval(fitted: Surrogate) -> None:
    far = NEW.assign(log10_parameters=NEW["log10_parameters"] * 3.0)
    for rows in (NEW, far):
        p = fitted.predict(rows)
        assert np.all((p.lower >= 0) & (p.lower <= p.mean))
        assert np.all((p.mean <= p.upper) & (p.upper <= 1))
        assert np.all((p.quantile_05 >= 0) & (p.quantile_05 <= p.mean))


def test_a_higher_level_gives_a_wider_interval(fitted: Surrogate) -> None:
    widths = [(p := fitted.predict(NEW, level=level)).upper - p.lower for level in (0.5, 0.8, 0.95)]
    assert widths[0].mean() < widths[1].mean() < widths[2].mean()


def test_where_labels_fall_with_time_predictions_do(fitted: Surrogate) -> None:
    mean = fitted.predict(with_times(NEW.iloc[::15], TIMES_S)).mean.reshape(-1, 3)
    assert np.all(mean[:, 0] > mean[:, 1])
    assert np.all(mean[:, 1] > mean[:, 2])


def test_stored_and_read_back_it_predicts_the_same_bits(fitted: Surrogate) -> None:
    again = read_surrogate(fitted.to_json())
    before, after = fitted.predict(NEW, level=0.5), again.predict(NEW, level=0.5)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
    assert again.columns == fitted.columns
    assert again.description == DESCRIPTION
    assert again.to_json() == fitted.to_json()


@pytest.mark.parametrize("name", SURROGATES)
def test_the_same_labels_give_the_same_bits(name: str) -> None:
    texts = {SURROGATES[name]().fit(FEATURES, TARGETS).to_json() for _ in range(2)}
    assert len(texts) == 1


def test_columns_are_found_by_name(fitted: Surrogate) -> None:
    shuffled = NEW[NEW.columns[::-1]].assign(more=1.0)
    np.testing.assert_array_equal(fitted.predict(shuffled).mean, fitted.predict(NEW).mean)


def test_a_missing_column_is_named(fitted: Surrogate) -> None:
    with pytest.raises(ValueError, match="log10_t_s"):
        fitted.predict(NEW.drop(columns="log10_t_s"))


def test_a_feature_that_is_not_finite_is_refused(fitted: Surrogate) -> None:
    with pytest.raises(ValueError, match=r"finite.*log10_t_s"):
        fitted.predict(NEW.assign(log10_t_s=np.inf))


@pytest.mark.parametrize("level", [0.0, 1.0, -1.0])
def test_an_impossible_level_is_refused(fitted: Surrogate, level: float) -> None:
    with pytest.raises(ValueError, match="level"):
        fitted.predict(NEW, level=level)


@pytest.mark.parametrize("name", SURROGATES)
def test_an_unfitted_surrogate_says_so(name: str) -> None:
    with pytest.raises(ValueError, match="fitted before"):
        SURROGATES[name]().predict(NEW)
    with pytest.raises(ValueError, match="fitted before"):
        SURROGATES[name]().to_json()


@pytest.mark.parametrize("name", SURROGATES)
def test_features_without_their_labels_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="same rows"):
        SURROGATES[name]().fit(FEATURES, TARGETS[:-1])


@pytest.mark.parametrize("name", SURROGATES)
def test_networks_that_are_all_alike_can_be_learned_from(name: str) -> None:
    alike = FEATURES.assign(log10_parameters=4.0, depth=3.0)
    prediction = SURROGATES[name]().fit(alike, TARGETS.assign(mean=0.7)).predict(alike)
    np.testing.assert_allclose(prediction.mean, 0.7, atol=0.02)


def test_a_damaged_file_is_refused_with_a_remedy(fitted: Surrogate) -> None:
    text = fitted.to_json()
    content = json.loads(text)
    damaged = [
        text[: len(text) // 2],
        "[]",
        json.dumps({"weights": [1, 2]}),
        json.dumps(content | {"version": 1}),
        json.dumps(content | {"kind": "oracle"}),
        json.dumps(content | {"calibration": {}}),
        json.dumps(content | {"ranges": "wide"}),
        json.dumps(content | {"content": {}}),
        json.dumps({name: value for name, value in content.items() if name != "columns"}),
        json.dumps(content | {"content": {name: {} for name in content["content"]}}),
    ]
    for bad in damaged:
        with pytest.raises(ValueError, match=r"surrogate|version"):
            read_surrogate(bad)
