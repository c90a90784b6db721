"""From the journal of a label run to the label set that surrogates are fitted on."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analognas.errors import UserError
from analognas.labelling.folder import DoneJob, LabelFolder
from analognas.records import EVALUATION_TIMES_S, ONE_DAY_S, AccuracyOverTime, Evaluation
from analognas.surrogates.label_checks import IDENTITY
from analognas.surrogates.label_table import LabelTable

FloatArray = NDArray[np.float64]


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
    """Put finished jobs into the tables of a label set, with its data card."""
    card = describe_label_set(done, settings, planned=planned)
    return LabelTable(**label_frames(done, settings), card=card)


def label_frames(done: Sequence[DoneJob], settings: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    """The tables of a label set by name; those of variants and curves only if there are any.

    Args:
        done: Finished jobs, at least one.
        settings: `clips`, `data_name` and, if there are variants, `hardware_variants` are used.
    """
    clips = int(settings["clips"])
    labels, networks, variants, curves = [], [], [], []
    for entry in done:
        evaluation = entry.evaluation
        name = {"key": evaluation.key, "seed": evaluation.seed}
        labels.append(_rows(name, evaluation.analog, clips))
        networks.append(_network_row(evaluation, str(settings["data_name"])))
        for measured in entry.further:
            if measured.epoch is None:
                where = {**name, "variant": measured.variant}
                variants.append(_rows(where, measured.analog, measured.clips))
            else:
                spent = {
                    "fidelity": measured.epoch / int(evaluation.training["epochs"]),
                    "training_seconds": float(measured.training_seconds or 0.0),
                }
                curves.append(_rows({**name, **spent}, measured.analog, measured.clips))
    frames = {
        "labels": _in_order(labels, "labels"),
        "networks": pd.DataFrame(networks).sort_values(["key", "seed"], ignore_index=True),
    }
    if variants:
        frames["variants"] = _in_order(variants, "variants")
        frames["hardware"] = pd.DataFrame(settings["hardware_variants"])
    if curves:
        frames["curves"] = _in_order(curves, "curves")
    return frames


def sampling_sd(accuracy: FloatArray, clips: int) -> FloatArray:
    """Standard deviation of an accuracy because only `clips` inputs were drawn to measure it.

    That of a binomial share `(right + 1) / (clips + 2)`, so that it is not zero where all answers
    are right or wrong. Networks that are judged by the same inputs share most of this error.
    """
    share = (accuracy * clips + 1.0) / (clips + 2.0)
    deviation: FloatArray = np.sqrt(share * (1.0 - share) / clips)
    return deviation


def _in_order(parts: Sequence[pd.DataFrame], table: str) -> pd.DataFrame:
    return pd.concat(parts).sort_values(list(IDENTITY[table]), ignore_index=True)


def _rows(name: Mapping[str, Any], analog: AccuracyOverTime, clips: int) -> pd.DataFrame:
    """One row per time and chip; `name` says of what, in every row the same."""
    accuracy = np.asarray(analog.accuracy, dtype=np.float64)  # (T, chips)
    times, chips = accuracy.shape
    return pd.DataFrame(
        {
            **name,
            "chip": np.tile(np.arange(chips), times),
            "t_s": np.repeat(np.asarray(analog.times_s, dtype=np.float64), chips),
            "accuracy": accuracy.reshape(-1),
            "clips": clips,
            "sampling_sd": sampling_sd(accuracy.reshape(-1), clips),
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
        "each class of size, chosen by key and not by result"
        if repeated
        else "- each of them trained once: there is no noise ceiling",
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
        *_describe_further(done, settings),
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


def _describe_further(done: Sequence[DoneJob], settings: Mapping[str, Any]) -> list[str]:
    """What `variants.parquet` and `curves.parquet` hold, if there are any."""
    measured = [further for entry in done for further in entry.further]
    if not measured:
        return []
    chips, clips = settings["variant_chips"], measured[0].clips
    lines = ["", "## Other hardware, and states on the way"]
    if any(further.epoch is None for further in measured):
        lines.append(
            f"- `variants.parquet`: the same weights, not trained again, on {settings['variants']} "
            f"of {len(settings['hardware_variants'])} variants of the hardware per network, a "
            f"Latin hypercube over converters, tiles, cells, compensation and wires "
            f"(`hardware.jsonl`), each on {chips} chips and a fixed part of {clips} of "
            f"{settings['clips']} inputs"
        )
    if any(further.epoch is not None for further in measured):
        lines.append(
            f"- `curves.parquet`: accuracy on the nominal hardware after part of the epochs, on "
            f"{chips} chips and the same inputs"
        )
    return [
        *lines,
        "- chip 0 of every variant has the same random numbers as chip 0 of the nominal hardware",
        "- `sampling_sd` is the binomial error of one value because of the number of inputs",
        f"- measurement {_seconds([sum(f.seconds for f in e.further) for e in done])}",
    ]


def _low_name(evaluation: Evaluation) -> str:
    return evaluation.analog.low_name


def _seconds(seconds: Sequence[float]) -> str:
    return (
        f"{sum(seconds):,.0f} s in total, {np.mean(seconds):.1f} s per label on average, "
        f"{max(seconds):.1f} s at most"
    )
