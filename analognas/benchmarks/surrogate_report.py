"""Everything that the page on the surrogate says: scores, adaptation, speed."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from analognas import __version__
from analognas.simulator import Hardware
from analognas.surrogate_adapting import AdaptationScore, judge_adaptation
from analognas.surrogate_fitting import label_features, read_labels
from analognas.surrogates import SurrogateEvaluation, XGBoostSurrogate

MANY_ROWS = 100_000


@dataclass(frozen=True, kw_only=True)
class SurrogateSpeed:
    """Measured on one thread."""

    rows: int  # of the labels
    fit_seconds: float  # calibration included
    many_rows: int  # the same labels again and again, as if of further networks
    many_fit_seconds: float
    predictions_per_second: float  # features apart


@dataclass(frozen=True, kw_only=True, eq=False)
class SurrogateReport:
    """What the page says."""

    labels: str
    command: str
    facts: Mapping[str, str]
    evaluation: SurrogateEvaluation
    adaptation: Mapping[str, Sequence[AdaptationScore]]  # by label set
    speed: SurrogateSpeed


def make_report(
    labels: str,
    evaluation: SurrogateEvaluation,
    adapt_to: Sequence[str],
    *,
    hardware: Hardware | None,
    command: str,
) -> SurrogateReport:
    """Measure adaptation and speed, and put everything together."""
    table = read_labels(labels)
    features, targets = label_features(table, hardware), table.targets()
    started = time.perf_counter()
    fitted = XGBoostSurrogate().fit(features, targets)
    seconds = time.perf_counter() - started
    return SurrogateReport(
        labels=labels,
        command=command,
        facts={
            "labels": table.description().summary(),
            "rows": f"{len(targets):,} of network, hardware and time; {len(features.columns)} "
            f"features; networks cut into five parts, cuts: {evaluation.seeds}",
            "versions": f"analognas {__version__}, Python {platform.python_version()}",
            "processor": f"{platform.machine()}, 1 thread",
        },
        evaluation=evaluation,
        adaptation={name: judge_adaptation(fitted, read_labels(name)) for name in adapt_to},
        speed=_measure_speed(fitted, features, targets, seconds),
    )


def _measure_speed(
    fitted: XGBoostSurrogate, features: pd.DataFrame, targets: pd.DataFrame, seconds: float
) -> SurrogateSpeed:
    started = time.perf_counter()
    fitted.predict(features)
    predicting = time.perf_counter() - started
    copies = -(-MANY_ROWS // len(targets))
    many = pd.concat([features] * copies, ignore_index=True)[:MANY_ROWS]
    names = [targets.assign(key=targets["key"] + f"/{copy}") for copy in range(copies)]
    started = time.perf_counter()
    XGBoostSurrogate().fit(many, pd.concat(names, ignore_index=True)[:MANY_ROWS])
    return SurrogateSpeed(
        rows=len(targets),
        fit_seconds=seconds,
        many_rows=len(many),
        many_fit_seconds=time.perf_counter() - started,
        predictions_per_second=len(features) / predicting,
    )
