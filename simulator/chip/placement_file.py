"""The content of a placement file, checked before it becomes a `Placement`."""

from collections import Counter
from typing import Annotated, Literal, Self, TypeAlias

from annotated_types import Ge
from pydantic import ConfigDict, StrictInt, StrictStr, model_validator
from pydantic.dataclasses import dataclass

from analognas.simulator.mapping import LayerShape, TileBlock, tile_blocks

FORMAT_VERSION = 1
STRICT = ConfigDict(extra="forbid")

Positive: TypeAlias = Annotated[StrictInt, Ge(1)]
Natural: TypeAlias = Annotated[StrictInt, Ge(0)]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class LayerEntry:
    """A `LayerShape`."""

    name: StrictStr
    kind: Literal["linear", "conv2d"]
    in_channels: Positive
    out_channels: Positive
    kernel: tuple[Positive, Positive]
    groups: Positive
    mvms: Positive

    @model_validator(mode="after")
    def _groups_divide_channels(self) -> Self:
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise ValueError(
                f"groups must divide in_channels and out_channels, but got groups={self.groups}, "
                f"in_channels={self.in_channels}, out_channels={self.out_channels}."
            )
        return self

    def shape(self) -> LayerShape:
        return LayerShape(
            self.name,
            self.kind,
            self.in_channels,
            self.out_channels,
            self.kernel,
            self.groups,
            self.mvms,
        )


@dataclass(frozen=True, kw_only=True, config=STRICT)
class CoreEntry:
    """A core and the block that it holds."""

    core: Natural
    layer: StrictStr
    row_start: Natural
    row_stop: Natural
    column_start: Natural
    column_stop: Natural
    weights: Natural

    def block(self) -> TileBlock:
        return TileBlock(
            self.row_start, self.row_stop, self.column_start, self.column_stop, self.weights
        )


@dataclass(frozen=True, kw_only=True, config=STRICT)
class PlacementFile:
    """A `Placement`: every block of every layer on a core of its own."""

    format_version: Literal[1]
    chip: StrictStr
    chip_cores: Positive
    rows: Positive
    columns: Positive
    layers: tuple[LayerEntry, ...]
    cores: tuple[CoreEntry, ...]

    @model_validator(mode="after")
    def _every_block_has_a_core(self) -> Self:
        _refuse_repeated("layers", [layer.name for layer in self.layers])
        _refuse_repeated("cores", [entry.core for entry in self.cores])
        placed: dict[str, Counter[TileBlock]] = {layer.name: Counter() for layer in self.layers}
        for entry in self.cores:
            if entry.core >= self.chip_cores:
                raise ValueError(
                    f"`core` must be below chip_cores={self.chip_cores}, but got {entry.core}."
                )
            if entry.layer not in placed:
                raise ValueError(
                    f"`layer` of core {entry.core} must be in `layers`, but got {entry.layer!r}."
                )
            placed[entry.layer][entry.block()] += 1
        for layer in self.layers:
            expected = Counter(tile_blocks(layer.shape(), self.rows, self.columns))
            if placed[layer.name] != expected:
                wrong = placed[layer.name] - expected or expected - placed[layer.name]
                raise ValueError(
                    f"the cores of layer {layer.name!r} must hold exactly the {expected.total()} "
                    f"blocks into which its matrix is cut, but these are missing or wrong: "
                    f"{list(wrong)[:3]}."
                )
        return self


def _refuse_repeated(what: str, values: list[str] | list[int]) -> None:
    repeated = [value for value, times in Counter(values).items() if times > 1]
    if repeated:
        raise ValueError(f"`{what}` must be all different, but these occur twice: {repeated}.")
