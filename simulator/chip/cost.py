"""Energy, latency, throughput and area of one inference on a chip.

The blocks of a layer work in parallel on their cores, whether they hold row parts (partial sums)
or column parts of its matrix; blocks that share a core are read one after another; replicas of a
layer share its multiplications. With energy `e` and time `t` of reading a block once, and `n` reads
per inference:

    energy   = sum over blocks of  n e  + additions of partial sums + digital steps on the chip
    latency  = sum over layers of  max over cores of  sum over the layer's blocks of  n t
               + digital steps on the chip
    interval = max over cores of  sum over the core's blocks of  n t      (pipelined)
    area     = cores in use * area of a core

Scaling and adding the converters' words overlaps with the arrays; other digital steps do not.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from analognas.simulator.chip.actions import Actions
from analognas.simulator.chip.activity import ArrayActivity
from analognas.simulator.chip.cost_records import (
    Cost,
    DigitalCost,
    LayerCost,
    cost_scope,
)
from analognas.simulator.chip.digital_cost import digital_costs, sums_elsewhere
from analognas.simulator.chip.layer_reads import LayerReads, layer_reads
from analognas.simulator.chip.placement import CorePlacement, Placement
from analognas.simulator.chip.spec import ChipSpec
from analognas.simulator.mapping import LayerShape

__all__ = ["Cost", "DigitalCost", "LayerCost", "cost_scope", "estimate_cost"]


def estimate_cost(
    placement: Placement,
    chip: ChipSpec,
    read_mode: str | None = None,
    *,
    activity: Mapping[str, ArrayActivity] | None = None,
) -> Cost:
    """Model the cost of one inference.

    Args:
        placement: Made for this chip, or for one with cores of the same size.
        chip: Gives energy and latency of an MVM, and the area.
        read_mode: One of `chip.read_modes`; the default mode of the chip if not given.
        activity: Conductances and inputs of every layer by its name, for the energy of the arrays;
            without it, every weight takes the chip's `cell_fJ`.

    Raises:
        ValueError: If the read mode is unknown, the placement does not belong on this chip, or
            `activity` misses a layer or the chip does not split its energy.
    """
    mode = chip.read_mode(read_mode)
    _check_suits(placement, chip)
    actions = _actions_by_layer(placement, chip, mode.actions, activity)
    occupied = Counter[int]()  # weight positions in use of every core
    blocks: dict[str, list[CorePlacement]] = {shape.name: [] for shape in placement.layers}
    for placed in placement.cores:
        blocks[placed.layer].append(placed)
        occupied[placed.core] += placed.block.rows * placed.block.columns
    layers: list[LayerCost] = []
    components: dict[str, dict[str, float]] = {}
    passes = Counter[int]()  # of every core per inference
    steps = list(placement.digital)
    for shape in placement.layers:
        reads = layer_reads(shape, blocks[shape.name])
        layer_passes = reads.passes(mode.actions)
        for core, count in layer_passes.items():
            passes[core] += count
        components[shape.name] = energies_nJ = reads.energies_nJ(actions[shape.name])
        busiest_ns = max(layer_passes.values()) * mode.actions.conversion_ns
        layers.append(_layer_cost(shape, reads, energies_nJ, busiest_ns * 1e-3, chip, occupied))
        steps += sums_elsewhere(shape.name, reads.sums, chip)
    digital = digital_costs(steps, chip, mode.actions)
    digital_nJ = sum(step.energy_nJ or 0.0 for step in digital)
    interval_us = max(passes.values(), default=0) * mode.actions.conversion_ns * 1e-3
    return Cost(
        chip=chip.name,
        read_mode=mode.name,
        energy_nJ=sum(layer.energy_nJ for layer in layers) + digital_nJ,
        latency_us=sum(layer.latency_us for layer in layers)
        + sum(step.latency_us for step in digital),
        area_mm2=placement.used_cores * chip.area_mm2_per_core,
        utilisation_fraction=placement.utilisation_fraction,
        cores=placement.used_cores,
        chip_area_mm2=chip.area_mm2,
        layers=tuple(layers),
        digital=digital,
        components_nJ=_sum_up([*components.values(), {"digital": digital_nJ}]),
        layer_components_nJ=components,
        interval_us=max([interval_us, *(step.latency_us for step in digital)]),
        standby_uW=None if chip.power is None else chip.power.standby_uW.value,
        scope=cost_scope(chip, mode.name),
    )


def _layer_cost(
    shape: LayerShape,
    reads: LayerReads,
    energies_nJ: Mapping[str, float],
    latency_us: float,
    chip: ChipSpec,
    occupied: Mapping[int, int],
) -> LayerCost:
    cores = len({placed.core for placed in reads.blocks})
    shares = sum(
        placed.block.rows * placed.block.columns / occupied[placed.core] for placed in reads.blocks
    )
    return LayerCost(
        layer=shape.name,
        rows=shape.rows,
        columns=shape.columns,
        cores=cores,
        mvms=shape.mvms,
        energy_nJ=sum(energies_nJ.values()),
        latency_us=latency_us,
        area_mm2=shares * chip.area_mm2_per_core,
        utilisation_fraction=reads.replicas * shape.weights / (cores * chip.rows * chip.columns),
        row_parts=reads.row_parts,
    )


def _check_suits(placement: Placement, chip: ChipSpec) -> None:
    if (
        placement.rows != chip.rows
        or placement.columns != chip.columns
        or placement.used_cores > chip.cores
    ):
        raise ValueError(
            f"The placement must suit chip {chip.name!r} with {chip.cores} cores of {chip.rows} x "
            f"{chip.columns}, but it uses {placement.used_cores} cores of {placement.rows} x "
            f"{placement.columns}. Place the network on this chip first."
        )


def _actions_by_layer(
    placement: Placement,
    chip: ChipSpec,
    actions: Actions,
    activity: Mapping[str, ArrayActivity] | None,
) -> dict[str, Actions]:
    """The actions of every layer; with `activity`, its weights take an energy of their own."""
    if activity is None:
        return dict.fromkeys((shape.name for shape in placement.layers), actions)
    voltage = chip.converters.read_voltage_V
    if voltage is None or actions.core_nJ:
        raise ValueError(
            f"Chip {chip.name!r} must split the energy of its cores and give "
            "converters.read_voltage_V, so that the energy of an array can follow its activity; "
            "it does not. Leave `activity` out or complete the chip file."
        )
    missing = [shape.name for shape in placement.layers if shape.name not in activity]
    if missing:
        raise ValueError(f"`activity` must have every layer, but these are missing: {missing}.")
    return {
        shape.name: replace(
            actions,
            cell_nJ=activity[shape.name].cell_nJ(
                read_voltage_V=voltage.value, t_ns=actions.conversion_ns
            ),
        )
        for shape in placement.layers
    }


def _sum_up(parts: list[dict[str, float]]) -> dict[str, float]:
    """Energies of all parts by component; what is free is left out."""
    total: dict[str, float] = {}
    for part in parts:
        for component, energy_nJ in part.items():
            if energy_nJ:
                total[component] = total.get(component, 0.0) + energy_nJ
    return total
