"""The analog hardware as one frozen record: cells, converters, tiles, read noise, compensation."""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from annotated_types import Ge, Gt, Le
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from analognas.simulator.devices import AnyDevice, PcmHermes

STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TileConfig:
    """Size of a crossbar in weights; larger layers are split evenly over several."""

    rows: Annotated[int, Ge(1)] = 256
    columns: Annotated[int, Ge(1)] = 256


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ConverterConfig:
    """DAC per row and ADC per column, in units of the normalised product (|w| <= 1, |x| <= 1).

    `n` bits are `2^n - 2` steps, symmetric about zero: LSB = 2 bound / (2^n - 2). `None` bits: no
    quantisation and no clipping.
    """

    dac_bits: Annotated[int, Ge(2), Le(16)] | None = 8
    adc_bits: Annotated[int, Ge(2), Le(16)] | None = 8
    output_bound: Annotated[float, Gt(0)] = 10.0
    output_noise: Annotated[float, Ge(0)] = 0.04


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Hardware:
    """Everything that the simulation of a crossbar needs to know.

    Args:
        name: For people; not part of the hash.
        device: The memory cell.
        converters: DAC and ADC.
        tile: Crossbar size.
        weight_read_noise: Strength of the noise of every read, `sigma_w sqrt(sum |w| x^2)`.
        compensation: "gdc" rescales every tile by its mean absolute read-out since programming.
    """

    name: str = "custom"
    device: Annotated[AnyDevice, Field(discriminator="kind")] = PcmHermes()
    converters: ConverterConfig = ConverterConfig()
    tile: TileConfig = TileConfig()
    weight_read_noise: Annotated[float, Ge(0)] = 0.0175
    compensation: Literal["gdc", "none"] = "gdc"

    @property
    def hash(self) -> str:
        """Twelve hex digits that change with every physical setting (the name is not one)."""
        content = {key: value for key, value in asdict(self).items() if key != "name"}
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    def to_toml(self) -> str:
        def present(value: Any) -> Any:
            if isinstance(value, dict):
                return {k: present("none" if v is None else v) for k, v in value.items()}
            return value

        return tomli_w.dumps(present(asdict(self)))

    @classmethod
    def from_toml(cls, path: str | Path) -> "Hardware":
        """Read a hardware file; a wrong key, type or value is one `ValueError` that names it."""
        path = Path(path)
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ValueError(
                f"The hardware file {str(path)!r} does not exist. Give the path of a TOML file, "
                "or name a preset."
            ) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
            raise ValueError(f"{path} is not a readable TOML file: {error}.") from error
        return _validate(data, str(path))


def hardware_with(hardware: Hardware, settings: Mapping[str, str]) -> Hardware:
    """Return a copy with settings such as `converters.adc_bits=6`, values in TOML notation."""
    data = asdict(hardware)
    for key, text in settings.items():
        *parents, leaf = key.split(".")
        place: Any = data
        for parent in parents:
            place = place.get(parent) if isinstance(place, dict) else None
        if not isinstance(place, dict) or leaf not in place or isinstance(place[leaf], dict):
            known = ", ".join(sorted(_leaves(asdict(hardware))))
            raise ValueError(f"Unknown setting {key!r}. Known settings: {known}.")
        try:
            place[leaf] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            place[leaf] = text
    if settings:
        data["name"] = f"{hardware.name} with " + ", ".join(f"{k}={v}" for k, v in settings.items())
    return _validate(data, "settings")


def _leaves(data: dict[str, Any], prefix: str = "") -> list[str]:
    names: list[str] = []
    for key, value in data.items():
        names += _leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else [prefix + key]
    return names


def _absent(value: Any) -> Any:
    """TOML has no null: the word "none" stands for it where a number is optional."""
    if isinstance(value, dict):
        return {
            key: None if key.endswith("_bits") and item == "none" else _absent(item)
            for key, item in value.items()
        }
    return value


def _validate(data: dict[str, Any], source: str) -> Hardware:
    try:
        return TypeAdapter(Hardware).validate_python(_absent(data))
    except ValidationError as error:
        problems = [
            f"`{'.'.join(str(part) for part in item['loc'])}`: {item['msg']}, got {item['input']!r}"
            for item in error.errors()
        ]
        raise ValueError(f"{source}: " + "; ".join(problems) + ".") from None
