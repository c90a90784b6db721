"""The content of a placement file, checked before it becomes a `Placement`."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable
from itertools import combinations
from typing import Annotated, Literal, Self, TypeAlias

from annotated_types import Ge
from pydantic import ConfigDict, StrictInt, StrictStr, model_validator
from pydantic.dataclasses import dataclass

from analognas.simulator.mapping import LayerShape, TileBlock, tile_blocks

FORMAT_VERSION = 2  # 1: every block on a core of its own, only "linear" and "conv2d"
STRICT = ConfigDict(extra="forbid")

Positive: TypeAlias = Annotated[StrictInt, Ge(1)]
Natural: TypeAlias = Annotated[StrictInt, Ge(0)]
# Layer kinds and the axes of their kernels; a linear layer has a kernel of one position.
KERNEL_AXES = {
    "linear": 2,
    "conv1d": 1,
    "conv2d": 2,
    "conv3d": 3,
    "conv_transpose1d": 1,
    "conv_transpose2d": 2,
    "conv_transpose3d": 3,
}


@dataclass(frozen=True, kw_only=True, config=STRICT)
class LayerEntry:
    """A `LayerShape`."""

    name: StrictStr
    kind: Literal[
        "linear",
        "conv1d",
        "conv2d",
        "conv3d",
        "conv_transpose1d",
        "conv_transpose2d",
        "conv_transpose3d",
    ]
    in_channels: Positive
    out_channels: Positive
    kernel: tuple[Positive, ...]
    groups: Positive
    mvms: Positive

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise ValueError(
                f"groups must divide in_channels and out_channels, but got groups={self.groups}, "
                f"in_channels={self.in_channels}, out_channels={self.out_channels}."
            )
        if len(self.kernel) != KERNEL_AXES[self.kind]:
            raise ValueError(
                f"kernel of kind {self.kind!r} must have {KERNEL_AXES[self.kind]} sizes, but got "
                f"{self.kernel}."
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
    """A block of a layer and where on a core it lies."""

    core: Natural
    layer: StrictStr
    row_start: Natural
    row_stop: Natural
    column_start: Natural
    column_stop: Natural
    weights: Natural
    row_offset: Natural = 0
    column_offset: Natural = 0
    replica: Natural = 0

    def block(self) -> TileBlock:
        return TileBlock(
            self.row_start, self.row_stop, self.column_start, self.column_stop, self.weights
        )

    def spans(self) -> tuple[int, int, int, int]:
        """First and last row, first and last column on the core; the last ones are exclusive."""
        block = self.block()
        top, left = self.row_offset, self.column_offset
        return top, top + block.rows, left, left + block.columns


@dataclass(frozen=True, kw_only=True, config=STRICT)
class DigitalEntry:
    """A `DigitalWork`."""

    name: StrictStr
    kind: StrictStr
    operations: Natural


@dataclass(frozen=True, kw_only=True, config=STRICT)
class PlacementFile:
    """A `Placement`: every block of every copy of every layer once, none over another."""

    format_version: Literal[1, 2]
    chip: StrictStr
    chip_cores: Positive
    rows: Positive
    columns: Positive
    layers: tuple[LayerEntry, ...]
    cores: tuple[CoreEntry, ...]
    digital: tuple[DigitalEntry, ...] = ()
    adcs_per_core: Positive | None = None
    quality: dict[StrictStr, Natural] | None = None  # for readers of the file; computed anew

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        repeated = _repeated(layer.name for layer in self.layers)
        if repeated:
            raise ValueError(f"`layers` must be all different, but these occur twice: {repeated}.")
        names = {layer.name for layer in self.layers}
        for entry in self.cores:
            self._check_entry(entry, names)
        self._refuse_overlaps()
        placed: dict[str, dict[int, Counter[TileBlock]]] = defaultdict(lambda: defaultdict(Counter))
        for entry in self.cores:
            placed[entry.layer][entry.replica][entry.block()] += 1
        for layer in self.layers:
            self._check_layer(layer, placed[layer.name])
        return self

    def _check_entry(self, entry: CoreEntry, names: set[str]) -> None:
        if entry.core >= self.chip_cores:
            raise ValueError(
                f"`core` must be below chip_cores={self.chip_cores}, but got {entry.core}."
            )
        if entry.layer not in names:
            raise ValueError(
                f"`layer` of core {entry.core} must be in `layers`, but got {entry.layer!r}."
            )
        top, bottom, left, right = entry.spans()
        if bottom > self.rows or right > self.columns:
            raise ValueError(
                f"a block must lie within its core of {self.rows} x {self.columns}, but that of "
                f"layer {entry.layer!r} on core {entry.core} covers rows {top} to {bottom} and "
                f"columns {left} to {right}. Mend its offsets."
            )

    def _refuse_overlaps(self) -> None:
        by_core: dict[int, list[CoreEntry]] = defaultdict(list)
        for entry in self.cores:
            by_core[entry.core].append(entry)
        for core, entries in by_core.items():
            for one, other in combinations(entries, 2):
                a, b = one.spans(), other.spans()
                if a[0] < b[1] and b[0] < a[1] and a[2] < b[3] and b[2] < a[3]:
                    raise ValueError(
                        f"blocks on a core must not overlap, but on core {core} those of layers "
                        f"{one.layer!r} (rows {a[0]} to {a[1]}, columns {a[2]} to {a[3]}) and "
                        f"{other.layer!r} (rows {b[0]} to {b[1]}, columns {b[2]} to {b[3]}) do. "
                        "Mend their offsets or cores."
                    )

    def _check_layer(self, layer: LayerEntry, copies: dict[int, Counter[TileBlock]]) -> None:
        replicas = sorted(copies) or [0]
        if replicas != list(range(len(replicas))):
            raise ValueError(
                f"replicas of layer {layer.name!r} must be numbered from 0 without a gap, but got "
                f"{replicas}."
            )
        expected = Counter(tile_blocks(layer.shape(), self.rows, self.columns))
        for replica in replicas:
            blocks = copies[replica]
            if blocks != expected:
                wrong = blocks - expected or expected - blocks
                which = f" in replica {replica}" if len(replicas) > 1 else ""
                raise ValueError(
                    f"the cores of layer {layer.name!r} must hold exactly the {expected.total()} "
                    f"blocks into which its matrix is cut, but these are missing or wrong{which}: "
                    f"{list(wrong)[:3]}."
                )


def _repeated(values: Iterable[Hashable]) -> list[Hashable]:
    return [value for value, times in Counter(values).items() if times > 1]
