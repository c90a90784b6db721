"""What a network may cost at most: parameters, multiplications, cores and energy.

The limits are checked when a candidate is made, so that nothing that breaks them is ever scored.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analognas.shapes import layer_shapes, place_architecture
from analognas.simulator.chip import ChipSpec, count_cores, estimate_cost

if TYPE_CHECKING:
    from analognas.search_spaces import Architecture, SearchSpace
    from analognas.tasks import Limits


@dataclass(frozen=True)
class Usage:
    """What a network takes of one limited resource."""

    resource: str  # name of the limit, "max_cores" for example
    unit: str
    used: float
    limit: float

    @property
    def excess(self) -> float:
        """How often the limit is used up; above 1 it is broken."""
        return self.used / self.limit if self.limit > 0 else math.inf


def fits_limits(
    space: SearchSpace,
    arch: Architecture,
    limits: Limits,
    chip: ChipSpec,
    *,
    max_energy_nJ: float | None = None,
    keep_digital: Collection[str] = (),
) -> bool:
    """Tell whether a network keeps every limit, the number of cores of the chip among them.

    The cheap limits are looked at first; energy, which needs a placement, last. Layers that are
    kept digital take no cores.
    """
    if space.parameters(arch) > limits.max_parameters:
        return False
    if space.multiplications(arch) > limits.max_multiplications:
        return False
    if _cores(space, arch, chip, keep_digital) > min(limits.max_cores, chip.cores):
        return False
    if max_energy_nJ is None:
        return True
    return _energy_nJ(space, arch, chip, keep_digital) <= max_energy_nJ


def _cores(
    space: SearchSpace, arch: Architecture, chip: ChipSpec, keep_digital: Collection[str] = ()
) -> int:
    """Cores that a network needs; if its weights alone are too many, those that they would fill."""
    shapes = [shape for shape in layer_shapes(space, arch) if shape.name not in keep_digital]
    filled = -(-sum(shape.weights for shape in shapes) // (chip.rows * chip.columns))
    if chip.packed and filled > chip.cores:
        return filled  # packing thousands of blocks takes long and changes nothing
    return count_cores(shapes, chip.rows, chip.columns, packed=chip.packed)


def _energy_nJ(
    space: SearchSpace, arch: Architecture, chip: ChipSpec, keep_digital: Collection[str] = ()
) -> float:
    placement = place_architecture(space, arch, chip, keep_digital=keep_digital)
    return estimate_cost(placement, chip).energy_nJ


def make_fits(
    space: SearchSpace,
    limits: Limits,
    chip: ChipSpec,
    max_energy_nJ: float | None = None,
) -> Callable[[Architecture], bool]:
    """Bind the limits of a run, in the form that `space.sample` and `space.decode` take."""

    def fits(arch: Architecture) -> bool:
        return fits_limits(space, arch, limits, chip, max_energy_nJ=max_energy_nJ)

    return fits


def usages(
    space: SearchSpace,
    arch: Architecture,
    limits: Limits,
    chip: ChipSpec,
    *,
    max_energy_nJ: float | None = None,
) -> tuple[Usage, ...]:
    """List what a network takes of every limited resource, whether it fits or not."""
    cores = _cores(space, arch, chip)
    used = [
        Usage("max_parameters", "parameters", float(space.parameters(arch)), limits.max_parameters),
        Usage(
            "max_multiplications",
            "multiplications",
            float(space.multiplications(arch)),
            limits.max_multiplications,
        ),
        Usage("max_cores", "cores", float(cores), limits.max_cores)
        if limits.max_cores <= chip.cores
        else Usage("cores of the chip", "cores", float(cores), chip.cores),
    ]
    if max_energy_nJ is not None:
        # A network that the chip cannot hold has no energy on it.
        energy_nJ = _energy_nJ(space, arch, chip) if cores <= chip.cores else math.inf
        used.append(Usage("max_energy_nJ", "nJ per inference", energy_nJ, max_energy_nJ))
    return tuple(used)


def tightest_limit(
    space: SearchSpace,
    limits: Limits,
    chip: ChipSpec,
    *,
    rng: np.random.Generator,
    max_energy_nJ: float | None = None,
    samples: int = 200,
) -> str:
    """Explain limits that no network keeps: the tightest one and the nearest feasible value.

    Random genotypes are shrunk by the space's own decoder as far as they go. Of the networks on
    which many of these ways end, the one whose worst excess is smallest is the nearest miss: with
    the limits relaxed to it, a search finds its way from nearly everywhere.

    Returns:
        One sentence or two for an error message.
    """
    seen: dict[str, tuple[Usage, ...]] = {}
    visits: Counter[str] = Counter()

    def refuse(arch: Architecture) -> bool:
        if arch.key not in seen:
            seen[arch.key] = usages(space, arch, limits, chip, max_energy_nJ=max_energy_nJ)
        visits[arch.key] += 1
        return False

    for _ in range(samples):
        space.decode(space.random_codes(rng), fits=refuse)
    if any(all(usage.used <= usage.limit for usage in used) for used in seen.values()):
        return f"The limits can be kept: {len(seen)} networks were tried and at least one fits."
    often = [used for key, used in seen.items() if visits[key] >= samples / 10]
    nearest = min(
        often or list(seen.values()),
        key=lambda used: (
            max(usage.excess for usage in used),
            sum(max(usage.excess, 1.0) for usage in used),
        ),
    )
    worst, *others = sorted(
        (usage for usage in nearest if usage.used > usage.limit),
        key=lambda usage: usage.excess,
        reverse=True,
    )
    message = (
        f"No network of the space keeps the limits ({len(seen)} small ones tried). The tightest is "
        f"`{worst.resource} = {worst.limit:.10g}`: the nearest network takes {_ceil(worst.used)} "
        f"{worst.unit}, so `{worst.resource}` must be at least {_ceil(worst.used)}"
    )
    for usage in others:
        message += f", and `{usage.resource}` (now {usage.limit:.10g}) at least {_ceil(usage.used)}"
    return message + "."


def _ceil(value: float) -> str:
    """Round up to a value that is feasible when typed in: whole units, or four digits below 100."""
    if not math.isfinite(value):
        return "more than the chip has"
    if value >= 100 or value == round(value):
        return str(math.ceil(value))
    return f"{math.ceil(value * 1e4) / 1e4:g}"
