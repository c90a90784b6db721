"""Voltage drop along the columns' wires in its static approximation: one more matrix product.

A cell that sits `j` cells away from the grounded end of its column, in a column of `n` equal
currents, sees a drop proportional to `1 - (1 - j/n)^2`; how large it is follows from the current
that the column carries. Row 0 is the one next to the converter. For a column of equal cells at
equal voltages the sum reproduces the first two orders of the exact `tanh(sqrt(a)) / sqrt(a)`.

The current is the sum of the magnitudes `|w| |x|`, as if nothing in the column cancelled, and one
current stands for the whole read. With drives as the lengths of pulses (see `circuit.py`) and the
same wires and cells, the error is about 3/4 of that of cells that are cut off between pulses and
1/2 of that of cells that stay connected. Source: Rasch et al., Nat. Commun. 14, 5282 (2023).
"""

from typing import Annotated

import torch
from annotated_types import Ge, Gt
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor

# Coefficients of the drop's cubic in `a`, lowest order first.
C_1, C_2, C_3 = 0.5, -0.2, 0.05


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class IrDrop:
    """Strength of the static voltage drop.

    Args:
        strength: 0 switches the drop off, 1 is the physical value.
        conductance_ratio: Conductance of the wire between two neighbouring cells over the largest
            conductance of a cell. The default is 0.35 Ohm and 5 uS.
    """

    strength: Annotated[float, Ge(0)] = 0.0
    conductance_ratio: Annotated[float, Gt(0)] = 1 / (0.35 * 5e-6)


def drop_profile(
    rows: int, *, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> Tensor:
    """Shape of the drop along a column, `1 - (1 - j/n)^2` for `j = 0 ... n-1`, as `(R,)`."""
    remaining = 1 - torch.arange(rows, device=device, dtype=torch.float64) / rows
    return (1 - remaining.square()).to(dtype)


def drop_fraction(total_current: Tensor, rows: int, ir_drop: IrDrop) -> Tensor:
    """Fraction of a cell's voltage that is lost where the profile is 1, elementwise.

    Args:
        total_current: `I = sum_j |w_ij| |x_j|` in units of the normalised product, any shape.
        rows: Number of cells per column, n.
        ir_drop: For the conductance ratio; the strength is not in the result.

    Returns:
        `c = a (a (0.05 a - 0.2) + 0.5)` with `a = I n / conductance_ratio`, in a new tensor.
    """
    a = total_current * (rows / ir_drop.conductance_ratio)
    return (a * C_3).add_(C_2).mul_(a).add_(C_1).mul_(a)


def apply_ir_drop_(
    y: Tensor, total_current: Tensor, profiled_product: Tensor, *, rows: int, ir_drop: IrDrop
) -> Tensor:
    """Subtract the drop from the product in place, `y -= strength c(I) sum_j w_ij x_j profile_j`.

    Args:
        y: `(M, C)` products `sum_j w_ij x_j`.
        total_current: `(M, C)`, `sum_j |w_ij| |x_j|`.
        profiled_product: `(M, C)`, `sum_j w_ij x_j profile_j` with `drop_profile`.
        rows: Number of cells per column.
        ir_drop: Strength and conductance ratio.
    """
    if ir_drop.strength == 0:
        return y
    fraction = drop_fraction(total_current, rows, ir_drop)
    return y.addcmul_(fraction, profiled_product, value=-ir_drop.strength)
