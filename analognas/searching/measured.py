"""What a trained network turned out to be worth: the objectives of an evaluation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from analognas.records import Evaluation
from analognas.searching.objectives import TIMES_S, Objective
from analognas.searching.scoring import Scores, service_life_s


def measured_scores(evaluation: Evaluation, min_accuracy: float | None = None) -> Scores:
    """Every objective of a trained network, as it was simulated.

    The names are those of predictions. Here the service life is that of the mean over the simulated
    chips, and the yield is counted: the share of them that are accurate enough.

    Args:
        evaluation: With accuracies at all times of TIMES_S.
        min_accuracy: Which accuracy is enough, for service life and yield; None leaves them out.
    """
    analog, cost = evaluation.analog, evaluation.cost
    place = {word: analog.times_s.index(t_s) for word, t_s in TIMES_S.items()}
    mean, low = analog.mean(), analog.low()
    scores = {f"accuracy@{word}": mean[t] for word, t in place.items()}
    scores |= {f"accuracy-low@{word}": low[t] for word, t in place.items()}
    scores |= {
        "accuracy-worst": min(mean),
        "drop": mean[place["1s"]] - mean[place["1month"]],
        "energy": cost.energy_nJ,
        "latency": cost.latency_us,
        "cores": float(cost.cores),
        "area": cost.area_mm2,
        "parameters": float(evaluation.parameters),
    }
    if min_accuracy is not None:
        in_order = np.array([[mean[t] for t in place.values()]])
        scores["service-life"] = float(service_life_s(in_order, min_accuracy)[0])
        for word, t in place.items():
            enough = [accuracy >= min_accuracy for accuracy in analog.accuracy[t]]
            scores[f"yield@{word}"] = sum(enough) / len(enough)
    return scores


def simulated(objective: Objective) -> Objective:
    """The objective under the origin that it has once a network is trained and measured."""
    return replace(objective, origin="simulated") if objective.origin == "predicted" else objective
