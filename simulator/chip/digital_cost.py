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
    costs = []
    for step in steps:
        if step.kind not in on_chip:
            costs.append(DigitalCost(step.name, step.kind, step.operations, "off chip", None, 0.0))
            continue
        each_nJ, rate = _of_an_operation(step.kind, chip, actions)
        costs.append(
            DigitalCost(
                name=step.name,
                kind=step.kind,
                operations=step.operations,
                where="on chip",
                energy_nJ=step.operations * each_nJ or None,
                latency_us=0.0 if rate is None else step.operations / rate * 1e-3,
            )
        )
    return tuple(costs)


def _of_an_operation(kind: str, chip: ChipSpec, actions: Actions) -> tuple[float, float | None]:
    """Energy in nJ, and how many are done in a ns; None if they take no time."""
    digital = chip.digital
    if digital is None:
        return actions.operation_nJ, None
    energy, rate = None, digital.operations_per_ns
    if kind == "matrix":
        energy, rate = digital.multiplication_pJ, digital.multiplications_per_ns or rate
    each_nJ = actions.operation_nJ if energy is None else energy.value * 1e-3
    return each_nJ, None if rate is None else rate.value


def sums_elsewhere(layer: str, sums: int, chip: ChipSpec) -> list[DigitalWork]:
    """The additions of a layer's partial sums, if the chip is said not to do them itself."""
    if not sums or chip.digital is None or "aggregation" in chip.digital.on_chip.value:
        return []
    return [DigitalWork(f"{layer}: partial sums", "aggregation", sums)]
