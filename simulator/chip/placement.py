"""Which core of a chip holds which rows and columns of which layer.

A block of a layer is what `tile_blocks` cuts its matrix into, wherever it lies: on a core of its
own, beside others on a shared core, or on several cores as replicas that share the layer's inputs.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, NamedTuple, Self

from analognas.simulator.chip.digital_work import DigitalWork
from analognas.simulator.chip.lower_bound import least_cores, least_stage
from analognas.simulator.chip.placement_file import FORMAT_VERSION, PlacementFile
from analognas.simulator.chip.validation import validate
from analognas.simulator.mapping import LayerShape, TileBlock


class CorePlacement(NamedTuple):  # quick to make: a search makes one for every block it tries
    """A block of a layer on a core, its first cell at `row_offset` and `column_offset`."""

    core: int
    layer: str
    block: TileBlock
    row_offset: int = 0
    column_offset: int = 0
    replica: int = 0


@dataclass(frozen=True)
class Placement:
    """A network on a chip."""

    chip: str
    chip_cores: int
    rows: int  # of a core
    columns: int
    layers: tuple[LayerShape, ...]  # in the order of execution
    cores: tuple[CorePlacement, ...]  # by layer, replica and block
    digital: tuple[DigitalWork, ...] = ()
    adcs_per_core: int | None = None  # if shared by the columns

    @cached_property
    def used_cores(self) -> int:
        return len({placed.core for placed in self.cores})

    @cached_property
    def utilisation_fraction(self) -> float:
        """Weights per weight position of the cores in use (zeros between groups are no weights)."""
        positions = self.used_cores * self.rows * self.columns
        weights = sum(placed.block.weights for placed in self.cores)
        return weights / positions if positions else 0.0

    @cached_property
    def utilisation_by_core(self) -> dict[int, float]:
        """Weights per weight position of every core in use, by its number."""
        weights = Counter[int]()
        for placed in self.cores:
            weights[placed.core] += placed.block.weights
        positions = self.rows * self.columns
        return {core: weights[core] / positions for core in sorted(weights)}

    def blocks(self) -> dict[str, list[TileBlock]]:
        """The blocks of every layer by its name, those of the first replica."""
        blocks: dict[str, list[TileBlock]] = {layer.name: [] for layer in self.layers}
        for placed in self.cores:
            if placed.replica == 0:
                blocks[placed.layer].append(placed.block)
        return blocks

    def replicas(self, layer: str) -> int:
        """How often a layer is on the chip."""
        try:
            return self._replicas[layer]
        except KeyError:
            raise ValueError(
                f"`layer` must be one of the placed layers, but got {layer!r}. Placed are "
                f"{list(self._replicas)}."
            ) from None

    @cached_property
    def _replicas(self) -> dict[str, int]:
        replicas = dict.fromkeys((layer.name for layer in self.layers), 0)
        for placed in self.cores:
            replicas[placed.layer] = max(replicas[placed.layer], placed.replica + 1)
        return replicas

    @cached_property
    def busiest_core_reads(self) -> int:
        """Reads of the busiest core per inference: the longest stage of a pipeline.

        A read is a pass of the ADCs; blocks on the same core are read one after another, and
        replicas share the multiplications of their layer.
        """
        mvms = {shape.name: -(-shape.mvms // self.replicas(shape.name)) for shape in self.layers}
        reads = Counter[int]()
        for placed in self.cores:
            reads[placed.core] += mvms[placed.layer] * self._passes(placed.block)
        return max(reads.values(), default=0)

    @cached_property
    def lower_bound_cores(self) -> int:
        """Cores that one copy of these blocks needs at least, however they share cores."""
        blocks = [block for blocks in self.blocks().values() for block in blocks]
        sizes = [(block.rows, block.columns) for block in blocks]
        return least_cores(sizes, self.rows, self.columns)

    @cached_property
    def lower_bound_reads(self) -> int:
        """What `busiest_core_reads` can be at least, however the layers are replicated."""
        blocks = self.blocks()
        return least_stage(
            [
                (shape.mvms, self._passes(block), block.rows * block.columns)
                for shape in self.layers
                for block in blocks[shape.name]
            ],
            cells=self.rows * self.columns,
            cores=self.chip_cores,
        )

    def _passes(self, block: TileBlock) -> int:
        return -(-block.columns // (self.adcs_per_core or self.columns))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "format_version": FORMAT_VERSION,
            "chip": self.chip,
            "chip_cores": self.chip_cores,
            "rows": self.rows,
            "columns": self.columns,
            "adcs_per_core": self.adcs_per_core,
            "layers": [asdict(layer) for layer in self.layers],
            "cores": [
                {
                    "core": placed.core,
                    "layer": placed.layer,
                    "replica": placed.replica,
                    "row_offset": placed.row_offset,
                    "column_offset": placed.column_offset,
                    **asdict(placed.block),
                }
                for placed in self.cores
            ],
            "digital": [asdict(work) for work in self.digital],
            "quality": {
                "used_cores": self.used_cores,
                "lower_bound_cores": self.lower_bound_cores,
                "busiest_core_reads": self.busiest_core_reads,
                "lower_bound_reads": self.lower_bound_reads,
            },
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, source: str = "placement") -> Self:
        """Read back `to_dict()`, also as it was before cores could be shared.

        Args:
            data: What the file holds.
            source: The file, for messages.

        Raises:
            ValueError: If a key or value is wrong, blocks on a core overlap or go beyond it, or the
                blocks of a layer are not those into which `tile_blocks` cuts it.
        """
        file = validate(PlacementFile, data, source=source)
        cores = [
            CorePlacement(
                entry.core,
                entry.layer,
                entry.block(),
                entry.row_offset,
                entry.column_offset,
                entry.replica,
            )
            for entry in file.cores
        ]
        return cls(
            file.chip,
            file.chip_cores,
            file.rows,
            file.columns,
            tuple(layer.shape() for layer in file.layers),
            tuple(cores),
            tuple(DigitalWork(work.name, work.kind, work.operations) for work in file.digital),
            file.adcs_per_core,
        )

    def summary(self) -> str:
        """Cores and pipeline, each beside the least that any placement of the blocks can reach."""
        copy = len({placed.core for placed in self.cores if placed.replica == 0})
        bound = self.lower_bound_cores
        replicas = "" if copy == self.used_cores else f" ({copy} without replicas)"
        return (
            f"{self.used_cores} of {self.chip_cores} cores{replicas}, "
            f"{self.utilisation_fraction:.1%} of their weight positions used; at least "
            f"{bound} if shared ideally{_excess(copy, bound)}. "
            f"Busiest core read {self.busiest_core_reads} times per inference; at least "
            f"{self.lower_bound_reads} if replicated ideally"
            f"{_excess(self.busiest_core_reads, self.lower_bound_reads)}."
        )


def _excess(value: int, bound: int) -> str:
    return f" ({value / bound:.3g} times that)" if value > bound else " (met)"
