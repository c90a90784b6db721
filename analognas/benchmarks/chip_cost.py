"""Compare the cost model of chips with published figures, and fit and predict where it has to."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from analognas import __version__
from analognas.benchmarks.chip_figures import (
    EFFICIENCIES_TOPS_PER_W,
    KEYWORDS,
    PEAK_EFFICIENCIES,
    PERSONS,
    PRINTED,
    Printed,
    StandIn,
    keyword_stand_in,
    person_stand_in,
)
from analognas.benchmarks.running import command_of
from analognas.errors import UserError
from analognas.files import write_text
from analognas.simulator.chip import (
    ChipSpec,
    Cost,
    Placement,
    estimate_cost,
    load_chip,
    place,
)
from analognas.simulator.chip.energy_fit import (
    fit_energy_scale,
    network_efficiency_TOPS_per_W,
    with_energy_scale,
)
from analognas.simulator.chip.figures import Quantity

FITTED_CHIP = "aon-cim"
MODES: Mapping[int, str] = {8: "8-bit", 6: "6-bit", 4: "4-bit"}
MAIN_SOURCE = "IEEE Micro"  # has all three bit widths; the chip file is fitted to it
# Of the assumed energies: how far does the prediction depend on them?
VARIED = ("cell_fJ", "dac_pJ", "adc_pJ", "operation_pJ", "bit_pJ")
FACTORS = (0.5, 2.0)


@dataclass(frozen=True)
class Comparison:
    """A printed figure and what the model says."""

    printed: Printed
    model: float

    @property
    def error_fraction(self) -> float:
        return self.model / self.printed.value - 1

    @property
    def is_met(self) -> bool:
        return abs(self.model - self.printed.value) <= self.printed.tolerance


@dataclass(frozen=True)
class HeldOut:
    """Energies fitted so that one network meets its efficiency, and what the other then has."""

    source: str
    bits: int
    fitted_on: str
    predicted: str
    energy_scale: float
    published_TOPS_per_W: float  # of the predicted network
    model_TOPS_per_W: float

    @property
    def error_fraction(self) -> float:
        return self.model_TOPS_per_W / self.published_TOPS_per_W - 1


@dataclass(frozen=True)
class Sensitivity:
    """Errors of the prediction from keywords to persons if an assumption were another one."""

    assumption: str
    error_fractions: Mapping[int, float]  # by bits


@dataclass(frozen=True)
class PlacedStandIn:
    """A stand-in on the chip."""

    title: str
    placement: Placement
    costs: Mapping[int, Cost]  # by bits


@dataclass(frozen=True)
class ChipCostReport:
    """Everything that was found."""

    command: str
    facts: Mapping[str, str]
    printed: tuple[Comparison, ...]
    peaks: tuple[Comparison, ...]
    held_out: tuple[HeldOut, ...]
    sensitivities: tuple[Sensitivity, ...]
    stand_ins: tuple[PlacedStandIn, ...]

    @property
    def failures(self) -> list[str]:
        """Figures that follow from the inputs of the model and yet do not."""
        return [
            f"{one.printed.chip} {one.printed.read_mode} {one.printed.quantity}"
            for one in self.printed
            if not one.is_met
        ]


def run_chip_cost(out: Path | None = None) -> ChipCostReport:
    """Compare, fit and predict.

    Args:
        out: The page that will be written, if any.

    Raises:
        UserError: `out` is not a page.
    """
    if out is not None and out.suffix != ".md":
        raise UserError(f"`--out` must name a page that ends in .md, but got {out}.")
    chip = load_chip(FITTED_CHIP)
    nets = {one.task: one for one in (keyword_stand_in(), person_stand_in())}
    placements = {task: _placed(one, chip) for task, one in nets.items()}
    fitted = chip
    for bits, efficiency in EFFICIENCIES_TOPS_PER_W[MAIN_SOURCE][KEYWORDS].items():
        fitted = _fitted(fitted, placements[KEYWORDS], bits, efficiency)
    return ChipCostReport(
        command=command_of(["bench", "chip", *(["--out", str(out)] if out else [])]),
        facts={
            "versions": f"analognas {__version__}, torch {torch.__version__}, "
            f"Python {platform.python_version()}",
            "chips": f"hermes ({load_chip('hermes').hash}), {FITTED_CHIP} ({chip.hash})",
        },
        printed=tuple(_compare(one, load_chip(one.chip)) for one in PRINTED),
        peaks=tuple(_compare(one, fitted) for one in PEAK_EFFICIENCIES),
        held_out=tuple(hold_out(chip, placements)),
        sensitivities=tuple(_sensitivities(chip, placements)),
        stand_ins=tuple(
            PlacedStandIn(
                nets[task].title,
                placement,
                {bits: estimate_cost(placement, fitted, mode) for bits, mode in MODES.items()},
            )
            for task, placement in placements.items()
        ),
    )


def hold_out(chip: ChipSpec, placements: Mapping[str, Placement]) -> Iterator[HeldOut]:
    """Fit the energies on each network by bits and source, and predict the other one."""
    for source, published in EFFICIENCIES_TOPS_PER_W.items():
        for fitted_on, predicted in ((KEYWORDS, PERSONS), (PERSONS, KEYWORDS)):
            for bits, efficiency in published[fitted_on].items():
                fitted = _fitted(chip, placements[fitted_on], bits, efficiency)
                mode = MODES[bits]
                scale = fitted.performance[mode].energy_scale
                assert scale is not None  # just fitted
                yield HeldOut(
                    source=source,
                    bits=bits,
                    fitted_on=fitted_on,
                    predicted=predicted,
                    energy_scale=scale.value,
                    published_TOPS_per_W=published[predicted][bits],
                    model_TOPS_per_W=network_efficiency_TOPS_per_W(
                        placements[predicted], fitted, mode
                    ),
                )


def write_page(report: ChipCostReport, out: Path) -> Path:
    """Write the page and the JSON file beside it; return the latter's place."""
    from analognas.benchmarks.chip_cost_tables import to_json, to_markdown

    data = out.with_suffix(".json")
    write_text(out, to_markdown(report, data_file=data.name))
    write_text(data, json.dumps(to_json(report), indent=2, allow_nan=False) + "\n")
    return data


def _placed(stand_in: StandIn, chip: ChipSpec) -> Placement:
    return place(stand_in.network, stand_in.input_shape, chip)


def _fitted(chip: ChipSpec, placement: Placement, bits: int, efficiency: float) -> ChipSpec:
    mode = MODES[bits]
    scale = fit_energy_scale(placement, chip, mode, efficiency_TOPS_per_W=efficiency)
    return with_energy_scale(chip, mode, scale, source=f"{efficiency} TOPS/W")


def _compare(printed: Printed, chip: ChipSpec) -> Comparison:
    return Comparison(printed, float(getattr(chip.read_modes[printed.read_mode], printed.quantity)))


def _sensitivities(chip: ChipSpec, placements: Mapping[str, Placement]) -> Iterator[Sensitivity]:
    yield _sensitivity("as assumed", chip, placements)
    smaller = {**placements, PERSONS: _placed(person_stand_in(64), chip)}
    yield _sensitivity("images of 64 x 64 pixels", chip, smaller)
    for name in VARIED:
        for factor in FACTORS:
            varied = _varied(chip, name, factor)
            yield _sensitivity(f"{name} x {factor:g}", varied, placements)


def _sensitivity(
    assumption: str, chip: ChipSpec, placements: Mapping[str, Placement]
) -> Sensitivity:
    found = hold_out(chip, placements)
    mine = [one for one in found if one.source == MAIN_SOURCE and one.fitted_on == KEYWORDS]
    return Sensitivity(assumption, {one.bits: one.error_fraction for one in mine})


def _varied(chip: ChipSpec, name: str, factor: float) -> ChipSpec:
    """The chip with one of its assumed energies multiplied, in all read modes."""
    assert chip.digital is not None  # of the chip of this benchmark
    assert chip.buffers is not None
    if name == "operation_pJ":
        return replace(chip, digital=_times(chip.digital, name, factor))
    if name == "bit_pJ":
        return replace(chip, buffers=_times(chip.buffers, name, factor))
    performance = {
        mode: replace(figures, energies=_times(figures.energies, name, factor))
        for mode, figures in chip.performance.items()
    }
    return replace(chip, performance=performance)


def _times(record: Any, name: str, factor: float) -> Any:  # Any: of several tables
    """The table of a chip file with one figure multiplied."""
    figure: Quantity = getattr(record, name)
    changed = replace(figure, value=factor * figure.value)
    return replace(record, **{name: changed})
