"""Which analog hardware the user means: a preset's name or a TOML file, and settings on top."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from analognas.errors import UserError, checking
from analognas.records import EVALUATION_TIMES_S
from analognas.simulator import HARDWARE, HERMES_DEFAULT, Hardware, hardware_with
from analognas.simulator.chip import ChipSpec
from analognas.simulator.devices import PcmHermes
from analognas.simulator.hardware import TileConfig

# What is simulated on a known chip unless the user asks for other hardware.
CHIP_HARDWARE: Mapping[str, str] = {"hermes": "hermes", "aon-cim": "aon_cim_8bit"}


def hardware_for_chip(
    name_or_file: str | None,
    settings: Mapping[str, str] | Sequence[str],
    chip: ChipSpec,
) -> Hardware:
    """Like `load_hardware`, but with tiles of the size of the chip's cores.

    Accuracy then belongs to the same blocks of the layers as energy and latency. Presets take the
    size of the chip; a file and settings must have it. Without a name, a known chip has its own
    preset, and any other one the cells of the 64-core chip with as many of them per polarity, and
    with converters of as many bits, as its file says.

    Raises:
        UserError: As `load_hardware`, or tiles and cores have different sizes.
    """
    if not isinstance(settings, Mapping):
        settings = parse_settings(settings)
    preset = name_or_file or CHIP_HARDWARE.get(chip.name)
    if preset is None:
        hardware = _as_the_chip_says(chip)
    else:
        hardware = load_hardware(preset)
        if preset in HARDWARE:
            hardware = _with_cores_of(chip, hardware)
    with checking("--set"):
        hardware = hardware_with(hardware, settings)
    tile = hardware.tile
    if (tile.rows, tile.columns) != (chip.rows, chip.columns):
        raise UserError(
            f"The tiles of the hardware must be as large as the cores of the chip, but "
            f"{hardware.name} has {tile.rows} x {tile.columns} and {chip.name} has {chip.rows} x "
            f"{chip.columns}: accuracy and cost would belong to different splits of the layers. "
            f"Set `tile.rows = {chip.rows}` and `tile.columns = {chip.columns}` in the hardware, "
            "or choose a chip with such cores."
        )
    return hardware


def _with_cores_of(chip: ChipSpec, hardware: Hardware) -> Hardware:
    tile = TileConfig(rows=chip.rows, columns=chip.columns)
    if hardware.tile == tile:
        return hardware
    name = f"{hardware.name}, tiles of {tile.rows} x {tile.columns}"
    return replace(hardware, name=name, tile=tile)


def _as_the_chip_says(chip: ChipSpec) -> Hardware:
    converters = chip.converters
    bits = chip.performance[chip.default_read_mode].bits
    polarity = chip.geometry.cells_per_polarity
    device = HERMES_DEFAULT.device
    if polarity is not None and polarity.value == 1:
        device = PcmHermes(cells_per_polarity=1)
    with checking(f"chip {chip.name}"):
        return replace(
            HERMES_DEFAULT,
            name=f"cells of hermes on {chip.name}",
            device=device,
            tile=TileConfig(rows=chip.rows, columns=chip.columns),
            converters=replace(
                HERMES_DEFAULT.converters,
                dac_bits=(bits or converters.dac_bits).value,
                adc_bits=(bits or converters.adc_bits).value,
            ),
        )


def load_hardware(
    name_or_file: str | None, settings: Mapping[str, str] | Sequence[str] = ()
) -> Hardware:
    """Find a preset or read a TOML file, then apply `key=value` settings.

    Args:
        name_or_file: None takes the 64-core chip's.
        settings: A mapping, or texts such as "converters.adc_bits=6".

    Raises:
        UserError: No such preset or file, or a setting that is unknown or out of range.
    """
    if not isinstance(settings, Mapping):
        settings = parse_settings(settings)
    if name_or_file is None or name_or_file in HARDWARE:
        hardware = HARDWARE[name_or_file or "hermes"]
    elif name_or_file.endswith(".toml") or Path(name_or_file).exists():
        with checking("--hardware"):
            hardware = Hardware.from_toml(name_or_file)
    else:
        raise UserError(
            f"Unknown hardware {name_or_file!r}. Choose one of: {', '.join(sorted(HARDWARE))}; "
            "or give a TOML file."
        )
    with checking("--set"):
        return hardware_with(hardware, settings)


def check_ages(
    hardware: Hardware, times_s: Sequence[float] = tuple(EVALUATION_TIMES_S.values())
) -> Hardware:
    """The same hardware, if its cells say how they look at all of these times.

    Raises:
        UserError: They do not.
    """
    import torch

    from analognas.simulator import spawn_generator

    device = hardware.device
    cells = torch.tensor([device.g_max_uS])
    ageing = device.draw_ageing(cells, generator=spawn_generator(0, "ageing"))
    for t_s in times_s:
        with checking(f"hardware {hardware.name} cannot be measured at {t_s:g} s"):
            device.aged_uS(cells, ageing, t_s=t_s)
    return hardware


def parse_settings(texts: Sequence[str]) -> dict[str, str]:
    """Read texts of the form "key=value"."""
    return dict(_setting(text) for text in texts)


def _setting(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (equals and key.strip() and value.strip()):
        raise UserError(
            f"--set must be key=value, but got {text!r}. For example: --set converters.adc_bits=6."
        )
    return key.strip(), value.strip()


def adc_bits_of(chip: ChipSpec, read_mode: str) -> int:
    """Bits of the ADCs in a read mode, if nobody changes them."""
    bits = chip.performance[chip.read_mode(read_mode).name].bits
    return chip.converters.adc_bits.value if bits is None else bits.value


def cost_notes(hardware: Hardware, chip: ChipSpec, read_mode: str | None = None) -> list[str]:
    """Say in whole sentences where modelled costs are of other converters than simulated ones."""
    mode, converters = chip.read_mode(read_mode), hardware.converters
    notes = []
    better = [one.name for one in chip.read_modes.values() if one.bits == converters.dac_bits]
    if converters.dac_bits != mode.bits and better:
        notes.append(
            f"The hardware {hardware.name} has {converters.dac_bits}-bit inputs, but energy and "
            f"latency are those of the {mode.bits}-bit read mode {mode.name!r} of the chip "
            f"{chip.name}. Copy the chip file and make {better[0]!r} its `default_read_mode`, so "
            "that both are the same."
        )
    priced = adc_bits_of(chip, mode.name)
    if converters.adc_bits != priced:
        simulated = "no ADCs" if converters.adc_bits is None else f"{converters.adc_bits}-bit ADCs"
        notes.append(
            f"The accuracy is simulated with {simulated}, but energy and latency are those of the "
            f"{priced}-bit ADCs of the chip {chip.name}. `analognas explore-chip --adc-bits` and "
            "`search --search-hardware adc-bits` charge them, where the chip file allows it."
        )
    return notes
