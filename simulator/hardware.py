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
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from analognas.simulator.circuit import CircuitIrDrop
from analognas.simulator.conductance_mapping import ConductanceMapping
from analognas.simulator.devices import AnyDevice, PcmHermes
from analognas.simulator.faults import Faults
from analognas.simulator.input_encoding import InputStage
from analognas.simulator.ir_drop import IrDrop
from analognas.simulator.output_stage import OutputStage

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
    quantisation and no clipping. With one scale per layer (`mapping.scaling = "layer"`), the bound
    is the gain S that all ADCs of a chip have in common; see `simulator.adc_gain`.
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
        weight_read_noise: Strength sigma_w of the noise of every read.
        read_noise_law: "pcm" noise grows with the conductance, `sigma_w sqrt(sum |w| x^2)`;
            "constant" noise does not, `sigma_w sqrt(sum x^2)`.
        compensation: Digital correction of drift by a factor per tile (per column for
            "gdc_column"): how much its read-out has changed since programming. "gdc" drives one row
            at a time and averages the magnitudes, "gdc_ones" drives all rows at once, "gdc_exact"
            compares with the ideal weights instead of a read-out after programming.
        mapping: From weights to conductances.
        faults: Cells that are stuck.
        input_stage: Errors of the DAC, scaling and encoding of the inputs.
        ir_drop: Voltage drop along the columns, a static approximation.
        circuit: The columns as networks of resistors read by pulses, instead of `ir_drop`.
        output_stage: Errors between the columns and their ADCs.
    """

    name: str = "custom"
    device: Annotated[AnyDevice, Field(discriminator="kind")] = PcmHermes()
    converters: ConverterConfig = ConverterConfig()
    tile: TileConfig = TileConfig()
    weight_read_noise: Annotated[float, Ge(0)] = 0.0175
    read_noise_law: Literal["pcm", "constant"] = "pcm"
    compensation: Literal["gdc", "gdc_ones", "gdc_exact", "gdc_column", "none"] = "gdc"
    mapping: ConductanceMapping = ConductanceMapping()
    faults: Faults = Faults()
    input_stage: InputStage = InputStage()
    ir_drop: IrDrop = IrDrop()
    circuit: CircuitIrDrop | None = None
    output_stage: OutputStage = OutputStage()

    @model_validator(mode="after")
    def _settings_agree(self) -> "Hardware":
        stage, bits = self.input_stage, self.converters.dac_bits
        if stage.encoding in ("split", "bit_serial") and bits is None:
            raise ValueError(
                f"`input_stage.encoding = {stage.encoding!r}` passes digits, but got dac_bits=none."
                " Give `converters.dac_bits` a number, or choose another encoding."
            )
        if stage.encoding == "split" and bits is not None and stage.split_low_bits >= bits - 1:
            raise ValueError(
                "`input_stage.split_low_bits < converters.dac_bits - 1` must hold, but got "
                f"split_low_bits={stage.split_low_bits} and dac_bits={bits}. Change one of them."
            )
        if self.ir_drop.strength > 0 and self.circuit is not None:
            raise ValueError(
                "Of `ir_drop` and `circuit`, two models of the same wires, at most one must be on, "
                f"but got ir_drop.strength={self.ir_drop.strength} and a circuit. Set the strength "
                "to 0, or leave the circuit out."
            )
        if self.circuit is not None and self.mapping.cells_per_weight != 2:
            raise ValueError(
                "`circuit` must have one pair of cells per weight, but the mapping has "
                f"{self.mapping.cells_per_weight} cells. Use the default mapping, or `ir_drop`."
            )
        vectors_alone = (
            stage.scaling != "static" or stage.bound_management != "none" or stage.is_random
        )
        cut_off = self.circuit is not None and self.circuit.idle == "cut_off"
        if self.mapping.groups == "apart" and (vectors_alone or cut_off):
            raise ValueError(
                '`mapping.groups = "apart"` must go with static input scaling, no bound management '
                "nor noise or dither of the inputs, and no circuit of cut-off cells, but got "
                f"scaling={stage.scaling!r}, bound_management={stage.bound_management!r}, "
                f"noise={stage.noise}, stochastic_rounding={stage.stochastic_rounding} and "
                f"circuit={self.circuit}. "
                'Choose groups="together".'
            )
        if stage.bound_management != "none" and stage.encoding in ("split", "bit_serial"):
            raise ValueError(
                "`input_stage.bound_management` must go with drives that become smaller, but a "
                f"pass of encoding={stage.encoding!r} drives its rows fully or not at all. Choose "
                "another encoding, or manage no bounds."
            )
        if self.input_stage.bound_management != "none" and self.converters.adc_bits is None:
            raise ValueError(
                "`input_stage.bound_management` must have an ADC that can clip, but got "
                "adc_bits=none. Give `converters.adc_bits` a number, or manage no bounds."
            )
        return self

    @property
    def hash(self) -> str:
        """Twelve hex digits that change with every physical setting (the name is not one).

        A group of effects that is switched off does not count: a new effect leaves the hashes of
        hardware without it as they were.
        """
        content = {
            key: value
            for key, value in asdict(self).items()
            if key != "name" and (key not in _SWITCHED_OFF or value != _SWITCHED_OFF[key])
        }
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
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise ValueError(
                f"The hardware file {str(path)!r} does not exist. Give the path of a TOML file, "
                "or name a preset."
            ) from None
        except (UnicodeDecodeError, OSError) as error:
            raise ValueError(f"{path} is not a readable TOML file: {error}.") from error
        return cls.parse_toml(text, source=str(path))

    @classmethod
    def parse_toml(cls, text: str, *, source: str = "hardware") -> "Hardware":
        """Read back `to_toml()`; errors are those of `from_toml`, and begin with `source`."""
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"{source} is not a readable TOML file: {error}.") from error
        return _validate(data, source)


_SWITCHED_OFF: dict[str, Any] = {
    "read_noise_law": "pcm",
    "mapping": asdict(ConductanceMapping()),
    "faults": asdict(Faults()),
    "input_stage": asdict(InputStage()),
    "ir_drop": asdict(IrDrop()),
    "circuit": None,
    "output_stage": asdict(OutputStage()),
}


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


# TOML has no null: the word "none" stands for it where something is optional.
OPTIONAL = ("dac_bits", "adc_bits", "circuit", "table", "segments", "array_rows")


def _absent(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: None if key in OPTIONAL and item == "none" else _absent(item)
            for key, item in value.items()
        }
    return value


def _validate(data: dict[str, Any], source: str) -> Hardware:
    try:
        return TypeAdapter(Hardware).validate_python(_absent(data))
    except ValidationError as error:
        problems = [
            # A rule between several settings says itself which and what to do.
            str(item["ctx"]["error"]).rstrip(".")
            if item["type"] == "value_error"
            else f"`{'.'.join(str(part) for part in item['loc'])}`: {item['msg']}, "
            f"got {item['input']!r}"
            for item in error.errors()
        ]
        raise ValueError(f"{source}: " + "; ".join(problems) + ".") from None
