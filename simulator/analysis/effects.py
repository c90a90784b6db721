"""Every effect of the hardware, and how the hardware is without it.

The effects do not overlap: each removes what no other does, and without all of them the hardware
computes exactly. What a cell model does not tell apart counts as one effect.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from analognas.simulator.devices import (
    AnyDevice,
    IdealDevice,
    Pcm2019,
    PcmDriftTable,
    PcmHermes,
    ReramCmo,
    ReramWan2022,
    StateIndependent,
)
from analognas.simulator.faults import Faults
from analognas.simulator.hardware import Hardware
from analognas.simulator.ir_drop import IrDrop
from analognas.simulator.output_stage import OutputStage

BY_DIGITS = ("split", "bit_serial")  # encodings that need a converter


def without_programming_noise(hardware: Hardware) -> Hardware:
    """Programmed conductances meet their targets.

    Of the ReRAM of Wan et al. (2022), spread after programming and relaxation are one law: both go.
    """
    device = hardware.device
    quiet: AnyDevice
    match device:
        case Pcm2019() | PcmHermes() | ReramCmo():
            quiet = replace(device, programming_noise_scale=0.0)
        case PcmDriftTable():
            quiet = replace(device, cell=replace(device.cell, programming_noise_scale=0.0))
        case StateIndependent():
            quiet = replace(device, programming_noise_uS=0.0)
        case ReramWan2022():
            quiet = replace(device, noise_scale=0.0)
        case IdealDevice():
            quiet = device
    return replace(hardware, device=quiet)


def without_ageing(hardware: Hardware) -> Hardware:
    """Conductances stay as programmed.

    Where drift is compensated, what counts is how unequally the cells age.
    """
    device = hardware.device
    young: AnyDevice
    match device:
        case Pcm2019() | PcmHermes():
            young = replace(device, drift_scale=0.0)
        case PcmDriftTable():
            young = replace(device, cell=replace(device.cell, drift_scale=0.0))
        case StateIndependent():
            young = replace(device, nu_mean=0.0, nu_sigma=0.0)
        case ReramCmo():
            young = replace(device, relaxation_scale=0.0)
        case ReramWan2022() | IdealDevice():
            young = device
    return replace(hardware, device=young)


def without_cell_read_noise(hardware: Hardware) -> Hardware:
    """No 1/f noise of the cells."""
    device = hardware.device
    quiet: AnyDevice
    match device:
        case Pcm2019() | PcmHermes() | ReramCmo():
            quiet = replace(device, read_noise_scale=0.0)
        case PcmDriftTable():
            quiet = replace(device, cell=replace(device.cell, read_noise_scale=0.0))
        case StateIndependent():
            quiet = replace(device, read_noise_uS=0.0)
        case ReramWan2022() | IdealDevice():
            quiet = device
    return replace(hardware, device=quiet)


def without_faults(hardware: Hardware) -> Hardware:
    """All cells work."""
    return replace(hardware, faults=Faults())


def without_dac(hardware: Hardware) -> Hardware:
    """Rows take any drive: no rounding, no clipping, hence no passes by digits."""
    stage = replace(hardware.input_stage, stochastic_rounding=False)
    if stage.encoding in BY_DIGITS:
        low_bits = type(stage).split_low_bits
        stage = replace(stage, encoding="one_pass", split_low_bits=low_bits)
    converters = replace(hardware.converters, dac_bits=None)
    return replace(hardware, converters=converters, input_stage=stage)


def without_drive_errors(hardware: Hardware) -> Hardware:
    """Drives without noise, both signs alike."""
    stage = replace(hardware.input_stage, noise=0.0, asymmetry=0.0)
    return replace(hardware, input_stage=stage)


def without_ir_drop(hardware: Hardware) -> Hardware:
    """Wires without resistance, in whichever model."""
    return replace(hardware, ir_drop=IrDrop(), circuit=None)


def without_read_noise(hardware: Hardware) -> Hardware:
    """No noise of the weights from read to read."""
    return replace(hardware, weight_read_noise=0.0)


def without_column_errors(hardware: Hardware) -> Hardware:
    """Linear columns: no offset, series resistance, S-shape and asymmetry; the ADC stays."""
    stage = hardware.output_stage
    kept = OutputStage(
        noise_spread=stage.noise_spread,
        adc_gain_spread=stage.adc_gain_spread,
        adc_offset_spread=stage.adc_offset_spread,
        adc_stochastic_rounding=stage.adc_stochastic_rounding,
    )
    return replace(hardware, output_stage=kept)


def without_output_noise(hardware: Hardware) -> Hardware:
    """No noise before the ADC."""
    return replace(
        hardware,
        converters=replace(hardware.converters, output_noise=0.0),
        output_stage=replace(hardware.output_stage, noise_spread=0.0),
    )


def without_adc(hardware: Hardware) -> Hardware:
    """Outputs are read as they are: no rounding, no clipping, hence no bound to manage."""
    return replace(
        hardware,
        converters=replace(hardware.converters, adc_bits=None),
        input_stage=replace(hardware.input_stage, bound_management="none"),
        output_stage=replace(
            hardware.output_stage,
            adc_gain_spread=0.0,
            adc_offset_spread=0.0,
            adc_stochastic_rounding=False,
        ),
    )


# In the order of the physics.
EFFECTS: Mapping[str, Callable[[Hardware], Hardware]] = {
    "programming": without_programming_noise,
    "ageing": without_ageing,
    "1/f noise": without_cell_read_noise,
    "stuck cells": without_faults,
    "DAC": without_dac,
    "drive errors": without_drive_errors,
    "IR drop": without_ir_drop,
    "read noise": without_read_noise,
    "column errors": without_column_errors,
    "output noise": without_output_noise,
    "ADC": without_adc,
}


def active_effects(hardware: Hardware) -> tuple[str, ...]:
    """Names of the effects that this hardware has."""
    return tuple(name for name, without in EFFECTS.items() if without(hardware) != hardware)


def without_effects(hardware: Hardware, names: Iterable[str]) -> Hardware:
    """The hardware without some of its effects.

    Raises:
        ValueError: A name is not in `EFFECTS`.
    """
    for name in names:
        if name not in EFFECTS:
            raise ValueError(f"Unknown effect {name!r}; choose one of {list(EFFECTS)}.")
        hardware = EFFECTS[name](hardware)
    return hardware


def only_effects(hardware: Hardware, names: Iterable[str]) -> Hardware:
    """The hardware with some of its effects and nothing else.

    Raises:
        ValueError: A name is not in `EFFECTS`.
    """
    kept = set(names)
    without_effects(hardware, kept)
    return without_effects(hardware, [name for name in EFFECTS if name not in kept])
