"""Pictures of an analysis show the records as they are."""

import math
from typing import Literal

import numpy as np
import pytest

from analognas.reporting.simulator_figures import (
    plot_conductances,
    plot_effect_budget,
    plot_layer_errors,
    plot_layer_sensitivity,
    plot_mvm_error,
)
from analognas.reporting.style import to_svg
from analognas.simulator.analysis import (
    ConductanceHistogram,
    EffectError,
    ErrorSummary,
    LayerErrorSummary,
    LayerSensitivity,
    Sensitivity,
)

DAY_S = 86_400.0


def summary(mean: float, t_s: float = 1.0) -> ErrorSummary:
    return ErrorSummary(t_s, mean, 0.01, 5)


def test_a_line_per_hardware_shows_the_error_over_time() -> None:
    errors = {
        "hermes": [summary(0.1), summary(0.2, DAY_S)],
        "standard_aimc": [summary(0.12), summary(0.16, DAY_S)],
    }
    figure = plot_mvm_error(errors)
    (axes,) = figure.axes
    for line, summaries in zip(axes.lines, errors.values(), strict=True):
        assert list(np.asarray(line.get_xdata())) == [1.0, DAY_S]
        assert list(np.asarray(line.get_ydata())) == [one.mean for one in summaries]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1 s", "1 day"]
    assert "<svg" in to_svg(figure, "errors")


def test_the_time_of_the_programming_can_be_drawn() -> None:
    figure = plot_mvm_error({"hermes": [summary(0.1, 0.0), summary(0.2, 3600.0)]})
    assert figure.axes[0].get_xscale() == "symlog"
    assert "<svg" in to_svg(figure, "errors")


def test_the_budget_has_a_bar_per_effect_at_its_time() -> None:
    def record(effect: str, t_s: float, alone: float) -> EffectError:
        return EffectError(effect, t_s, summary(alone, t_s), summary(0.15, t_s), summary(0.2, t_s))

    budget = [
        record("ADC", 1.0, 0.01),
        record("DAC", 1.0, 0.02),
        record("ADC", DAY_S, 0.03),
        record("DAC", DAY_S, 0.04),
    ]
    (axes,) = plot_effect_budget(budget, t_s=DAY_S).axes
    assert [bar.get_width() for bar in axes.patches] == [0.03, 0.04]  # type: ignore[attr-defined]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["ADC", "DAC"]
    low, high = axes.get_ylim()
    assert low > high  # the first effect on top


def test_layers_have_a_line_per_time() -> None:
    def record(layer: str, t_s: float, own: float, accumulated: float | None) -> LayerErrorSummary:
        spread = None if accumulated is None else 0.0
        return LayerErrorSummary(layer, t_s, 3, own, 0.01, accumulated, spread)

    errors = [
        record("stem", 1.0, 0.1, 0.1),
        record("head", 1.0, 0.2, None),
        record("stem", DAY_S, 0.3, 0.3),
        record("head", DAY_S, 0.4, 0.5),
    ]
    (axes,) = plot_layer_errors(errors).axes
    drawn = [np.asarray(line.get_ydata(), dtype=float).tolist() for line in axes.lines]
    assert [0.1, 0.2] in drawn
    assert [0.3, 0.4] in drawn
    assert [0.3, 0.5] in drawn
    unknown = [values for values in drawn if any(map(math.isnan, values))]
    assert len(unknown) == 1
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["stem", "head"]


def test_the_sensitivity_lies_between_the_extremes() -> None:
    found = Sensitivity(
        0.80, 0.95, (LayerSensitivity("stem", 10, 0.85, 0.9), LayerSensitivity("head", 5, 0.9, 0.8))
    )
    (axes,) = plot_layer_sensitivity(found, t_s=DAY_S).axes
    drawn = [np.asarray(line.get_xdata(), dtype=float).tolist() for line in axes.lines]
    assert drawn == [[0.95, 0.95], [0.80, 0.80], [0.85, 0.9], [0.9, 0.8]]
    assert "1 day" in axes.get_xlabel()


@pytest.mark.parametrize("layers", [1, 4, 6])
def test_every_layer_has_a_histogram_of_both_states(layers: int) -> None:
    states: tuple[tuple[Literal["programmed", "aged"], float], ...] = (
        ("programmed", 0.0),
        ("aged", DAY_S),
    )
    histograms = [
        ConductanceHistogram(f"layer{i}", state, t_s, (0.0, 10.0, 20.0), (5, i + 1), 5.0, 1.0)
        for i in range(layers)
        for state, t_s in states
    ]
    figure = plot_conductances(histograms)
    shown = [axes for axes in figure.axes if axes.get_title(loc="left")]
    assert [axes.get_title(loc="left") for axes in shown] == [f"layer{i}" for i in range(layers)]
    for index, axes in enumerate(shown):
        assert [list(patch.get_data().values) for patch in axes.patches] == [[5, index + 1]] * 2  # type: ignore[attr-defined]
    assert "<svg" in to_svg(figure, "conductances")
