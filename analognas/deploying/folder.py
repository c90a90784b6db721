"""The folder of a deployment: everything that it takes to put the network on a real chip."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from analognas import __version__
from analognas.deploying import tables
from analognas.deploying.conductance_table import write_csv, write_parquet
from analognas.deploying.deploying import Finished, Progress, deploy
from analognas.deploying.kept_chips import remove_kept
from analognas.deploying.records import MEASURED, ChipDeployment
from analognas.deploying.settings import DeploymentSettings
from analognas.deploying.sources import Source
from analognas.deployment.bundle import write_json, write_table, writing_folder
from analognas.files import check_new_folder, write_text
from analognas.records import EVALUATION_TIMES_S
from analognas.simulator.chip.cost import cost_scope

DEPLOYMENT = "deployment.json"
ALL_CELLS = "conductances.parquet"
ONE_CHIP = "conductances_chip_{}.csv"
ROUTING, COLUMNS, LAYERS = "routing.csv", "columns.csv", "layers.csv"
PLACEMENT, TIMES, COST = "placement.json", "accuracy_over_time.csv", "cost.csv"
PROGRAMMING, HARDWARE, CHIP, README = "programming.csv", "hardware.toml", "chip.toml", "README.txt"
FILE_TEXTS: Mapping[str, str] = {
    ALL_CELLS: "target and conductance of every cell of every chip",
    ONE_CHIP: "the same of the first chip alone: the form of measured ones",
    ROUTING: "which core holds which rows and columns of which layer, and in which order",
    COLUMNS: "scale and bias of every column",
    LAYERS: "input range of every layer",
    PLACEMENT: "the placement, to be read by programs",
    TIMES: "expected accuracy over time, mean, band and every chip",
    COST: "modelled cost by layer and component, the total in the last row",
    PROGRAMMING: "pulses, reads, energy and time of programming, by tile",
    HARDWARE: "what was simulated; input of --hardware",
    CHIP: "figures of the chip; input of --chip",
    DEPLOYMENT: "everything that was found, with settings and hashes",
}


def write_deployment(
    out: Path,
    source: Source,
    settings: DeploymentSettings,
    *,
    progress: Progress | None = None,
) -> ChipDeployment:
    """Deploy a network into a new folder; chips that a stopped run has finished are not done again.

    Args:
        out: It appears at once, complete.
        source: The network.
        settings: How.
        progress: Told how many chips are finished.

    Raises:
        UserError: The folder is in use, or the network cannot be deployed.
    """
    out = out.resolve()
    check_new_folder(out)
    finished = deploy(source, settings, keep_in=out, progress=progress)
    with writing_folder(out) as folder:
        _write(folder, finished)
    remove_kept(out)
    return finished.deployment


def _write(folder: Path, finished: Finished) -> None:
    deployment, tiles = finished.deployment, finished.tiles
    numbers = [one.chip for one in deployment.results]
    write_parquet(folder / ALL_CELLS, [finished.conductances(number) for number in numbers])
    write_csv(folder / ONE_CHIP.format(numbers[0]), finished.conductances(numbers[0]))
    for name, table in (
        (ROUTING, tables.routing_table(deployment, tiles)),
        (COLUMNS, tables.column_table(tiles)),
        (LAYERS, tables.layer_table(deployment.layers)),
        (TIMES, tables.time_table(deployment)),
        (COST, tables.cost_table(deployment)),
        (PROGRAMMING, tables.programming_table(deployment)),
    ):
        write_table(folder / name, *table)
    write_json(folder / PLACEMENT, deployment.placement.to_dict())
    write_text(folder / HARDWARE, deployment.hardware.to_toml())
    write_text(folder / CHIP, deployment.chip.to_toml())
    write_json(folder / DEPLOYMENT, deployment.to_dict())
    write_text(folder / README, describe(deployment))


def describe(deployment: ChipDeployment) -> str:
    """Say in plain text what was deployed, how well it computes, and what the files hold."""
    one, cost, score = deployment, deployment.cost, deployment.score()
    count = len(one.chips)
    chips = f"{count} {'chip' if count == 1 else 'chips'}"
    how = "conductances as measured" if one.programming == MEASURED else f"{one.programming}"
    lines = [
        f"{one.title} on chip {one.chip.name}, made by analognas {__version__}",
        "",
        f"chip          {one.chip.title} ({one.chip.hash})",
        f"hardware      {one.hardware.name} ({one.hardware.hash}), simulated",
        f"network       {one.parameters:,} parameters (weights {one.key})",
        f"placement     {one.placement.summary()}",
        f"programming   {how}; compensation {one.compensation}; {chips}, seed {one.seed}",
        "",
        f"{_score_text(one)}, simulated on {one.examples} inputs ({one.data}):",
        "",
        f"  {'time':<9}{'mean':>8}{'sd':>8}{score.low_name:>20}{'output error':>15}",
    ]
    names = {t_s: name for name, t_s in EVALUATION_TIMES_S.items()}
    errors = one.output_error().mean()
    for t_s, mean, sd, low, error in zip(
        one.times_s, score.mean(), score.spread(), score.low(), errors, strict=True
    ):
        time = names.get(t_s, f"{t_s:g} s")
        band = f"{sd:8.4f}{low:20.4f}" if count > 1 else f"{'-':>8}{'-':>20}"
        lines.append(f"  {time:<9}{mean:8.4f}{band}{error:15.4f}")
    if one.digital_accuracy is not None:
        lines.append(f"  {'digital':<9}{one.digital_accuracy:8.4f}   (no analog effect)")
    lines += ["", *one.notes, *([""] if one.notes else [])]
    lines += [
        f"energy        {cost.energy_nJ:.4g} nJ per inference (modelled, {cost.read_mode} reads)",
        f"latency       {cost.latency_us:.4g} us per inference (modelled)",
        f"area          {cost.area_mm2:.4g} mm2 of cores (modelled)",
        cost_scope(one.chip, cost.read_mode),
        "",
    ]
    work = one.work()
    if work is not None:
        lines += [
            f"Programming {chips}: {work.pulses:,} pulses ({work.pulses / work.cells:.1f} per "
            f"cell), {work.cell_reads:,} cell reads, {work.mvms:,} products; {work.energy_uJ:.4g} "
            f"uJ, {work.time_ms:.4g} ms one tile after another (modelled); "
            f"{work.converged_fraction:.1%} within what was asked for.",
            "",
        ]
    files = {name.format(one.results[0].chip): text for name, text in FILE_TEXTS.items()}
    lines += [f"{name:<26}{text}" for name, text in files.items()]
    lines += [
        "",
        *_meaning(deployment.hardware.mapping.cells_per_weight),
        "An output is its bias plus, over all blocks that hold it, scale x input range x what the",
        "ADC reads, in units of a fully driven cell of the largest conductance.",
        "To evaluate a real chip: measure its cells, write them in the form of the CSV file, and",
        "give the same `analognas deploy` command again with `--conductances FILE`.",
    ]
    return "\n".join(lines) + "\n"


def _meaning(cells: int) -> list[str]:
    if cells == 2:
        return ["A weight is cell 0 minus cell 1, over the largest conductance, times its scale."]
    return [f"A weight has {cells} cells; hardware.toml says under `mapping` how they add up."]


def _score_text(deployment: ChipDeployment) -> str:
    if deployment.score_name == "accuracy":
        return "Accuracy"
    return "Share of answers that are those of the digital network (no labels were given)"
