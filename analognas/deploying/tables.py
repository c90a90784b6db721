"""The tables of a deployment's folder: routing, columns, layers, accuracy, cost, programming."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields

from analognas.deploying.core_map import PlacedTile
from analognas.deploying.records import ChipDeployment, LayerSettings
from analognas.records import EVALUATION_TIMES_S
from analognas.simulator.chip import LayerCost
from analognas.simulator.mapping import row_parts

Table = tuple[list[str], list[list[object]]]


def routing_table(deployment: ChipDeployment, tiles: Sequence[PlacedTile]) -> Table:
    """Which core reads which inputs of a layer and gives which outputs, in the order of execution.

    Blocks of a layer with the same outputs are partial sums: part 1 starts them, the others add.
    """
    columns = [
        *("order", "layer", "block", "core"),
        *("core_row_start", "core_row_stop", "core_column_start", "core_column_stop"),
        *("input_start", "input_stop", "output_start", "output_stop"),
        *("partial_sum", "partial_sums", "reads_per_inference"),
    ]
    order = {shape.name: place for place, shape in enumerate(deployment.placement.layers)}
    reads = {shape.name: shape.mvms for shape in deployment.placement.layers}
    rows: list[list[object]] = []
    for one in sorted(tiles, key=lambda one: (order[one.layer], one.block)):
        block, placed = one.tile.block, one.placed
        same = [
            other.tile.block
            for other in tiles
            if other.layer == one.layer and other.tile.block.column_start == block.column_start
        ]
        part = 1 + sorted(other.row_start for other in same).index(block.row_start)
        rows.append(
            [
                *(order[one.layer], one.layer, one.block, placed.core),
                *(placed.row_offset, placed.row_offset + block.rows),
                *(placed.column_offset, placed.column_offset + block.columns),
                *(block.row_start, block.row_stop, block.column_start, block.column_stop),
                *(part, row_parts(same), reads[one.layer]),
            ]
        )
    return columns, rows


def column_table(tiles: Sequence[PlacedTile]) -> Table:
    """The digital numbers of every column: output = bias + scale x input range x what is read."""
    columns = ["core", "column", "layer", "block", "output", "scale", "bias"]
    rows: list[list[object]] = []
    for one in tiles:
        block = one.tile.block
        bias = None if one.twin.bias is None else one.twin.bias.tolist()
        starts = one.twin.begins_columns(block)
        for column, scale in enumerate(one.tile.column_scale.tolist()):
            output = block.column_start + column
            added = 0.0 if bias is None or not starts else bias[output]
            rows.append(
                [
                    one.placed.core,
                    one.placed.column_offset + column,
                    one.layer,
                    one.block,
                    output,
                    scale,
                    added,
                ]
            )
    return columns, rows


def layer_table(layers: Sequence[LayerSettings]) -> Table:
    """Input ranges and blocks of every layer."""
    return [one.name for one in fields(LayerSettings)], [
        list(asdict(layer).values()) for layer in layers
    ]


def time_table(deployment: ChipDeployment) -> Table:
    """Expected accuracy (or agreement) over time, its band over chips, and every chip."""
    score, error = deployment.score(), deployment.output_error()
    names = {t_s: name for name, t_s in EVALUATION_TIMES_S.items()}
    columns = ["time", "t_s", deployment.score_name, "sd", f"low ({score.low_name})"]
    columns += ["agreement_with_digital", "output_error"]
    columns += [f"chip_{one.chip}" for one in deployment.results]
    rows: list[list[object]] = []
    for place, t_s in enumerate(deployment.times_s):
        rows.append(
            [
                names.get(t_s, f"{t_s:g} s"),
                t_s,
                score.mean()[place],
                score.spread()[place],
                score.low()[place],
                deployment.agreement().mean()[place],
                error.mean()[place],
                *score.accuracy[place],
            ]
        )
    return columns, rows


def cost_table(deployment: ChipDeployment) -> Table:
    """Modelled cost by layer, the total in the last row, with the energy by component."""
    cost = deployment.cost
    names = [one.name for one in fields(LayerCost)]
    components = list(cost.components_nJ)
    columns = [*names, *(f"{name}_nJ" for name in components), "chip", "read_mode", "kind"]
    total = {**asdict(cost), "layer": "total", "mvms": sum(one.mvms for one in cost.layers)}
    rows: list[list[object]] = []
    for record, parts in (
        *((asdict(layer), cost.layer_components_nJ[layer.layer]) for layer in cost.layers),
        (total, cost.components_nJ),
    ):
        values = [record.get(name, "") for name in names]
        shares = [parts.get(name, 0.0) for name in components]
        rows.append([*values, *shares, cost.chip, cost.read_mode, cost.kind])
    return columns, rows


def programming_table(deployment: ChipDeployment) -> Table:
    """What programming every tile of every chip took; empty where no pulses were simulated."""
    columns = ["chip", "core", "layer", "block"]
    rows: list[list[object]] = []
    named = False
    for chip in deployment.chips:
        for one in chip.logs:
            record = asdict(one.log)
            if not named:
                columns, named = [*columns, "pulses", *record], True
            rows.append(
                [
                    chip.result.chip,
                    one.core,
                    one.layer,
                    one.block,
                    one.log.pulses,
                    *record.values(),
                ]
            )
    return columns, rows
