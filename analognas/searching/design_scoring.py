"""What limits, costs and features say of designs; a plain network is one on plain hardware."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log10
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from analognas.exploring.chip_variants import cells_of
from analognas.hardware_features import hardware_features
from analognas.limits import fits_limits
from analognas.searching.designs import Design, as_design
from analognas.shapes import place_architecture
from analognas.simulator.chip import Cost, estimate_cost
from analognas.surrogate_features import architecture_features, join_hardware
from analognas.surrogates.feature_table import with_times

if TYPE_CHECKING:
    from analognas.search_spaces import Architecture, SearchSpace
    from analognas.searching.workshop import Made, Workshop
    from analognas.tasks import Limits


def kept_digital(space: SearchSpace, design: Design) -> tuple[str, ...]:
    """Names of the layers of a design that are on no crossbar."""
    if design.choice.digital_layers is None:
        return ()
    return design.choice.kept_digital([layer.name for layer in space.layers(design.arch)])


def design_fits(
    space: SearchSpace, limits: Limits, workshop: Workshop, max_energy_nJ: float | None = None
) -> Callable[[Architecture | Design], bool]:
    """Whether a network keeps the limits on its own chip, its digital layers left out."""

    def fits(network: Architecture | Design) -> bool:
        design = as_design(network)
        return fits_limits(
            space,
            design.arch,
            limits,
            workshop.made(design.choice).chip,
            max_energy_nJ=max_energy_nJ,
            keep_digital=kept_digital(space, design),
        )

    return fits


def design_cost(space: SearchSpace, workshop: Workshop, network: Architecture | Design) -> Cost:
    """Modelled cost of a network on its own chip."""
    design = as_design(network)
    chip = workshop.made(design.choice).chip
    kept = kept_digital(space, design)
    return estimate_cost(place_architecture(space, design.arch, chip, keep_digital=kept), chip)


def design_rows(
    space: SearchSpace,
    workshop: Workshop,
    networks: Sequence[Architecture | Design],
    times_s: Sequence[float],
) -> pd.DataFrame:
    """What a surrogate sees of networks, each on hardware of its own, at every time.

    Layers that are kept digital are left out of the columns of the tiles, and so of those that sum
    errors over layers.

    Returns:
        One row per network and time, the times of a network being neighbours.
    """
    designs = [as_design(network) for network in networks]
    features = _on_tiles(space, workshop, designs)
    made: dict[str, tuple[int, Made]] = {}
    places = []
    for design in designs:
        one = workshop.made(design.choice)
        place, _ = made.setdefault(one.hardware.hash, (len(made), one))
        places.append(place)
    described = pd.concat([hardware_features(one.hardware, times_s) for _, one in made.values()])
    steps = np.arange(len(times_s))
    at = (np.array(places, dtype=int)[:, None] * len(times_s) + steps).ravel()
    return join_hardware(with_times(features, times_s), described.iloc[at])


def design_features(
    space: SearchSpace, workshop: Workshop, networks: Sequence[Architecture | Design]
) -> pd.DataFrame:
    """Features of networks for strategies that learn while they search, one row per network.

    Designs have columns for what was chosen about their hardware, beside those of the network.
    """
    designs = [as_design(network) for network in networks]
    features = _on_tiles(space, workshop, designs)
    if not any(isinstance(network, Design) for network in networks):
        return features
    return features.join(
        pd.DataFrame([_numbers(workshop, design) for design in designs], index=features.index)
    )


def _on_tiles(space: SearchSpace, workshop: Workshop, designs: Sequence[Design]) -> pd.DataFrame:
    """Networks, and how their analog layers lie on the cores; no choice changes their size."""
    features = architecture_features(
        space,
        [design.arch for design in designs],
        workshop.chip,
        keep_digital=[kept_digital(space, design) for design in designs],
    )
    return features.set_axis(pd.Index([design.key for design in designs], name="key"))


def _numbers(workshop: Workshop, design: Design) -> dict[str, float]:
    """What was chosen about the hardware; read modes as the bits and the energy of a read."""
    made, choice = workshop.made(design.choice), design.choice
    mode = made.chip.read_mode()
    return {
        "first_layer_digital": float(choice.digital_layers in ("first", "both")),
        "last_layer_digital": float(choice.digital_layers in ("last", "both")),
        "devices": float(choice.devices or cells_of(workshop.chip)),
        "adc_bits": float(made.hardware.converters.adc_bits or 0),
        "dac_bits": float(made.hardware.converters.dac_bits or 0),
        "log10_read_nJ": log10(mode.energy_nJ_per_mvm),
        "training_noise": made.noise,
    }
