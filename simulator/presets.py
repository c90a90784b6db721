"""Published hardware as named values; variations are `dataclasses.replace` or `hardware_with`."""

from collections.abc import Mapping

from analognas.simulator.devices import IdealDevice, Pcm2019, PcmHermes
from analognas.simulator.hardware import ConverterConfig, Hardware, TileConfig

# Cells of the 64-core chip, two per polarity. Output noise and read noise were not published for
# this chip: they are taken over from the standard AIMC model (Rasch et al. 2023).
HERMES_DEFAULT = Hardware(
    name="hermes",
    device=PcmHermes(cells_per_polarity=2),
    converters=ConverterConfig(dac_bits=8, adc_bits=8, output_bound=10.0, output_noise=0.04),
    tile=TileConfig(rows=256, columns=256),
    weight_read_noise=0.0175,
    compensation="gdc",
)

# Standard AIMC model of Rasch et al. 2023 without its IR drop: 512 rows, 2019 PCM statistics.
PCM_2019 = Hardware(
    name="pcm_2019",
    device=Pcm2019(),
    converters=ConverterConfig(dac_bits=8, adc_bits=8, output_bound=10.0, output_noise=0.04),
    tile=TileConfig(rows=512, columns=512),
    weight_read_noise=0.0175,
    compensation="gdc",
)

# Every effect off: equals the digital network to rounding.
IDEAL = Hardware(
    name="ideal",
    device=IdealDevice(),
    converters=ConverterConfig(dac_bits=None, adc_bits=None, output_noise=0.0),
    tile=TileConfig(rows=256, columns=256),
    weight_read_noise=0.0,
    compensation="none",
)

HARDWARE: Mapping[str, Hardware] = {
    "hermes": HERMES_DEFAULT,
    "pcm_2019": PCM_2019,
    "ideal": IDEAL,
}
