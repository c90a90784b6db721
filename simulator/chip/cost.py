"""Energy, latency and area of one inference on a chip.

Layers run one after another; all cores of a layer work in parallel, whether they hold row parts
(partial sums) or column parts of its matrix. With `e` and `t` for energy and latency of one MVM:

    energy  = sum over layers of  mvms * cores * e       (a whole core, however little is used)
    latency = sum over layers of  mvms * t
    area    = cores * area of a core
"""

from dataclasses import asdict, dataclass
from typing import Any

from analognas.simulator.chip.placement import Placement
from analognas.simulator.chip.spec import ChipSpec

# Belongs under every table that shows a cost.
COST_SCOPE = (
    "Energy, latency and area are modelled from published peak figures, not measured. The "
    "published energy covers crossbar array, ADC and PWM input only; digital units, links, buffers "
    "and off-chip parts are not in it. A whole core is charged per matrix-vector multiplication, "
    "however little of it is used. The area is that of the cores."
)


@dataclass(frozen=True, slots=True)
class LayerCost:
    """What one layer costs per inference."""

    layer: str
    rows: int  # of its whole matrix
    columns: int
    cores: int
    mvms: int
    energy_nJ: float
    latency_us: float
    area_mm2: float
    utilisation_fraction: float  # weights per weight position of its cores
    row_parts: int  # partial sums to be added digitally for every output


@dataclass(frozen=True)
class Cost:
    """Modelled cost of one inference."""

    chip: str
    read_mode: str
    energy_nJ: float
    latency_us: float
    area_mm2: float  # of the cores in use
    utilisation_fraction: float  # of the cores in use
    cores: int  # in use
    chip_area_mm2: float  # of all cores
    layers: tuple[LayerCost, ...]
    kind: str = "modelled"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON, with what they cover."""
        return {**asdict(self), "scope": COST_SCOPE}


def estimate_cost(placement: Placement, chip: ChipSpec, read_mode: str | None = None) -> Cost:
    """Model the cost of one inference.

    Args:
        placement: Made for this chip, or for one with cores of the same size.
        chip: Gives energy and latency of an MVM, and the area.
        read_mode: One of `chip.read_modes`; the default mode of the chip if not given.

    Raises:
        ValueError: If the read mode is unknown or the placement does not belong on this chip.
    """
    mode = chip.read_mode(read_mode)
    rows, columns = chip.rows, chip.columns
    if (placement.rows, placement.columns) != (rows, columns) or placement.used_cores > chip.cores:
        raise ValueError(
            f"The placement must suit chip {chip.name!r} with {chip.cores} cores of {rows} x "
            f"{columns}, but it uses {placement.used_cores} cores of {placement.rows} x "
            f"{placement.columns}. Place the network on this chip first."
        )
    core_area_mm2 = chip.area_mm2_per_core
    layers = []
    for shape, blocks in zip(placement.layers, placement.blocks().values(), strict=True):
        cores = len(blocks)
        first_column = blocks[0].column_start
        layers.append(
            LayerCost(
                layer=shape.name,
                rows=shape.rows,
                columns=shape.columns,
                cores=cores,
                mvms=shape.mvms,
                energy_nJ=shape.mvms * cores * mode.energy_nJ_per_mvm,
                latency_us=shape.mvms * mode.latency_ns * 1e-3,
                area_mm2=cores * core_area_mm2,
                utilisation_fraction=shape.weights / (cores * rows * columns),
                row_parts=sum(block.column_start == first_column for block in blocks),
            )
        )
    return Cost(
        chip=chip.name,
        read_mode=mode.name,
        energy_nJ=sum(layer.energy_nJ for layer in layers),
        latency_us=sum(layer.latency_us for layer in layers),
        area_mm2=placement.used_cores * core_area_mm2,
        utilisation_fraction=placement.utilisation_fraction,
        cores=placement.used_cores,
        chip_area_mm2=chip.area_mm2,
        layers=tuple(layers),
    )
