"""Memory cells, one published model per file."""

from collections.abc import Mapping

from analognas.simulator.devices.base import (
    Device,
    draw_drift_exponents,
    drift_conductance,
    program_conductance,
    read_conductance,
    read_noise_growth,
)
from analognas.simulator.devices.ideal import IdealDevice
from analognas.simulator.devices.pcm_2019 import Pcm2019
from analognas.simulator.devices.pcm_hermes import PcmHermes

AnyDevice = Pcm2019 | PcmHermes | IdealDevice

DEVICES: Mapping[str, type[Pcm2019] | type[PcmHermes] | type[IdealDevice]] = {
    "pcm_2019": Pcm2019,
    "pcm_hermes": PcmHermes,
    "ideal": IdealDevice,
}

__all__ = [
    "DEVICES",
    "AnyDevice",
    "Device",
    "IdealDevice",
    "Pcm2019",
    "PcmHermes",
    "draw_drift_exponents",
    "drift_conductance",
    "program_conductance",
    "read_conductance",
    "read_noise_growth",
]
