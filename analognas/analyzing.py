"""Take the error of analog hardware apart as a user asks for it: on a tile, or in a network."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from analognas.errors import UserError, checking
from analognas.evaluation import correct_over_time
from analognas.hardware_choice import load_hardware
from analognas.records import EVALUATION_TIMES_S
from analognas.simulator import (
    Hardware,
    analog_layers,
    over_time,
    program,
    spawn_generator,
)
from analognas.simulator.analysis import (
    ConductanceHistogram,
    EffectError,
    ErrorSummary,
    LayerError,
    LayerErrorSummary,
    MvmWorkload,
    Sensitivity,
    conductance_histogram,
    effect_budget,
    layer_errors,
    layer_sensitivity,
    mvm_error,
    summarise,
    summarise_layers,
)
from analognas.stored_network import find_stored
from analognas.training import Progress

if TYPE_CHECKING:
    from analognas.tasks import Part

# Seconds in the units of `--times`; a month is 30 days, a year 365, as in the evaluation.
UNITS_S = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0, "mo": 2_592_000.0, "y": 31_536_000.0}


@dataclass(frozen=True, kw_only=True)
class TileRequest:
    """A tile to measure, as the user names things."""

    hardware: str | None = None
    settings: tuple[str, ...] = ()
    times: str | None = None  # "1s,1h,1d"; None: the usual ones, as far as the cells are known
    chips: int = 5
    seed: int = 0
    workload: MvmWorkload = field(default_factory=MvmWorkload)


@dataclass(frozen=True)
class TileAnalysis:
    """Error of a tile over time, and by effect at the first and the last time."""

    hardware: Hardware
    workload: MvmWorkload
    chips: int
    seed: int
    errors: tuple[ErrorSummary, ...]
    budget: tuple[EffectError, ...]
    note: str


@dataclass(frozen=True, kw_only=True)
class NetworkRequest:
    """A trained network to measure, as the user names things."""

    folder: Path  # of a run, or of a bundle
    pick: str | None = None  # in a run; None: the knee
    hardware: str | None = None  # None: that of the run or bundle
    settings: tuple[str, ...] = ()
    times: str | None = None
    chips: int = 5
    inputs: int = 200
    part: str = "validation"
    sensitivity: bool = True
    data: Path | None = None
    words: str | None = None
    device: str = "auto"


@dataclass(frozen=True)
class NetworkAnalysis:
    """Errors of a network's layers over time; conductances and sensitivity at the last time."""

    title: str
    hardware: Hardware
    part: str
    inputs: int
    chips: int
    errors: tuple[LayerErrorSummary, ...]
    conductances: tuple[ConductanceHistogram, ...]
    sensitivity: Sensitivity | None
    sensitivity_t_s: float
    note: str


def analyze_tile(request: TileRequest, progress: Progress | None = None) -> TileAnalysis:
    """Measure a synthetic tile: its error over time, and which effect it comes from.

    Raises:
        UserError: The hardware, a setting or a time cannot be used.
    """
    hardware = load_hardware(request.hardware, request.settings)
    times_s, note = _choose_times(request.times, hardware)

    def tell(done: int, total: int, message: str) -> None:
        if progress is not None:
            progress(done + 1, total + 1, message)

    generator = spawn_generator(request.seed, "analyze tile")
    with checking("--times"):
        errors = mvm_error(
            hardware,
            times_s=times_s,
            chips=request.chips,
            workload=request.workload,
            generator=generator,
        )
    budget = effect_budget(
        hardware,
        times_s=tuple(dict.fromkeys([times_s[0], times_s[-1]])),
        chips=request.chips,
        workload=request.workload,
        generator=spawn_generator(request.seed, "analyze tile"),  # the same chips once more
        progress=tell,
    )
    tile = hardware.tile
    workload = replace(
        request.workload,
        rows=request.workload.rows or tile.rows,
        columns=request.workload.columns or tile.columns,
    )
    return TileAnalysis(
        hardware=hardware,
        workload=workload,
        chips=request.chips,
        seed=request.seed,
        errors=summarise(errors),
        budget=budget,
        note=note,
    )


def analyze_network(request: NetworkRequest, progress: Progress | None = None) -> NetworkAnalysis:
    """Measure the layers of a trained network on simulated chips.

    Args:
        request: Network, hardware, effort.
        progress: Told how far the work is.

    Raises:
        UserError: The folder holds no trained network, the data are not those of its training, or
            the hardware, a setting or a time cannot be used.
    """
    parts = ("validation", "test")
    if request.part not in parts:
        raise UserError(f"--part must be one of {', '.join(parts)}, but got {request.part!r}.")
    stored = find_stored(request.folder, request.pick, data=request.data, words=request.words)
    name = request.hardware or stored.hardware
    if name is None:
        evaluation = stored.bundle.evaluation
        raise UserError(
            f"The network was trained for the hardware {evaluation.hardware!r} "
            f"({evaluation.hardware_hash}), which is no preset. Give its file, or another hardware "
            "to put the network on, by --hardware."
        )
    hardware = load_hardware(name, request.settings)
    times_s, note = _choose_times(request.times, hardware)
    analog = stored.on_hardware(hardware, device=request.device)
    part = _evenly(stored.task.parts[request.part], request.inputs)
    path = (stored.bundle.evaluation.seed, stored.bundle.key)
    layers = len(list(analog_layers(analog)))
    total = len(times_s) + (2 * layers + 2 if request.sensitivity else 0)

    def tell(done: int, message: str) -> None:
        if progress is not None:
            progress(done, total, message)

    sensitivity = None
    if request.sensitivity:
        sensitivity = layer_sensitivity(
            analog,
            lambda variant: float(
                correct_over_time(
                    variant, part, chips=request.chips, path=path, times_s=times_s[-1:]
                ).mean()
            ),
            progress=lambda done, _, message: tell(done, message),
        )
    errors: list[LayerError] = []
    x = torch.from_numpy(part.inputs).to(next(analog.parameters()).device)
    program(analog, chips=request.chips, generator=spawn_generator(*path, "program"))
    lived = over_time(analog, times_s, generator=spawn_generator(*path, "analyze"))
    for index, t_s in enumerate(lived):
        tell(total - len(times_s) + index, f"layers after {t_s:g} s")
        errors += layer_errors(analog, x)
    tell(total, "")
    return NetworkAnalysis(
        title=stored.title,
        hardware=hardware,
        part=request.part,
        inputs=len(part),
        chips=request.chips,
        errors=summarise_layers(errors),
        conductances=conductance_histogram(analog),
        sensitivity=sensitivity,
        sensitivity_t_s=times_s[-1],
        note=note,
    )


def parse_times(
    text: str, option: str = "--times", example: str = "1s,1h,1d,1y"
) -> tuple[float, ...]:
    """Read "1s,1h,1d,1y" as seconds, sorted; a bare number is in seconds.

    Raises:
        UserError: A part is not a time.
    """
    times = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*([0-9.eE+-]+)\s*([a-z]*)\s*", part)
        number, unit = match.groups() if match else ("", "")
        try:
            seconds = float(number) * UNITS_S[unit or "s"]
        except (ValueError, KeyError):
            seconds = math.nan
        if not 0 <= seconds < math.inf:
            raise UserError(
                f"{option} must be times of at least 0 with a unit of {', '.join(UNITS_S)}, but "
                f"got {part.strip()!r}. For example: {option} {example}."
            )
        times.append(seconds)
    return tuple(sorted(set(times)))


def _choose_times(text: str | None, hardware: Hardware) -> tuple[tuple[float, ...], str]:
    """The times asked for, or the usual ones that the cells are known at, and a note on those."""
    device = hardware.device
    cell = torch.full((1,), device.g_max_uS)

    def check(t_s: float) -> None:
        device.aged_uS(cell, cell, t_s=t_s)

    if text is not None:
        times_s = parse_times(text)
        with checking("--times"):
            for t_s in times_s:
                check(t_s)
        return times_s, ""
    known, unknown = [], []
    for name, t_s in EVALUATION_TIMES_S.items():
        try:
            check(t_s)
            known.append(t_s)
        except ValueError:
            unknown.append(name)
    note = f"Not after {', '.join(unknown)}: the cell's model ends before." if unknown else ""
    return tuple(known), note


def _evenly(part: Part, count: int) -> Part:
    """At most `count` inputs from all over the part, which may be sorted by class."""
    chosen = np.linspace(0, len(part) - 1, min(count, len(part))).round().astype(int)
    return replace(part, inputs=part.inputs[chosen], labels=part.labels[chosen], speakers=None)
