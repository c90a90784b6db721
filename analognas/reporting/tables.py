"""The networks of a run as tables; every column says what kind of number it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analognas.deployment.bundle import Bundle
from analognas.records import ONE_DAY_S
from analognas.reporting.wording import time_name

PREDICTED = "1 day (predicted)"

NETWORK_FORMATS: Mapping[str, str] = {
    "digital": ".4f",
    PREDICTED: ".4f",
    "sd at 1 day": ".4f",
    **{f"{time} (simulated)": ".4f" for time in ("1 s", "1 hour", "1 day", "1 month", "1 year")},
}


def network_columns(bundles: Sequence[Bundle]) -> tuple[str, ...]:
    """Names of the columns of `network_rows`."""
    times = bundles[0].evaluation.analog.times_s if bundles else ()
    return (
        "network",
        "key",
        "parameters",
        "cores",
        "energy nJ (modelled)",
        "latency us (modelled)",
        "digital",
        *(f"{time_name(t_s)} (simulated)" for t_s in times),
        "sd at 1 day",
        PREDICTED,
    )


def network_rows(bundles: Sequence[Bundle]) -> list[list[object]]:
    """One row a network: size, modelled cost, and its accuracies as fractions."""
    rows: list[list[object]] = []
    for bundle in bundles:
        evaluation, analog = bundle.evaluation, bundle.evaluation.analog
        said = bundle.origin.predicted_at(ONE_DAY_S)
        rows.append(
            [
                bundle.title,
                bundle.key,
                evaluation.parameters,
                evaluation.cost.cores,
                evaluation.cost.energy_nJ,
                evaluation.cost.latency_us,
                evaluation.digital_accuracy,
                *analog.mean(),
                analog.spread()[analog.times_s.index(ONE_DAY_S)],
                said.mean if said else None,
            ]
        )
    return rows


def accuracy_columns(bundle: Bundle) -> tuple[str, ...]:
    """Names of the columns of `accuracy_rows`."""
    low = bundle.evaluation.analog.low_name
    return ("time", "mean (simulated)", "sd", f"{low} (simulated)", "predicted")


def accuracy_rows(bundle: Bundle) -> list[list[object]]:
    """One row a time: the simulated accuracy of a network and the predicted one."""
    analog = bundle.evaluation.analog
    rows: list[list[object]] = []
    for t_s, mean, sd, low in zip(
        analog.times_s, analog.mean(), analog.spread(), analog.low(), strict=True
    ):
        said = bundle.origin.predicted_at(t_s)
        rows.append([time_name(t_s), mean, sd, low, said.mean if said else None])
    return rows
