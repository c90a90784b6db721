"""The error of one matrix on analog tiles, for synthetic weights and inputs.

The measure is that of Rasch et al., Nat. Commun. 14, 5282 (2023): the mean over inputs of
`|y - y_0| / |y_0|`, y_0 being the exact product. A tile of their standard model has about 15 %.
"""

from collections.abc import Sequence
from dataclasses import dataclass as plain_dataclass
from itertools import groupby
from statistics import fmean, stdev
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Lt
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from analognas.simulator.convert import program, set_time, to_analog
from analognas.simulator.hardware import Hardware
from analognas.simulator.layers import AnalogLayer, AnalogModel, analog_layers
from analognas.simulator.streams import draw_root, gaussian_like, spawn_generator

INPUT_SIGMA = 1 / 3  # of the normal inputs: few are clipped


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class MvmWorkload:
    """A synthetic matrix and its inputs, all within [-1, 1].

    The defaults are the example that Rasch et al. (2023) give 13 % for, 1 s after programming.

    Args:
        rows: Inputs of the matrix; None: as many as the hardware's tiles have.
        columns: Outputs of the matrix; None: as many as the hardware's tiles have.
        vectors: Inputs that are averaged over.
        weights: Normal with `weight_sigma` and clipped, or uniform.
        weight_sigma: Of normal weights.
        inputs: Uniform; normal with a standard deviation of 1/3, clipped; or its magnitude.
        zero_fraction: Share of inputs that are 0.
        scaling: Let the hardware's "mapping" divide the weights by the largest of their column or
            tile, or take them as conductances ("none"): one weight of every column on a tile is set
            to 1 or -1, so that there is nothing left to divide by.
    """

    rows: Annotated[int, Ge(1)] | None = None
    columns: Annotated[int, Ge(1)] | None = None
    vectors: Annotated[int, Ge(1)] = 200
    weights: Literal["normal", "uniform"] = "normal"
    weight_sigma: Annotated[float, Gt(0)] = 0.246
    inputs: Literal["uniform", "normal", "half_normal"] = "uniform"
    zero_fraction: Annotated[float, Ge(0), Lt(1)] = 0.5
    scaling: Literal["mapping", "none"] = "mapping"


@plain_dataclass(frozen=True)
class MvmError:
    """Mean over inputs of the relative error, on one chip at one time."""

    t_s: float
    chip: int
    error: float


@plain_dataclass(frozen=True)
class ErrorSummary:
    """Errors at one time over chips; the spread is the sample standard deviation, 0 for one."""

    t_s: float
    mean: float
    spread: float
    chips: int


def mvm_error(
    hardware: Hardware,
    *,
    times_s: Sequence[float] = (1.0,),
    chips: int = 10,
    workload: MvmWorkload | None = None,
    generator: torch.Generator,
) -> tuple[MvmError, ...]:
    """Measure the error of a synthetic matrix on simulated chips.

    Args:
        hardware: All effects.
        times_s: Seconds after programming.
        chips: How many are programmed; all hold the same weights and see the same inputs.
        workload: Weights and inputs.
        generator: Advanced once; weights, inputs and chips derive from that draw, on its device.

    Returns:
        One record per time and chip, times varying slowest.

    Raises:
        ValueError: A time is negative, or one that the cells say nothing about.
    """
    return error_from_root(
        hardware,
        times_s=times_s,
        chips=chips,
        workload=workload or MvmWorkload(),
        root=draw_root(generator),
        device=generator.device,
    )


def error_from_root(
    hardware: Hardware,
    *,
    times_s: Sequence[float],
    chips: int,
    workload: MvmWorkload,
    root: int,
    device: torch.device,
) -> tuple[MvmError, ...]:
    """Like `mvm_error`: with the same `root`, other hardware meets the same random numbers."""

    def stream(*path: str) -> torch.Generator:
        return spawn_generator(root, *path, device=device)

    analog, layer = _twin(hardware, workload, device)
    weight = _draw_weights(layer, workload, stream("weights"))
    layer.weight.data.copy_(weight)
    x = _draw_inputs(layer, workload, stream("inputs"))
    errors: list[MvmError] = []
    with torch.no_grad():
        exact = nn.functional.linear(x, weight)
        program(analog, chips=chips, generator=stream("chips"))
        for t_s in times_s:
            set_time(analog, t_s=t_s, generator=stream("time", repr(t_s)))
            # Vectors of zeros have nothing that an error could be relative to.
            error = relative_error(analog(x), exact).nanmean(dim=-1)
            errors += [MvmError(t_s, chip, value) for chip, value in enumerate(error.tolist())]
    return tuple(errors)


def summarise(errors: Sequence[MvmError]) -> tuple[ErrorSummary, ...]:
    """Mean and spread over chips, one summary per time."""
    summaries = []
    for t_s, records in groupby(errors, key=lambda record: record.t_s):
        values = [record.error for record in records]
        spread = stdev(values) if len(values) > 1 else 0.0
        summaries.append(ErrorSummary(t_s, fmean(values), spread, len(values)))
    return tuple(summaries)


def relative_error(y: Tensor, exact: Tensor) -> Tensor:
    """`|y - y_0| / |y_0|` over the last axis, in double precision; NaN where y_0 is 0."""
    exact = exact.double()
    norm: Tensor = torch.linalg.vector_norm(exact, dim=-1)
    difference: Tensor = torch.linalg.vector_norm(y.double() - exact, dim=-1)
    return difference / torch.where(norm > 0, norm, torch.nan)


def _twin(
    hardware: Hardware, workload: MvmWorkload, device: torch.device
) -> tuple[AnalogModel, AnalogLayer]:
    rows = workload.rows or hardware.tile.rows
    columns = workload.columns or hardware.tile.columns
    analog = to_analog(nn.Linear(rows, columns, bias=False).to(device), hardware)
    ((_, layer),) = analog_layers(analog)
    layer.input_range.data.fill_(1.0)
    return analog, layer


def _draw_weights(layer: AnalogLayer, workload: MvmWorkload, generator: torch.Generator) -> Tensor:
    weight = torch.empty_like(layer.weight.data)
    if workload.weights == "normal":
        weight.normal_(0.0, workload.weight_sigma, generator=generator).clamp_(-1, 1)
    else:
        weight.uniform_(-1, 1, generator=generator)
    if workload.scaling == "none":
        for tile in layer.crossbar_tiles():
            block = tile.block
            first = weight[block.column_start : block.column_stop, block.row_start]
            first.copy_(torch.where(first >= 0, 1.0, -1.0))
    return weight


def _draw_inputs(layer: AnalogLayer, workload: MvmWorkload, generator: torch.Generator) -> Tensor:
    x = layer.weight.data.new_empty(workload.vectors, layer.weight.shape[1])
    if workload.inputs == "uniform":
        x.uniform_(-1, 1, generator=generator)
    else:
        x = gaussian_like(x, generator=generator).mul_(INPUT_SIGMA).clamp_(-1, 1)
        x = x.abs_() if workload.inputs == "half_normal" else x
    kept = torch.empty_like(x).uniform_(0, 1, generator=generator) >= workload.zero_fraction
    return x * kept
