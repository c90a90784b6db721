from collections.abc import Callable
from typing import Any

import pytest

from analognas.simulator.chip import ChipSpec
from analognas.simulator.chip.figures import (
    Bits,
    Converters,
    Count,
    Flag,
    Geometry,
    Performance,
    Quantity,
)

MakeChip = Callable[..., ChipSpec]
SAID: dict[str, Any] = {"source": "test", "trust": "assumed"}


def chip_of(
    rows: int, columns: int, *, cores: int = 1, packed: bool = False, adcs: int | None = None
) -> ChipSpec:
    """A chip of any geometry; energies and times are one."""
    return ChipSpec(
        name="small",
        title="made for a test",
        default_read_mode="only",
        geometry=Geometry(
            cores=Count(value=cores, **SAID),
            rows=Count(value=rows, **SAID),
            columns=Count(value=columns, **SAID),
            cells_per_weight=Count(value=2, **SAID),
            area_mm2=Quantity(value=1.0, **SAID),
            adcs_per_core=None if adcs is None else Count(value=adcs, **SAID),
            packed=Flag(value=packed, **SAID),
        ),
        converters=Converters(dac_bits=Bits(value=8, **SAID), adc_bits=Bits(value=8, **SAID)),
        performance={
            "only": Performance(
                mvm_latency_ns=Quantity(value=1.0, **SAID),
                core_mvm_energy_nJ=Quantity(value=1.0, **SAID),
            )
        },
    )


@pytest.fixture(scope="session")
def make_chip() -> MakeChip:
    return chip_of
