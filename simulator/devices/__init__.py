"""Memory cells, one published model per file."""

from collections.abc import Mapping

from analognas.simulator.devices.base import (
    Device,
    draw_ageing,
    program_conductance,
    read_conductance,
)
from analognas.simulator.devices.ideal import IdealDevice
from analognas.simulator.devices.pcm_2019 import Pcm2019
from analognas.simulator.devices.pcm_drift_table import PcmDriftTable
from analognas.simulator.devices.pcm_hermes import PcmHermes
from analognas.simulator.devices.reram_cmo import ReramCmo
from analognas.simulator.devices.reram_wan import ReramWan2022
from analognas.simulator.devices.state_independent import StateIndependent

AnyDevice = (
    Pcm2019 | PcmHermes | PcmDriftTable | StateIndependent | ReramWan2022 | ReramCmo | IdealDevice
)

DEVICES: Mapping[str, type[AnyDevice]] = {
    "pcm_2019": Pcm2019,
    "pcm_hermes": PcmHermes,
    "pcm_drift_table": PcmDriftTable,
    "state_independent": StateIndependent,
    "reram_wan": ReramWan2022,
    "reram_cmo": ReramCmo,
    "ideal": IdealDevice,
}

__all__ = [
    "DEVICES",
    "AnyDevice",
    "Device",
    "IdealDevice",
    "Pcm2019",
    "PcmDriftTable",
    "PcmHermes",
    "ReramCmo",
    "ReramWan2022",
    "StateIndependent",
    "draw_ageing",
    "program_conductance",
    "read_conductance",
]
