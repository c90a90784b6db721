"""How often every block of a layer is read per inference, and what that takes."""

from collections.abc import Sequence
from dataclasses import dataclass

from analognas.simulator.chip.actions import Actions
from analognas.simulator.chip.placement import CorePlacement
from analognas.simulator.mapping import LayerShape


@dataclass(frozen=True, slots=True)
class LayerReads:
    """The blocks of a layer with their reads.

    Every replica holds the whole matrix and takes its share of the multiplications.
    """

    blocks: Sequence[CorePlacement]
    reads: Sequence[int]  # per inference, of every block
    replicas: int
    row_parts: int  # partial sums of an output
    sums: int  # additions of partial sums per inference

    def passes(self, actions: Actions) -> dict[int, int]:
        """Conversions per inference on every core: blocks of a core are read one by one."""
        passes: dict[int, int] = {}
        for placed, reads in zip(self.blocks, self.reads, strict=True):
            more = reads * actions.passes(placed.block.columns)
            passes[placed.core] = passes.get(placed.core, 0) + more
        return passes

    def energies_nJ(self, actions: Actions) -> dict[str, float]:
        """Energy per inference by component."""
        of_size: dict[tuple[int, int], int] = {}
        for placed, reads in zip(self.blocks, self.reads, strict=True):
            size = (placed.block.rows, placed.block.columns) if actions.gates_unused else (0, 0)
            of_size[size] = of_size.get(size, 0) + reads
        energies: dict[str, float] = {}
        for (rows, columns), reads in of_size.items():
            for component, energy_nJ in actions.energies_nJ(rows, columns).items():
                energies[component] = energies.get(component, 0.0) + reads * energy_nJ
        if self.sums and actions.aggregation_nJ:
            aggregation_nJ = self.sums * actions.aggregation_nJ
            energies["digital"] = energies.get("digital", 0.0) + aggregation_nJ
        return energies


def layer_reads(shape: LayerShape, blocks: Sequence[CorePlacement]) -> LayerReads:
    """Share the multiplications of a layer among its replicas, as evenly as they can be."""
    replicas = 1 + max(placed.replica for placed in blocks)
    few, longer = divmod(shape.mvms, replicas)
    shares = [few + (replica < longer) for replica in range(replicas)]
    matrix = [placed.block for placed in blocks if placed.replica == 0]
    first_column = matrix[0].column_start
    return LayerReads(
        blocks=blocks,
        reads=[shares[placed.replica] for placed in blocks],
        replicas=replicas,
        row_parts=sum(block.column_start == first_column for block in matrix),
        sums=shape.mvms * (sum(block.columns for block in matrix) - shape.columns),
    )
