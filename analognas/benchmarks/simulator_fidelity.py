"""Measure whether the simulator does what the papers say: effect by effect, and all in all."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean

import numpy as np
import torch

from analognas import __version__
from analognas.benchmarks import aihwkit
from analognas.benchmarks.fidelity.aihwkit_network import NetworkAccuracy, compare_networks
from analognas.benchmarks.fidelity.aihwkit_tile import aihwkit_tile_errors, has_effects
from analognas.benchmarks.fidelity.cells import CELLS
from analognas.benchmarks.fidelity.constants import constants
from analognas.benchmarks.fidelity.laws import DAY_S, YEAR_S
from analognas.benchmarks.fidelity.reads import READS
from analognas.benchmarks.fidelity.report import (
    EVERYTHING,
    FidelityReport,
    TileError,
    to_json,
    to_markdown,
)
from analognas.benchmarks.fidelity.tile import ALL, Switches, tile_errors
from analognas.benchmarks.fidelity.trial import Check, Measure, Trial, mean_and_error
from analognas.benchmarks.running import command_of
from analognas.errors import UserError
from analognas.files import write_text
from analognas.simulator import SIMULATOR_VERSION, spawn_generator
from analognas.simulator.analysis import EFFECTS, MvmWorkload, mvm_error, only_effects
from analognas.simulator.presets import STANDARD_AIMC
from analognas.training import Progress

TIMES_S: Mapping[str, float] = {"1 s": 1.0, "1 h": 3600.0, "1 day": DAY_S, "1 year": YEAR_S}

# Effects of the standard model by their names here, and the same in the NumPy implementation.
GROUPS: Mapping[str, tuple[tuple[str, ...], Switches]] = {
    "DAC, ADC, output noise": (
        ("DAC", "ADC", "output noise"),
        Switches(converters=True, output_noise=True),
    ),
    "IR drop": (("IR drop",), Switches(ir_drop=True)),
    "read noise": (("read noise",), Switches(read_noise=True)),
    "all of a read": (
        ("DAC", "ADC", "output noise", "IR drop", "read noise"),
        replace(ALL, programming=False, drift=False, read_1f=False),
    ),
    "programming": (("programming",), Switches(programming=True)),
    "drift": (("ageing",), Switches(drift=True)),
    "1/f noise": (("1/f noise",), Switches(read_1f=True)),
    "all of the cells": (
        ("programming", "ageing", "1/f noise"),
        Switches(programming=True, drift=True, read_1f=True),
    ),
    EVERYTHING: (tuple(EFFECTS), ALL),
}
CHANGING = ("drift", "1/f noise", "all of the cells")  # with time; measured at two


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How much is drawn."""

    draws: int  # of every law
    tiles: int  # of different weights and inputs, at least 2
    chips: int  # per tile
    networks: int  # chips of the trained network, at least 2


FULL = Effort(draws=1_000_000, tiles=5, chips=10, networks=100)
QUICK = Effort(draws=20_000, tiles=2, chips=1, networks=2)


@dataclass(frozen=True, kw_only=True)
class FidelityConfig:
    """What to measure; `out` is the page that will be written, if any."""

    effort: Effort = FULL
    seed: int = 0
    out: Path | None = None

    @property
    def command(self) -> str:
        """What to type to measure the same again."""
        options: list[str] = ["bench", "fidelity"]
        if self.effort == QUICK:
            options += ["--quick"]
        if self.seed:
            options += ["--seed", str(self.seed)]
        if self.out is not None:
            options += ["--out", str(self.out)]
        return command_of(options)


def run_fidelity(config: FidelityConfig, progress: Progress | None = None) -> FidelityReport:
    """Measure everything.

    Raises:
        UserError: `out` is not a page.
    """
    if config.out is not None and config.out.suffix != ".md":
        raise UserError(f"`--out` must name a page that ends in .md, but got {config.out}.")
    effort = config.effort
    pieces: list[Piece] = [
        *_check_pieces(config.seed, effort.draws),
        *_tile_pieces(config),
        ("a trained network", partial(_networks, config)),
    ]
    found: list[Check | TileError | NetworkAccuracy] = []
    for done, (message, measure) in enumerate(pieces):
        _tell(progress, done, len(pieces), message)
        found += measure()
    _tell(progress, len(pieces), len(pieces), "")
    return FidelityReport(
        command=config.command,
        facts={
            "versions": f"analognas {__version__}, simulator {SIMULATOR_VERSION}, torch "
            f"{torch.__version__}, numpy {np.__version__}, Python {platform.python_version()}",
            "seed": str(config.seed),
            "laws": f"{effort.draws:,} draws each",
            "tiles": f"{effort.tiles} matrices of 512 x 512 with inputs of their own, "
            f"{effort.chips} chips each in the simulator, one in NumPy",
            "hardware": f"{STANDARD_AIMC.name} ({STANDARD_AIMC.hash})",
            "AIHWKIT": aihwkit.described(),
        },
        checks=tuple(one for one in found if isinstance(one, Check)),
        constants=tuple(constants()),
        tiles=tuple(one for one in found if isinstance(one, TileError)),
        networks=tuple(one for one in found if isinstance(one, NetworkAccuracy)),
    )


def write_page(report: FidelityReport, out: Path) -> Path:
    """Write the page and the JSON file beside it; return the latter's place."""
    data = out.with_suffix(".json")
    write_text(out, to_markdown(report, data_file=data.name))
    write_text(data, json.dumps(to_json(report), indent=2, allow_nan=False) + "\n")
    return data


Piece = tuple[
    str, Callable[[], Sequence[Check | TileError | NetworkAccuracy]]
]  # what is being done


def _check_pieces(seed: int, draws: int) -> Iterator[Piece]:
    """One effect after the other.

    Reads are measured twice: in double precision through torch, in single precision through the
    compiled kernels.
    """
    for effect, measure in CELLS.items():
        yield effect, partial(_listed, measure, Trial(seed, draws), effect)
    for effect, measure in READS.items():
        for dtype, name in ((torch.float64, "float64"), (torch.float32, "float32")):
            full = f"{effect}, {name}"
            yield full, partial(_listed, measure, Trial(seed, draws, dtype), full)


def _listed(measure: Measure, trial: Trial, effect: str) -> list[Check]:
    return list(measure(trial, effect))


@dataclass(frozen=True)
class _Comparison:
    """A group of effects, on tiles of one kind of weights."""

    effects: str
    scaled: bool
    times: tuple[str, ...]

    @property
    def weights(self) -> str:
        return "columns scaled" if self.scaled else "as conductances"


def _tile_pieces(config: FidelityConfig) -> Iterator[Piece]:
    """The standard model, all in all and by effect."""
    comparisons = [_Comparison(EVERYTHING, scaled, tuple(TIMES_S)) for scaled in (False, True)]
    for group in GROUPS:
        if group != EVERYTHING:
            times = ("1 s", "1 year") if group in CHANGING else ("1 s",)
            comparisons.append(_Comparison(group, False, times))
    for one in comparisons:
        yield f"{one.effects}, {one.weights}", partial(_compare, one, config)


def _compare(one: _Comparison, config: FidelityConfig) -> list[TileError]:
    """Error of the same tiles in the simulator, in the NumPy implementation and in AIHWKIT."""
    effort, times_s = config.effort, tuple(TIMES_S[name] for name in one.times)
    kept, switches = GROUPS[one.effects]
    ours, theirs, ibms, remapped = [], [], [], []  # per tile, one value per time
    for tile in range(effort.tiles):
        errors = mvm_error(
            only_effects(STANDARD_AIMC, kept),
            times_s=times_s,
            chips=effort.chips,
            workload=MvmWorkload(scaling="mapping" if one.scaled else "none"),
            generator=spawn_generator(config.seed, "fidelity tile", tile),
        )
        ours.append([fmean(e.error for e in errors if e.t_s == t_s) for t_s in times_s])
        rng = np.random.default_rng([config.seed, tile, list(GROUPS).index(one.effects)])
        theirs.append(tile_errors(switches, times_s, scaled=one.scaled, rng=rng))
        if has_effects(switches):
            ibms.append(aihwkit_tile_errors(switches, times_s, scaled=one.scaled, rng=rng))
            remapped.append(
                tile_errors(switches, times_s, scaled=one.scaled, rng=rng, remapped=True)
            )
    found = []
    for index, time in enumerate(one.times):
        simulator, reference = (
            mean_and_error([row[index] for row in rows]) for rows in (ours, theirs)
        )
        ibm, explained = (
            mean_and_error([row[index] for row in rows]) if rows else (None, None)
            for rows in (ibms, remapped)
        )
        found.append(
            TileError(
                effects=one.effects,
                weights=one.weights,
                time=time,
                simulator=simulator[0],
                simulator_error=simulator[1],
                reference=reference[0],
                reference_error=reference[1],
                aihwkit=ibm[0],
                aihwkit_error=ibm[1],
                remapped=explained[0],
                remapped_error=explained[1],
            )
        )
    return found


def _networks(config: FidelityConfig) -> list[NetworkAccuracy]:
    return compare_networks(TIMES_S, chips=config.effort.networks, seed=config.seed)


def _tell(progress: Progress | None, done: int, total: int, message: str) -> None:
    if progress is not None:
        progress(done, total, message)
