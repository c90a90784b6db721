"""What a search can decide about the hardware: names as they are typed, genes, titles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from analognas.errors import UserError, lookup

ALL = "all"
PREFIX = "hardware."  # of genes, beside those of the network
DIGITAL_LAYERS, DEVICES, ADC_BITS, READ_MODE, NOISE = (
    "hardware.digital-layers",
    "hardware.devices",
    "hardware.adc-bits",
    "hardware.read-mode",
    "hardware.noise",
)
# In this order they are searched and shown.
TITLES: Mapping[str, str] = MappingProxyType(
    {
        DIGITAL_LAYERS: "layers kept digital",
        DEVICES: "devices per polarity",
        ADC_BITS: "ADC bits",
        READ_MODE: "read mode",
        NOISE: "training noise (x recipe)",
    }
)
NAMES = tuple(gene.removeprefix(PREFIX) for gene in TITLES)


def check_names(names: Sequence[str]) -> None:
    """Refuse names that do not exist, `all` beside others, and repetitions."""
    for name in names:
        lookup(dict.fromkeys([ALL, *NAMES]), name, "hardware to search")
    if len(set(names)) < len(names) or (ALL in names and len(names) > 1):
        raise UserError(
            "`search_hardware` must be all, or some of "
            f"{', '.join(NAMES)}, each once, but got {', '.join(names)}."
        )


def shown(codes: Mapping[str, Any]) -> dict[str, int | str]:
    """What a genotype says of the hardware, by the titles of the genes; empty if nothing."""
    return {title: codes[gene] for gene, title in TITLES.items() if gene in codes}


def in_words(codes: Mapping[str, Any]) -> str:
    """The same in one short line, for tables that must be narrow."""
    words = []
    if DIGITAL_LAYERS in codes:
        words.append(f"{codes[DIGITAL_LAYERS]} digital")
    if DEVICES in codes:
        words.append(f"{codes[DEVICES]} device{'s' * (codes[DEVICES] != 1)}")
    if ADC_BITS in codes:
        words.append(f"{codes[ADC_BITS]}-bit ADC")
    if READ_MODE in codes:
        words.append(f"{codes[READ_MODE]} reads")
    if NOISE in codes:
        words.append(f"noise x{codes[NOISE]}")
    return ", ".join(words)
