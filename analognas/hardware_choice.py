"""Which analog hardware the user means: a preset's name or a TOML file, and settings on top."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from analognas.errors import UserError, checking
from analognas.simulator import HARDWARE, Hardware, hardware_with


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
