"""Gradient-descent programming: correct cells by the error of products with random inputs.

Gradient-descent-based programming of analog cores (Buechel et al., J. Emerg. Sel. Topics Circuits
Syst., 2023, known here from its abstract and patent claims): run the product on the core, compare
it with the exact one, and change the cells so that the difference shrinks; single cells are never
read. Step sizes and pulses were not published; those here are our own.

The start is open-loop: a few SET pulses. Then every round estimates the errors of all weights
(`error_estimate`) and corrects those outside of a dead zone (`pulse_choice`).
"""

from dataclasses import dataclass as plain_dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le
from pydantic import ConfigDict, model_validator
from pydantic.dataclasses import dataclass
from torch import Tensor

from analognas.simulator.programming.cells import CellArray
from analognas.simulator.programming.core import Core
from analognas.simulator.programming.error_estimate import Estimator, Evidence
from analognas.simulator.programming.pulse_choice import Pulses, choose_pulses, pairs_of
from analognas.simulator.programming.pulse_law import PulsedPcm, open_loop_pulses
from analognas.simulator.streams import NoiseStream

MOST_START_PULSES = 14
SHRINKING_ROUNDS = 0.5  # share of the rounds after which the dead zone stays as it is


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class GradientDescent:
    """All weights of a core at once, by the error of its products.

    Lengths are in units of the largest target of a device.

    Args:
        cell: The pulsed device.
        iterations: Rounds of products and pulses at most.
        vectors: Random inputs of a round; at least four per row are used.
        dead_zone_start: Errors within it get no pulse in the first round.
        dead_zone_end: The same from half of the rounds on; between them it shrinks evenly.
        reset_above: A weight that is off by more than this is corrected by a RESET of the cell that
            holds too much, if it has ever been set, and otherwise by a SET of the opposite cell.
        start_fraction: Share of its target that a cell aims at with the first SET pulses, which
            come without reading; the rest is approached from below, round by round.
        pulses_per_cell: Pulses of all kinds that a cell may take on average, the first RESET
            included; where they run short the largest errors come first. `None`: no limit.
        whiten: Estimate errors by least squares instead of the plain gradient.
        affine: In the end, fit a gain and an offset to every column, for the digital output.
            (Fitted in every round they run away: nothing else holds the scale of a column.)
    """

    name: Literal["gdp"] = "gdp"
    cell: PulsedPcm = PulsedPcm()
    iterations: Annotated[int, Ge(1)] = 30
    vectors: Annotated[int, Ge(1)] = 2048
    dead_zone_start: Annotated[float, Gt(0)] = 0.07
    dead_zone_end: Annotated[float, Gt(0)] = 0.07
    reset_above: Annotated[float, Gt(0)] = 0.3
    start_fraction: Annotated[float, Ge(0), Le(1)] = 0.7
    pulses_per_cell: Annotated[float, Gt(0)] | None = None
    whiten: bool = True
    affine: bool = False

    @model_validator(mode="after")
    def _zone_shrinks(self) -> "GradientDescent":
        if self.dead_zone_end > self.dead_zone_start:
            raise ValueError(
                "`dead_zone_end <= dead_zone_start` must hold, but got dead_zone_end="
                f"{self.dead_zone_end} and dead_zone_start={self.dead_zone_start}. Coarse errors "
                "are corrected first: exchange them."
            )
        return self


@plain_dataclass(frozen=True)
class DescentOutcome:
    """How gradient descent ended.

    Args:
        error: `(C, R)`, the last estimate of the weights' errors, normalised.
        gain: `(C,)` for the digital outputs; 1 without `affine`.
        offset: `(C,)`, normalised, added after the gain; 0 without `affine`.
        converged_fraction: Share of the weights whose estimate is within the last dead zone.
        mvms: Products.
        iterations: Rounds used.
    """

    error: Tensor
    gain: Tensor
    offset: Tensor
    converged_fraction: float
    mvms: int
    iterations: int


def descend_(
    cells: CellArray,
    weight: Tensor,
    g_target_uS: Tensor,
    core: Core,
    method: GradientDescent,
    *,
    root: int,
) -> DescentOutcome:
    """Write `weight` `(C, R)` to a RESET array in place.

    Args:
        cells: Devices, in the state of after a RESET.
        weight: Normalised targets.
        g_target_uS: `(D, C, R)`, where the start aims at.
        core: DAC, wires, noise and ADC.
        method: Schedule.
        root: Seed of inputs and noise.

    Raises:
        ValueError: There are fewer pulses than it takes to RESET the array.
    """
    geometry = cells.geometry
    budget = None
    if method.pulses_per_cell is not None:
        budget = int(method.pulses_per_cell * g_target_uS.numel())
        if budget < cells.pulses:
            raise ValueError(
                "`pulses_per_cell` must cover the RESET of every device, "
                f"{geometry.devices} per cell, but got {method.pulses_per_cell}. Allow more."
            )
    _start_(cells, g_target_uS, method, budget)
    pairs = pairs_of(core, geometry.g_device_max_uS)
    stream = NoiseStream(root, "gdp", device=weight.device)
    estimator = Estimator(core, weight, vectors=method.vectors, whiten=method.whiten)
    evidence = Evidence(weight)
    mvms, round_ = 0, 0
    for round_ in range(1, method.iterations + 1):
        evidence.add(estimator.errors(cells.cell_uS(), stream))
        mvms += estimator.vectors
        if round_ == method.iterations:
            break
        share = min(1.0, (round_ - 1) / (SHRINKING_ROUNDS * method.iterations))
        zone = method.dead_zone_start + share * (method.dead_zone_end - method.dead_zone_start)
        left = None if budget is None else budget - cells.pulses
        pulses = choose_pulses(
            evidence.mean, cells, pairs, zone=zone, reset_above=method.reset_above, most=left
        )
        if not pulses.any:
            if zone <= method.dead_zone_end or left == 0:
                break
            continue
        cells.reset_(pulses.reset)
        cells.set_(_devices(pulses, cells, round_))
        evidence.forget(pulses.touched)
    if method.affine:
        estimator.fit_columns()
    last = method.dead_zone_end * min(pair.weight_of_device for pair in pairs)
    good = evidence.mean.abs() <= last
    return DescentOutcome(
        error=evidence.mean,
        gain=estimator.gain,
        offset=estimator.offset,
        converged_fraction=float(good.double().mean()),
        mvms=mvms,
        iterations=round_,
    )


def _start_(
    cells: CellArray, g_target_uS: Tensor, method: GradientDescent, budget: int | None
) -> None:
    """SET pulses without reading, as many as take the average device nearest to its aim."""
    geometry = cells.geometry
    share = g_target_uS * (method.start_fraction / (geometry.devices * geometry.stretch))
    wanted = open_loop_pulses(share, most=MOST_START_PULSES)
    for pulse in range(int(wanted.max())):
        chosen = (wanted > pulse)[None].expand_as(cells.pulses_since_reset)
        if budget is not None and cells.pulses + int(chosen.sum()) > budget:
            break
        cells.set_(chosen.contiguous())


def _devices(pulses: Pulses, cells: CellArray, round_: int) -> Tensor:
    """The devices of a cell take SET pulses in turn, and all at once where a weight is far off."""
    chosen = (pulses.set & pulses.far)[None].repeat(cells.geometry.devices, 1, 1, 1)
    chosen[round_ % cells.geometry.devices] |= pulses.set
    return chosen
