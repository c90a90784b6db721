"""A chip's fingerprint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analognas.simulator.chip.spec import ChipSpec

# Hashed whether they are given or not.
GEOMETRY = ("cores", "rows", "columns", "cells_per_weight", "area_mm2")
CONVERTERS = ("dac_bits", "adc_bits", "clock_GHz")
PERFORMANCE = (
    "peak_TOPS",
    "mvm_latency_ns",
    "chip_mvm_energy_uJ",
    "core_mvm_energy_nJ",
    "efficiency_TOPS_per_W",
    "density_TOPS_per_mm2",
)
# Hashed where they are given.
DIGITAL = (
    "operation_pJ",
    "operations_per_ns",
    "multiplication_pJ",
    "multiplications_per_ns",
)
MORE_PERFORMANCE = ("bits", "conversion_ns", "energies", "energy_scale")


def chip_hash(chip: ChipSpec) -> str:
    """Twelve hex digits that change with every number that a placement or a cost depends on.

    Names, sources and figures that only describe the chip are not hashed. What is left at its
    default is not hashed either, so that a new kind of figure changes no hash of a chip without it.
    """
    content: list[Any] = [
        [_numbers(chip.geometry, GEOMETRY), _numbers(chip.converters, CONVERTERS)],
        chip.default_read_mode,
    ]
    content[0].append({name: _numbers(p, PERFORMANCE) for name, p in chip.performance.items()})
    more = _more(chip)
    if more:
        content.append(more)
    canonical = json.dumps(content, sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def _more(chip: ChipSpec) -> dict[str, Any]:
    digital, links, buffers = chip.digital, chip.links, chip.buffers
    parts: dict[str, Any] = {
        "adcs_per_core": chip.adcs_per_core if chip.adcs_per_core < chip.columns else None,
        "gates_unused": chip.gates_unused or None,
        "packed": chip.packed or None,
        "read_voltage_V": _numbers(chip.converters, ("read_voltage_V",))["read_voltage_V"],
        "performance": _given(
            {name: _given(_numbers(p, MORE_PERFORMANCE)) for name, p in chip.performance.items()}
        ),
        "links": links and _given(_numbers(links, ("bit_pJ",))),
        "buffers": buffers and _given(_numbers(buffers, ("bit_pJ",))),
        "areas": chip.areas and _given(chip.areas.by_component_mm2),
        "power": chip.power and _numbers(chip.power, ("standby_uW",)),
    }
    if digital is not None:
        costs = _given(_numbers(digital, DIGITAL))
        parts["digital"] = costs and {**costs, "on_chip": sorted(digital.on_chip.value)}
    return _given(parts)


def _numbers(record: Any, names: Iterable[str]) -> dict[str, Any]:
    """Some figures of a record without their sources; None for those that are not given."""
    values = asdict(record)
    return {name: _number(values[name]) for name in names}


def _number(value: Any) -> Any:
    if isinstance(value, dict):
        if "trust" in value:
            return value["value"]
        return {key: _number(item) for key, item in value.items()}
    return value


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, {})}
