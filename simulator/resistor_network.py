"""Currents of crossbars and columns as networks of resistors, solved exactly.

Currents are in microamperes, conductances in microsiemens, voltages in volts, wire in ohms. A part
of the network is an admittance and a short-circuit current (its Norton equivalent): a resistor in
series divides both by `1 + resistance * admittance`, a branch in parallel adds to both. Networks
grow in this way from the far end of a wire to its foot, where the current is measured.
"""

import torch
from torch import Tensor

OHM_TO_MEGOHM = 1e-6  # a megohm times a microsiemens is 1


def solve_crossbar(
    g_uS: Tensor, v_V: Tensor, *, row_segment_ohm: float, column_segment_ohm: float
) -> Tensor:
    """Currents out of a crossbar whose rows and columns are resistive wires, exactly.

    Rows are driven before their first column, columns are held at 0 V after their last row; one
    segment of wire lies between neighbours and before the first and after the last cell. Solved
    row by row: what has been solved stays as a network of C terminals. Time grows with R C^3.

    Args:
        g_uS: `(R, C)` conductances, not negative.
        v_V: `(R,)` or `(N, R)` voltages.
        row_segment_ohm: Wire between two columns; 0 is an ideal one.
        column_segment_ohm: Wire between two rows; 0 is an ideal one.

    Returns:
        `(C,)` or `(N, C)` currents in uA, in float64.
    """
    rows, columns = g_uS.shape
    if v_V.shape[-1] != rows:
        raise ValueError(
            f"`v_V` must have one voltage per row, but got {v_V.shape[-1]} for {rows} rows. Give "
            "voltages as (R,) or (N, R)."
        )
    lowest = min(float(g_uS.min()), row_segment_ohm, column_segment_ohm)
    if not lowest >= 0:
        raise ValueError(
            f"Conductances and wires must not be negative, but the lowest is {lowest}. Check the "
            "units and signs."
        )
    g_uS, v_V = g_uS.double(), v_V.double()
    place = torch.arange(1, columns + 1, device=g_uS.device, dtype=torch.float64)
    shared_wire = torch.minimum(place[:, None], place) * (row_segment_ohm * OHM_TO_MEGOHM)
    identity = torch.eye(columns, device=g_uS.device, dtype=torch.float64)
    admittance = torch.zeros_like(identity)
    current = torch.zeros(*v_V.shape[:-1], columns, device=g_uS.device, dtype=torch.float64)
    for row, g in enumerate(g_uS):
        cells = torch.linalg.solve(identity + g[:, None] * shared_wire, torch.diag(g))
        admittance = admittance + cells
        current = current + v_V[..., row, None] * cells.sum(dim=0)
        # Symmetric matrices: solving from the left needs their transposes, which are the same.
        series = identity + admittance * (column_segment_ohm * OHM_TO_MEGOHM)
        current = torch.linalg.solve(series, current[..., None]).squeeze(-1)
        admittance = torch.linalg.solve(series, admittance)
    return current


def wire_transfer(g_uS: Tensor, *, segment_ohm: float, lead_ohm: float) -> Tensor:
    """Share of each cell's short-circuit current that reaches the foot of its column's wire.

    A ladder is linear: the current at its foot is the sum over cells of transfer, conductance and
    voltage against the foot.

    Args:
        g_uS: `(..., S)` conductances along the wire; the foot is behind the last one.
        segment_ohm: Wire between two neighbours.
        lead_ohm: Wire between the last one and the foot.
    """
    admittance = torch.zeros_like(g_uS[..., 0])
    passed = []
    for index, g in enumerate(g_uS.unbind(dim=-1)):
        ohm = lead_ohm if index == g_uS.shape[-1] - 1 else segment_ohm
        admittance = admittance + g
        share = 1 / (1 + ohm * OHM_TO_MEGOHM * admittance)
        admittance = admittance * share
        passed.append(share)
    return torch.stack(passed, dim=-1).flip(-1).cumprod(dim=-1).flip(-1)
