"""What a trained network turned out to be worth: the objectives of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analognas.records import AccuracyOverTime, Evaluation
from analognas.searching.objectives import TIMES_S
from analognas.searching.scoring import Scores, service_life_s


@dataclass(frozen=True)
class MeasuredLife:
    """How long, and on how many simulated chips, a network is accurate enough.

    Args:
        enough: The accuracy that is asked for.
        life_s: Time until the mean over the chips falls below it, in seconds, at most a year;
            between the measured times it is interpolated over the logarithm of time.
        low_life_s: Likewise for the 5 % quantile over chips (`AccuracyOverTime.low_name`).
        yields: Share of the chips that reach it, by the word for the time (TIMES_S).
    """

    enough: float
    life_s: float
    low_life_s: float
    yields: Mapping[str, float]


def measured_life(analog: AccuracyOverTime, enough: float) -> MeasuredLife:
    """Service life and yield of a network that was simulated at all times of TIMES_S."""
    order = [analog.times_s.index(t_s) for t_s in TIMES_S.values()]
    curves = np.array([analog.mean(), analog.low()])[:, order]
    life_s, low_life_s = map(float, service_life_s(curves, enough))
    yields = {
        word: sum(accuracy >= enough for accuracy in analog.accuracy[place]) / analog.chips
        for word, place in zip(TIMES_S, order, strict=True)
    }
    return MeasuredLife(enough, life_s, low_life_s, yields)


def measured_scores(evaluation: Evaluation, min_accuracy: float | None = None) -> Scores:
    """The objectives of a trained network, as it was simulated.

    The names are those of predictions. Here the service life is that of the mean over the simulated
    chips, and the yield is counted: the share of them that are accurate enough.

    Args:
        evaluation: With accuracies at times of TIMES_S. Objectives that look at a time at which
            nothing was measured are left out.
        min_accuracy: Which accuracy is enough, for service life and yield; None leaves them out.
    """
    analog, cost = evaluation.analog, evaluation.cost
    place = {
        word: analog.times_s.index(t_s) for word, t_s in TIMES_S.items() if t_s in analog.times_s
    }
    everywhere = len(place) == len(TIMES_S)
    mean, low = analog.mean(), analog.low()
    scores = {f"accuracy@{word}": mean[t] for word, t in place.items()}
    scores |= {f"accuracy-low@{word}": low[t] for word, t in place.items()}
    scores |= {
        "energy": cost.energy_nJ,
        "latency": cost.latency_us,
        "cores": float(cost.cores),
        "area": cost.area_mm2,
        "parameters": float(evaluation.parameters),
    }
    if everywhere:
        scores["accuracy-worst"] = min(mean)
    if {"1s", "1month"} <= place.keys():
        scores["drop"] = mean[place["1s"]] - mean[place["1month"]]
    if everywhere and min_accuracy is not None:
        life = measured_life(analog, min_accuracy)
        scores["service-life"] = life.life_s
        scores |= {f"yield@{word}": share for word, share in life.yields.items()}
    return scores
