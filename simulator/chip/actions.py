"""What one matrix-vector multiplication (MVM) on one core takes: action counts times energies.

With `r` rows and `c` columns in use and `p = ceil(c / ADCs)` passes of the shared ADCs:

    time     p t_conversion
    array    r c e_cell             every weight in use
    dac      r p e_dac              every row is driven once per pass
    adc      c e_adc
    digital  c e_operation          scale and offset of every output word
    buffers  (r + c) bits e_bit     inputs are read, outputs written
    links    c bits e_bit           outputs leave the core

A core whose unused rows and columns are not gated takes the energy of all of them. Published energy
of a whole core that is not split stands as one component, `core`.
"""

from dataclasses import dataclass

COMPONENTS = ("core", "array", "dac", "adc", "digital", "links", "buffers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Actions:
    """Sizes of a core, and its time and energies in one read mode."""

    rows: int
    columns: int
    adcs: int
    bits: int  # of an input and of an output word
    conversion_ns: float
    gates_unused: bool
    core_nJ: float = 0.0
    cell_nJ: float = 0.0
    dac_nJ: float = 0.0
    adc_nJ: float = 0.0
    affine_nJ: float = 0.0  # per word
    aggregation_nJ: float = 0.0  # per word; partial sums are added after their conversion
    operation_nJ: float = 0.0  # of other digital work
    buffer_bit_nJ: float = 0.0
    link_bit_nJ: float = 0.0

    def passes(self, columns: int) -> int:
        """How often the shared ADCs convert to read `columns` columns."""
        return -(-columns // self.adcs)

    def latency_ns(self, columns: int) -> float:
        return self.passes(columns) * self.conversion_ns

    def energies_nJ(self, rows: int, columns: int) -> dict[str, float]:
        """Energy of one MVM on `rows x columns` weights by component; free ones are left out."""
        if not self.gates_unused:
            rows, columns = self.rows, self.columns
        energies = {
            "core": self.core_nJ,
            "array": rows * columns * self.cell_nJ,
            "dac": rows * self.passes(columns) * self.dac_nJ,
            "adc": columns * self.adc_nJ,
            "digital": columns * self.affine_nJ,
            "links": columns * self.bits * self.link_bit_nJ,
            "buffers": (rows + columns) * self.bits * self.buffer_bit_nJ,
        }
        return {name: energy for name, energy in energies.items() if energy}
