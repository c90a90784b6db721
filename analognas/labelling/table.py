"""From the journal of a label run to the label set that surrogates are fitted on."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analognas.errors import UserError
from analognas.labelling.folder import DoneJob, LabelFolder
from analognas.records import EVALUATION_TIMES_S, ONE_DAY_S, Evaluation
from analognas.surrogates.label_table import LabelTable


def write_label_set(folder: LabelFolder, target: Path | None = None) -> Path:
    """Write `labels.parquet`, the table of networks and `card.md` from the finished jobs.

    The rows depend on the results alone, not on the order in which they came.

    Returns:
        The folder that holds the three files: `target`, or the run's own.
    """
    done = folder.done_in_order()
    if not done:
        raise UserError(
            f"{folder.path} holds no finished label yet. Run `analognas label` to make some."
        )
    target = target or folder.path
    make_label_table(done, folder.settings, planned=len(folder.jobs)).write(target)
    return target


def make_label_table(
    done: Sequence[DoneJob], settings: Mapping[str, Any], *, planned: int
) -> LabelTable:
    """Put finished jobs into the two tables of a label set."""
    evaluations = [entry.evaluation for entry in done]
    labels = pd.concat([_label_rows(evaluation) for evaluation in evaluations])
    networks = pd.DataFrame(
        [_network_row(evaluation, str(settings["data_name"])) for evaluation in evaluations]
    )
    return LabelTable(
        labels=labels.sort_values(["key", "seed", "chip", "t_s"], ignore_index=True),
        networks=networks.sort_values(["key", "seed"], ignore_index=True),
        card=describe_label_set(done, settings, planned=planned),
    )


def _label_rows(evaluation: Evaluation) -> pd.DataFrame:
    accuracy = np.asarray(evaluation.analog.accuracy, dtype=np.float64)  # (T, chips)
    times, chips = accuracy.shape
    return pd.DataFrame(
        {
            "key": evaluation.key,
            "seed": evaluation.seed,
            "chip": np.tile(np.arange(chips), times),
            "t_s": np.repeat(np.asarray(evaluation.analog.times_s, dtype=np.float64), chips),
            "accuracy": accuracy.reshape(-1),
        }
    )


def _network_row(evaluation: Evaluation, data_name: str) -> dict[str, Any]:
    return {
        "key": evaluation.key,
        "seed": evaluation.seed,
        "architecture": json.dumps(evaluation.architecture),
        "digital_accuracy": evaluation.digital_accuracy,
        "parameters": evaluation.parameters,
        "multiplications": evaluation.multiplications,
        "cores": evaluation.cost.cores,
        "energy_nJ": evaluation.cost.energy_nJ,
        "latency_us": evaluation.cost.latency_us,
        "training_seconds": evaluation.training_seconds,
        "evaluation_seconds": evaluation.evaluation_seconds,
        "hardware": evaluation.hardware,
        "hardware_hash": evaluation.hardware_hash,
        "simulator_version": evaluation.simulator_version,
        "task": evaluation.task,
        "data_name": data_name,
        "data_key": evaluation.data_key,
        "split": evaluation.split,
        "part": evaluation.part,
        "chips": evaluation.analog.chips,
        "recipe": json.dumps(evaluation.training),
    }


def describe_label_set(
    done: Sequence[DoneJob], settings: Mapping[str, Any], *, planned: int
) -> str:
    """Write the data card: what the labels are, how they were made, what they cost."""
    evaluations = [entry.evaluation for entry in done]
    first = evaluations[0]
    seeds: dict[str, list[int]] = {}
    for evaluation in evaluations:
        seeds.setdefault(evaluation.key, []).append(evaluation.seed)
    repeated = [key for key, used in seeds.items() if len(used) > 1]
    times = {t_s: name for name, t_s in EVALUATION_TIMES_S.items()}
    one_day = [e.analog.at(ONE_DAY_S) for e in evaluations if ONE_DAY_S in e.analog.times_s]
    kept = [entry for entry in done if entry.weights is not None]
    lines = [
        f"# Accuracy under analog noise: {settings.get('title', first.task)}",
        "",
        "Simulated, not measured on a chip: each row of `labels.parquet` is the accuracy of one "
        "trained network on one simulated chip at one time after programming.",
        "",
        "## Data",
        f"- task `{first.task}`, data `{settings['data_name']}` (key `{first.data_key}`), split "
        f"`{first.split}`",
        f"- trained on the training part, judged on the **{first.part}** part; the test part was "
        "not looked at",
        "",
        "## Networks",
        f"- {len(seeds)} networks from the space `{settings.get('space')}`, sampled with seed "
        f"{settings.get('seed')}, stratified over the logarithms of parameters and multiplications",
        f"- {len(repeated)} of them trained under {max(map(len, seeds.values()))} seeds, one from "
        "each class of size, chosen by key and not by result",
        f"- {min(e.parameters for e in evaluations):,} to "
        f"{max(e.parameters for e in evaluations):,} parameters, "
        f"{min(e.multiplications for e in evaluations):,} to "
        f"{max(e.multiplications for e in evaluations):,} multiplications",
        *_describe_gaps(evaluations, planned),
        "",
        "## Measurement",
        f"- hardware `{first.hardware}` (hash `{first.hardware_hash}`), simulator version "
        f"{first.simulator_version}",
        f"- {first.analog.chips} simulated chips per trained network, at "
        + ", ".join(times.get(t_s, f"{t_s:g} s") for t_s in first.analog.times_s)
        + f" after programming; the low value of a network is {_low_name(first)} over its chips",
        f"- training recipe: `{json.dumps(first.training)}`",
        "- weights are rounded to float16 before they are measured",
        *_describe_range(one_day),
        "",
        "## Weights",
        f"- float16 weights of {len(kept)} trainings are kept outside the package, so that the "
        "labels can be computed again when the physics is refined, without training",
        "",
        "## Cost",
        f"- training {_seconds([e.training_seconds for e in evaluations])}",
        f"- measurement {_seconds([e.evaluation_seconds for e in evaluations])}",
        f"- on one thread per network, device {settings.get('device', 'cpu')}, "
        f"Python {platform.python_version()}",
        "",
        "## Made with",
        "```",
        str(settings.get("command", "analognas label")),
        "```",
    ]
    if settings.get("source"):
        lines[3:3] = ["", f"Re-evaluated, not retrained: weights of `{settings['source']}`."]
    return "\n".join(lines) + "\n"


def _describe_gaps(evaluations: Sequence[Evaluation], planned: int) -> list[str]:
    missing = planned - len(evaluations)
    return [f"- {missing} of {planned} planned trainings are missing"] if missing else []


def _describe_range(one_day: Sequence[float]) -> list[str]:
    if not one_day:
        return []
    low, middle, high = np.quantile(one_day, (0.0, 0.5, 1.0))
    return [f"- mean accuracy after one day: {low:.3f} to {high:.3f}, median {middle:.3f}"]


def _low_name(evaluation: Evaluation) -> str:
    return evaluation.analog.low_name


def _seconds(seconds: Sequence[float]) -> str:
    return (
        f"{sum(seconds):,.0f} s in total, {np.mean(seconds):.1f} s per label on average, "
        f"{max(seconds):.1f} s at most"
    )
