"""Element-wise work on activations: fused on the CPU in float32, plain torch everywhere else."""

from analognas.simulator.kernels.cells import (
    add_read_noise_,
    draw_exponents,
    program_cells,
    table_conductances,
)
from analognas.simulator.kernels.columns import Columns, IrDropTerms
from analognas.simulator.kernels.dispatch import (
    add_table_noise,
    is_fused,
    quantize,
    range_gradient,
    read_out,
    training_columns,
)
from analognas.simulator.kernels.gemm import linear

__all__ = [
    "Columns",
    "IrDropTerms",
    "add_read_noise_",
    "add_table_noise",
    "draw_exponents",
    "is_fused",
    "linear",
    "program_cells",
    "quantize",
    "range_gradient",
    "read_out",
    "table_conductances",
    "training_columns",
]
