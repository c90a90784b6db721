"""Hardware that a network meets besides the one it was trained for: a Latin hypercube of variants.

A network that is trained once can be programmed onto chips with other converters, other tiles,
noisier cells or another compensation. Its accuracy there is what a surrogate has to learn if it is
to answer questions about hardware that nobody simulated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

import numpy as np
from scipy.stats import qmc

from analognas.simulator import Hardware
from analognas.simulator.devices import PcmHermes

# Bounds of the sampled settings; scales are relative to the nominal hardware.
BITS = (4, 5, 6, 7, 8)
OUTPUT_BOUNDS = (2.5, 10.0)
TILE_ROWS = (128, 256, 512, 1024)
SCALES = (0.5, 2.0)
CELLS_PER_POLARITY: tuple[Literal[1, 2], ...] = (1, 2)
COMPENSATIONS = ("none", "gdc", "gdc", "adabs")  # one that occurs twice is twice as frequent
IR_DROP_SHARE = 0.4  # of the variants have wires with resistance
IR_DROP_STRENGTHS = (1.0, 10.0)

# In this order the axes of the hypercube are read.
AXES = (
    "dac_bits",
    "adc_bits",
    "output_bound",
    "tile_rows",
    "programming_noise_scale",
    "read_noise_scale",
    "drift_scale",
    "cells_per_polarity",
    "compensation",
    "ir_drop",
)
ADABS = "-adabs"

T = TypeVar("T")


@dataclass(frozen=True)
class HardwareVariant:
    """Hardware with its way of compensating drift.

    Args:
        hardware: What is simulated.
        recalibrated: Whether the batch norms are calibrated anew on the aged chip (AdaBS) at every
            time that is measured.
    """

    hardware: Hardware
    recalibrated: bool = False

    @property
    def id(self) -> str:
        """Hash of everything that changes a result."""
        return self.hardware.hash + (ADABS if self.recalibrated else "")

    def to_dict(self) -> dict[str, Any]:
        return {
            "variant": self.id,
            "hardware": self.hardware.name,
            "hardware_hash": self.hardware.hash,
            "recalibrated": self.recalibrated,
            "hardware_toml": self.hardware.to_toml(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> HardwareVariant:
        """Read back `to_dict()`; a ValueError names what is wrong with foreign data."""
        variant = cls(Hardware.parse_toml(str(data["hardware_toml"])), bool(data["recalibrated"]))
        if variant.id != data["variant"]:
            raise ValueError(
                f"The id of a hardware variant must follow from its settings, but {data['variant']}"
                f" holds the settings of {variant.id}. The record was changed, or was made by "
                "another version; make the labels again."
            )
        return variant


def sample_variants(nominal: Hardware, count: int, seed: int) -> tuple[HardwareVariant, ...]:
    """Draw `count` variants of the nominal hardware as a Latin hypercube.

    Args:
        nominal: Hardware with cells of the 64-core chip, the middle of the scales.
        count: At least 1.
        seed: Of the hypercube.

    Raises:
        ValueError: The cells have no settings of this kind.
    """
    if not isinstance(nominal.device, PcmHermes):
        raise ValueError(
            "Hardware must have cells of the kind 'pcm_hermes' to be varied, but those of "
            f"{nominal.name} are {nominal.device.kind!r}. Ask for no variants."
        )
    points = qmc.LatinHypercube(d=len(AXES), rng=np.random.default_rng(seed)).random(count)
    return tuple(
        _variant(nominal, nominal.device, dict(zip(AXES, p, strict=True)), index)
        for index, p in enumerate(points.tolist())
    )


def assign_variants(
    keys: Sequence[str], variants: int, per_network: int, seed: int
) -> dict[str, tuple[int, ...]]:
    """Deal variants out to networks: each gets `per_network` different ones, all equally often.

    Args:
        keys: Of the networks.
        variants: How many there are; a multiple of `per_network`.
        per_network: At least 1.
        seed: Of the dealing.

    Returns:
        Indices in ascending order for every key. Neighbours in the order of the keys share a
        shuffled pack, so that every variant is met equally often up to one network.
    """
    hands = variants // per_network
    dealt = {}
    for place, key in enumerate(sorted(keys)):
        pack, hand = divmod(place, hands)
        order = np.random.default_rng((seed, pack)).permutation(variants)
        chosen = order[hand * per_network : (hand + 1) * per_network]
        dealt[key] = tuple(sorted(int(index) for index in chosen))
    return dealt


def _variant(
    nominal: Hardware, device: PcmHermes, point: Mapping[str, float], index: int
) -> HardwareVariant:
    compensation = _choose(COMPENSATIONS, point["compensation"])
    read_scale = _log_between(SCALES, point["read_noise_scale"])
    with_wires = point["ir_drop"] < IR_DROP_SHARE
    hardware = replace(
        nominal,
        name=f"{nominal.name}, variant {index}",
        device=replace(
            device,
            cells_per_polarity=_choose(CELLS_PER_POLARITY, point["cells_per_polarity"]),
            programming_noise_scale=_scaled(
                device.programming_noise_scale, point["programming_noise_scale"]
            ),
            drift_scale=_scaled(device.drift_scale, point["drift_scale"]),
            read_noise_scale=_round(device.read_noise_scale * read_scale),
        ),
        weight_read_noise=_round(nominal.weight_read_noise * read_scale),
        converters=replace(
            nominal.converters,
            dac_bits=_choose(BITS, point["dac_bits"]),
            adc_bits=_choose(BITS, point["adc_bits"]),
            output_bound=_log_between(OUTPUT_BOUNDS, point["output_bound"]),
        ),
        tile=replace(nominal.tile, rows=_choose(TILE_ROWS, point["tile_rows"])),
        compensation="gdc" if compensation == "gdc" else "none",
        ir_drop=replace(
            nominal.ir_drop,
            strength=_log_between(IR_DROP_STRENGTHS, point["ir_drop"] / IR_DROP_SHARE)
            if with_wires
            else 0.0,
        ),
    )
    return HardwareVariant(hardware, recalibrated=compensation == "adabs")


def _choose(values: Sequence[T], share: float) -> T:
    return values[min(int(share * len(values)), len(values) - 1)]


def _scaled(value: float, share: float) -> float:
    return _round(value * _log_between(SCALES, share))


def _log_between(bounds: tuple[float, float], share: float) -> float:
    low, high = bounds
    return _round(low * (high / low) ** share)


def _round(value: float) -> float:
    """Four significant digits: files stay readable, and hashes do not hang on the last bit."""
    return float(f"{value:.4g}")
