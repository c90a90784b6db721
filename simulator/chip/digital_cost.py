"""Where the digital steps of a network are done on a chip, and what they take."""

from collections.abc import Iterable

from analognas.simulator.chip.actions import Actions
from analognas.simulator.chip.cost_records import DigitalCost
from analognas.simulator.chip.digital_work import DigitalWork
from analognas.simulator.chip.spec import ChipSpec


def digital_costs(
    steps: Iterable[DigitalWork], chip: ChipSpec, actions: Actions
) -> tuple[DigitalCost, ...]:
    """Give every step its place; only what is done on the chip takes its energy and time."""
    digital = chip.digital
    on_chip = frozenset(digital.on_chip.value if digital is not None else ())
    rate = None if digital is None else digital.operations_per_ns
    costs = []
    for step in steps:
        if step.kind not in on_chip:
            costs.append(DigitalCost(step.name, step.kind, step.operations, "off chip", None, 0.0))
            continue
        costs.append(
            DigitalCost(
                name=step.name,
                kind=step.kind,
                operations=step.operations,
                where="on chip",
                energy_nJ=step.operations * actions.operation_nJ or None,
                latency_us=0.0 if rate is None else step.operations / rate.value * 1e-3,
            )
        )
    return tuple(costs)


def sums_elsewhere(layer: str, sums: int, chip: ChipSpec) -> list[DigitalWork]:
    """The additions of a layer's partial sums, if the chip is said not to do them itself."""
    if not sums or chip.digital is None or "aggregation" in chip.digital.on_chip.value:
        return []
    return [DigitalWork(f"{layer}: partial sums", "aggregation", sums)]
