"""Fit the energies of a chip to the published efficiency of a network on it."""

from dataclasses import replace

from analognas.simulator.chip.cost import estimate_cost
from analognas.simulator.chip.figures import Quantity
from analognas.simulator.chip.placement import Placement
from analognas.simulator.chip.spec import ChipSpec


def network_efficiency_TOPS_per_W(
    placement: Placement, chip: ChipSpec, read_mode: str | None = None
) -> float:
    """Useful operations of an inference per energy: two per weight and multiplication.

    Zeros between groups, bias and digital work are no operations here.

    Raises:
        ValueError: If the placement does not belong on this chip or costs nothing.
    """
    energy_nJ = estimate_cost(placement, chip, read_mode).energy_nJ
    if not energy_nJ:
        raise ValueError("The network must have a layer on the chip, but it has none.")
    operations = 2 * sum(layer.weights * layer.mvms for layer in placement.layers)
    return operations / energy_nJ * 1e-3  # per nJ to tera per J


def fit_energy_scale(
    placement: Placement, chip: ChipSpec, read_mode: str, *, efficiency_TOPS_per_W: float
) -> float:
    """Find the `energy_scale` of a read mode with which a network has this efficiency.

    Raises:
        ValueError: If the read mode gives the energy of a whole core, which is not scaled.
    """
    figures = chip.performance[chip.read_mode(read_mode).name]
    if figures.energies is None:
        raise ValueError(
            f"Read mode {read_mode!r} of chip {chip.name!r} must give the energies of components, "
            "so that they can be scaled, but it gives that of a whole core."
        )
    present = 1.0 if figures.energy_scale is None else figures.energy_scale.value
    model = network_efficiency_TOPS_per_W(placement, chip, read_mode)
    return present * model / efficiency_TOPS_per_W


def with_energy_scale(chip: ChipSpec, read_mode: str, scale: float, *, source: str) -> ChipSpec:
    """Return the chip with a fitted factor on the component energies of a read mode."""
    fitted = Quantity(value=scale, source=source, trust="fitted")
    figures = replace(chip.performance[read_mode], energy_scale=fitted)
    return replace(chip, performance={**chip.performance, read_mode: figures})
