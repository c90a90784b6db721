"""Published hardware as named values; variations are `dataclasses.replace` or `hardware_with`.

Where a chip's periphery was not published, it is that of the standard AIMC model: Rasch et al.,
Nat. Commun. 14, 5282 (2023).
"""

from collections.abc import Mapping
from dataclasses import replace

from analognas.simulator.conductance_mapping import ConductanceMapping
from analognas.simulator.devices import IdealDevice, Pcm2019, PcmHermes, ReramCmo, ReramWan2022
from analognas.simulator.hardware import ConverterConfig, Hardware, TileConfig
from analognas.simulator.input_encoding import InputStage
from analognas.simulator.ir_drop import IrDrop

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

# The same chip with one cell per polarity: half the range, and noise that is not averaged.
HERMES_ONE_CELL = replace(
    HERMES_DEFAULT, name="hermes_one_cell", device=PcmHermes(cells_per_polarity=1)
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

# Standard AIMC model of Rasch et al. 2023 in full: 0.35 Ohm from cell to cell, 5 uS at the most.
STANDARD_AIMC = replace(
    PCM_2019,
    name="standard_aimc",
    ir_drop=IrDrop(strength=1.0, conductance_ratio=1 / (0.35 * 5e-6)),
)

# AON-CiM, the chip of AnalogNets: Zhou et al., arXiv:2111.06503 (2021); IEEE Micro 42 (2022). One
# PCM array holds a whole network and computes it layer by layer at 8, 6 or 4 bits, DAC and ADC
# alike. The gain of its ADCs is one constant for all layers: `output_bound` is the S of `adc_gain`,
# a design value that a training may choose (`HwaRecipe.adc_gain`). The size of the array and the
# sharing of the gain are recalled, not verified; noise of the periphery and the S to start from are
# those of the standard AIMC model. Drift is read through the same ADCs, one row at a time; at
# 4 bits, where a row alone does not reach their first step, with all rows at once.
AON_CIM_8BIT = Hardware(
    name="aon_cim_8bit",
    device=Pcm2019(),
    converters=ConverterConfig(dac_bits=8, adc_bits=8, output_bound=10.0, output_noise=0.04),
    tile=TileConfig(rows=1024, columns=512),
    weight_read_noise=0.0175,
    compensation="gdc",
    mapping=ConductanceMapping(scaling="layer"),
)
AON_CIM_6BIT = replace(
    AON_CIM_8BIT,
    name="aon_cim_6bit",
    converters=replace(AON_CIM_8BIT.converters, dac_bits=6, adc_bits=6),
)
AON_CIM_4BIT = replace(
    AON_CIM_8BIT,
    name="aon_cim_4bit",
    converters=replace(AON_CIM_8BIT.converters, dac_bits=4, adc_bits=4),
    compensation="gdc_ones",
)

# Input and output settings that IBM's open simulation toolkit has unless told otherwise: Rasch et
# al., "A flexible and fast PyTorch toolkit for simulating training and inference on analog crossbar
# arrays" (2021). Every vector is scaled by its largest input and repeated while an output clips.
# The toolkit leaves weights as they are for its converters; here the largest of a tile is 1.
AIHWKIT_DEFAULT = Hardware(
    name="aihwkit_default",
    device=Pcm2019(),
    converters=ConverterConfig(dac_bits=7, adc_bits=9, output_bound=12.0, output_noise=0.06),
    tile=TileConfig(rows=512, columns=512),
    weight_read_noise=0.0,
    compensation="gdc",
    mapping=ConductanceMapping(scaling="layer"),
    input_stage=InputStage(scaling="abs_max", bound_management="iterative"),
)

# Cells and cores of Wan et al., Nature 608, 504 (2022): 256 x 256 cells, the two of a weight in
# neighbouring rows. Converters are the standard model's; the read noise, constant 1 % of the
# largest weight, is what IBM's toolkit advises beside this cell. It relaxes about its target:
# there is no common drift to compensate.
RERAM_WAN = Hardware(
    name="reram_wan",
    device=ReramWan2022(),
    converters=ConverterConfig(dac_bits=8, adc_bits=8, output_bound=10.0, output_noise=0.04),
    tile=TileConfig(rows=128, columns=256),
    weight_read_noise=0.01,
    read_noise_law="constant",
    compensation="none",
)

# CMO/HfOx cells of Falcone et al. (2025), arXiv:2502.04524, one per weight, accepted within 2 % of
# their target. Converters and tile are the standard model's; noise within a read was not published
# for this cell and is off. The relaxation moves all weights by the same amount, not by a factor:
# global compensation cannot undo it.
RERAM_CMO = Hardware(
    name="reram_cmo",
    device=ReramCmo(acceptance="2%"),
    converters=ConverterConfig(dac_bits=8, adc_bits=8, output_bound=10.0, output_noise=0.04),
    tile=TileConfig(rows=512, columns=512),
    weight_read_noise=0.0,
    compensation="none",
    mapping=ConductanceMapping(layout="single"),
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
    "hermes_one_cell": HERMES_ONE_CELL,
    "pcm_2019": PCM_2019,
    "standard_aimc": STANDARD_AIMC,
    "aon_cim_8bit": AON_CIM_8BIT,
    "aon_cim_6bit": AON_CIM_6BIT,
    "aon_cim_4bit": AON_CIM_4BIT,
    "aihwkit_default": AIHWKIT_DEFAULT,
    "reram_wan": RERAM_WAN,
    "reram_cmo": RERAM_CMO,
    "ideal": IDEAL,
}
