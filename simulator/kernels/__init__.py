"""Element-wise work on activations: fused on the CPU in float32, plain torch everywhere else."""

from analognas.simulator.kernels.columns import Columns, IrDropTerms
from analognas.simulator.kernels.dispatch import (
    add_table_noise,
    quantize,
    range_gradient,
    read_out,
    training_columns,
)

__all__ = [
    "Columns",
    "IrDropTerms",
    "add_table_noise",
    "quantize",
    "range_gradient",
    "read_out",
    "training_columns",
]
