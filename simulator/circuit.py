"""Columns with wire resistance, read by pulses of voltage whose length is the drive.

A column's wire, its cells and their voltages are a ladder of resistors. As long as all cells stay
connected, the ladder is the same at all times, so that the charge of a read is linear in the drive,
with weights of its own: `effective_weight`. Where idle cells are cut off, the ladder changes with
every pulse that ends, and the read is followed in time: `pwm_read_out`.
"""

from collections.abc import Iterator
from dataclasses import dataclass as plain_dataclass
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt
from pydantic import ConfigDict, model_validator
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from analognas.simulator.resistor_network import wire_transfer


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class CircuitIrDrop:
    """Wire resistance of the columns, and how they are read.

    Every weight is a pair of cells on one column. Its row raises the cell that the drive calls for
    by `swing_V` above the idle level and lowers the other one by as much, for a time in proportion
    to the drive; the converter holds the column at the idle level plus `offset_V`. Rows' wires are
    taken as ideal.

    Args:
        segment_ohm: Wire from one row to the next; half of it leads to the converter. The default
            is an assumption about a dense array, not a measured value.
        segments: Equal groups of neighbouring rows, each of which meets the wire in one point, its
            middle; None gives every row its own.
        array_rows: Rows of the wire; weights of fewer rows sit in its middle. None: as many as the
            weights have, rounded up to whole segments.
        alternate_ends: Odd columns are read before their first row, not after their last.
        swing_V: Voltage of a driven cell against the idle level.
        offset_V: Of the converter against the idle level; it adds a constant to every output.
        idle: Between pulses cells are held at the idle level, or cut off from their rows. Held
            cells make the column's network the same at all times, hence linear in the drive.
        time_steps: Equal steps of a full pulse; the network is solved in the middle of each. Pulses
            of whole steps are exact: 127 for 8 bits.
    """

    segment_ohm: Annotated[float, Ge(0)] = 0.15
    segments: Annotated[int, Ge(1)] | None = None
    array_rows: Annotated[int, Ge(1)] | None = None
    alternate_ends: bool = True
    swing_V: Annotated[float, Gt(0)] = 0.2
    offset_V: float = 0.0
    idle: Literal["held", "cut_off"] = "held"
    time_steps: Annotated[int, Ge(1)] = 127

    @model_validator(mode="after")
    def _segments_are_equal(self) -> "CircuitIrDrop":
        if self.segments and self.array_rows and self.array_rows % self.segments:
            raise ValueError(
                f"`array_rows` must be a multiple of `segments`, but got array_rows="
                f"{self.array_rows} and segments={self.segments}. Change one of them."
            )
        return self


@plain_dataclass(frozen=True)
class EffectiveWeight:
    """What columns of held cells compute: `y = drive @ weight.T + offset`, normalised."""

    weight: Tensor  # (..., C, R)
    offset: Tensor  # (..., C)


def effective_weight(
    g_plus_uS: Tensor, g_minus_uS: Tensor, config: CircuitIrDrop, *, unit_uS: float
) -> EffectiveWeight:
    """Weights that a column with wire resistance and held cells realises.

    The network does not change while the pulses last, so that the charge is linear in the drive:
    all wire resistance is in the weights, at no cost per product.

    Args:
        g_plus_uS: `(..., C, R)` cells that carry positive weights.
        g_minus_uS: `(..., C, R)` cells that carry negative weights.
        config: Its `idle` must be "held".
        unit_uS: Difference of the two cells that is the weight 1; see `pair_unit_uS`.
    """
    if config.idle != "held":
        raise ValueError(
            f"Weights exist only with `idle = 'held'`, but got idle={config.idle!r}. Use "
            "`pwm_product`, which follows the pulses in time."
        )
    layout = _Layout.of(g_plus_uS.shape[-1], config)
    total_uS = g_plus_uS + g_minus_uS
    transfer = layout.spread(layout.transfer(layout.group(total_uS).sum(dim=-1)))
    leak_uS = (total_uS * transfer).sum(dim=-1)
    return EffectiveWeight(
        weight=(g_plus_uS - g_minus_uS) * transfer / unit_uS,
        offset=leak_uS * (-config.offset_V / config.swing_V / unit_uS),
    )


def pwm_read_out(
    g_plus_uS: Tensor, g_minus_uS: Tensor, drive: Tensor, config: CircuitIrDrop
) -> Iterator[Tensor]:
    """Follow the columns' currents through a read, one step of time after another.

    Args:
        g_plus_uS: `(C, R)` cells that carry positive weights.
        g_minus_uS: `(C, R)` cells that carry negative weights.
        drive: `(M, R)` in [-1, 1]; the magnitude is the pulse's length, the sign its direction.
        config: Wire, voltages and steps.

    Yields:
        `(M, C)` currents in uA in the middle of each step.
    """
    layout = _Layout.of(g_plus_uS.shape[-1], config)
    total_uS = layout.group(g_plus_uS + g_minus_uS)
    signed_uS = layout.group(g_plus_uS - g_minus_uS)
    drives = layout.group(drive)
    load_uS = total_uS.sum(dim=-1)
    transfer = layout.transfer(load_uS)
    for step in range(config.time_steps):
        on = drives.sign() * (drives.abs() > (step + 0.5) / config.time_steps)
        if config.idle == "cut_off":
            load_uS = torch.einsum("msr,csr->mcs", on.abs(), total_uS)
            transfer = layout.transfer(load_uS)
        source_uA = torch.einsum("msr,csr->mcs", on, signed_uS) * config.swing_V
        yield ((source_uA - load_uS * config.offset_V) * transfer).sum(dim=-1)


def pwm_product(
    g_plus_uS: Tensor,
    g_minus_uS: Tensor,
    drive: Tensor,
    config: CircuitIrDrop,
    *,
    unit_uS: float,
) -> Tensor:
    """Charge of a read in units of the normalised product (|w| <= 1, |x| <= 1).

    Held cells: the product with the effective weights, pulses of any length. Cells cut off between
    pulses: the mean of the currents over `time_steps` solutions of the network.

    Args:
        g_plus_uS: `(C, R)` cells that carry positive weights.
        g_minus_uS: `(C, R)` cells that carry negative weights.
        drive: `(M, R)` in [-1, 1].
        config: Wire, voltages and steps.
        unit_uS: Difference of the two cells that is the weight 1; see `pair_unit_uS`.

    Returns:
        `(M, C)`.
    """
    if config.idle == "held":
        held = effective_weight(g_plus_uS, g_minus_uS, config, unit_uS=unit_uS)
        return drive @ held.weight.T + held.offset
    charge = drive.new_zeros(drive.shape[0], g_plus_uS.shape[0])
    for current_uA in pwm_read_out(g_plus_uS, g_minus_uS, drive, config):
        charge += current_uA
    return charge / (config.time_steps * config.swing_V * unit_uS)


@plain_dataclass(frozen=True)
class _Layout:
    """Rows of weights in the groups of a column's wire; S groups, read behind the last one."""

    config: CircuitIrDrop
    rows: int
    groups: int
    rows_per_group: int
    rows_before: int

    @classmethod
    def of(cls, rows: int, config: CircuitIrDrop) -> "_Layout":
        wire_rows = config.array_rows or rows
        if rows > wire_rows:
            raise ValueError(
                f"`rows <= array_rows` must hold, but got {rows} rows of weights and array_rows="
                f"{wire_rows}. Raise `array_rows` or use smaller tiles."
            )
        groups = config.segments or wire_rows
        rows_per_group = -(-wire_rows // groups)
        return cls(config, rows, groups, rows_per_group, (groups * rows_per_group - rows) // 2)

    def group(self, x: Tensor) -> Tensor:
        """Rows `(..., R)` as `(..., S, rows per group)`, zeros where the wire has no weights."""
        after = self.groups * self.rows_per_group - self.rows - self.rows_before
        padded = nn.functional.pad(x, (self.rows_before, after))
        return padded.reshape(*x.shape[:-1], self.groups, self.rows_per_group)

    def spread(self, x: Tensor) -> Tensor:
        """Values of groups `(..., S)` to their rows, `(..., R)`."""
        rows = x.repeat_interleave(self.rows_per_group, dim=-1)
        return rows[..., self.rows_before : self.rows_before + self.rows]

    def transfer(self, g_uS: Tensor) -> Tensor:
        """Transfer of groups `(..., C, S)`, each column towards the end where it is read."""
        segment_ohm = self.config.segment_ohm * self.rows_per_group
        lead_ohm = segment_ohm / 2
        last = wire_transfer(g_uS, segment_ohm=segment_ohm, lead_ohm=lead_ohm)
        if not self.config.alternate_ends:
            return last
        flipped = g_uS[..., 1::2, :].flip(-1)
        first = wire_transfer(flipped, segment_ohm=segment_ohm, lead_ohm=lead_ohm).flip(-1)
        last[..., 1::2, :] = first
        return last
