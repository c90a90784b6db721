"""`analognas analyze`: where the errors of analog hardware come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from analognas.cli.options import Device, Settings, Words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from analognas.reporting.simulator_tables import ShownTable

analyze_app = typer.Typer(no_args_is_help=True)

HARDWARE_HELP = "Analog hardware: a preset (hermes, standard_aimc ...) or a TOML file."
TIMES_HELP = "Times after programming: 1s,1h,1d,1y (default: five from 1 s to 1 year)."
OUT_HELP = "Also write the tables as a page (.md)."
FIGURES_HELP = "Also write the pictures as PNG files into this folder."


@analyze_app.callback()
def analyze() -> None:
    """Take the error of analog hardware apart: by time, by effect, by layer."""


@analyze_app.command()
def tile(
    hardware: Annotated[str | None, typer.Option(help=HARDWARE_HELP)] = None,
    set_: Settings = None,
    times: Annotated[str | None, typer.Option(help=TIMES_HELP)] = None,
    rows: Annotated[
        int | None, typer.Option(min=1, help="Inputs of the matrix (default: those of a tile).")
    ] = None,
    columns: Annotated[
        int | None, typer.Option(min=1, help="Outputs of the matrix (default: those of a tile).")
    ] = None,
    chips: Annotated[int, typer.Option(min=1, help="Simulated chips.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights, inputs and chips.")] = 0,
    out: Annotated[Path | None, typer.Option(help=OUT_HELP)] = None,
    figures: Annotated[Path | None, typer.Option(help=FIGURES_HELP)] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure a synthetic matrix: its error over time, and which effect it comes from.

    The weights are normal and clipped, half of the inputs are zero; no training, no data.

    Examples: `analognas analyze tile --hardware standard_aimc`, and what fewer ADC bits would do:
    `analognas analyze tile --hardware standard_aimc --set converters.adc_bits=6`.
    """
    import sys

    from analognas.analyzing import TileRequest, analyze_tile
    from analognas.benchmarks.running import command_of
    from analognas.cli.output import progress, show_json
    from analognas.reporting.simulator_figures import plot_effect_budget, plot_mvm_error
    from analognas.reporting.simulator_tables import tile_json, tile_tables, to_page
    from analognas.simulator.analysis import MvmWorkload

    request = TileRequest(
        hardware=hardware,
        settings=tuple(set_ or ()),
        times=times,
        chips=chips,
        seed=seed,
        workload=MvmWorkload(rows=rows, columns=columns),
    )
    _check_page(out)
    with progress("measuring the tile") as bar:
        found = analyze_tile(request, bar.update)
    tables = tile_tables(found)
    if json:
        show_json(tile_json(found))
    else:
        _show(tables)
    if out is not None:
        title = f"Error of a tile on {found.hardware.name}"
        _write_page(out, to_page(title, command_of(sys.argv[1:]), tables))
    if figures is not None:
        pictures = {"tile_error": plot_mvm_error({found.hardware.name: found.errors})}
        if found.budget:
            pictures["tile_budget"] = plot_effect_budget(found.budget, t_s=found.errors[-1].t_s)
        _write_pictures(figures, pictures)


@analyze_app.command()
def network(
    folder: Annotated[
        Path,
        typer.Argument(help="Folder of a run, or of one network (`evaluate --out`, `export`)."),
    ],
    pick: Annotated[
        str | None,
        typer.Option(help="In a run: accuracy, knee (default), energy, a baseline, or a key."),
    ] = None,
    hardware: Annotated[
        str | None, typer.Option(help=f"{HARDWARE_HELP} Default: that of the training.")
    ] = None,
    set_: Settings = None,
    times: Annotated[str | None, typer.Option(help=TIMES_HELP)] = None,
    chips: Annotated[int, typer.Option(min=1, help="Simulated chips.")] = 5,
    inputs: Annotated[int, typer.Option(min=1, help="Inputs of the data that are used.")] = 200,
    part: Annotated[str, typer.Option(help="validation or test.")] = "validation",
    sensitivity: Annotated[
        bool, typer.Option(help="Evaluate with every layer as the only analog or digital one.")
    ] = True,
    data: Annotated[
        Path | None, typer.Option(help="The data, a folder or an archive (default: the run's).")
    ] = None,
    words: Words = None,
    device: Device = "auto",
    out: Annotated[Path | None, typer.Option(help=OUT_HELP)] = None,
    figures: Annotated[Path | None, typer.Option(help=FIGURES_HELP)] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure the layers of a trained network: errors, conductances, who needs to be digital.

    The seed is that of the network's training: the chips are those of its evaluation.

    Examples: `analognas analyze network runs/kws --pick accuracy`, and the same weights on other
    hardware: `analognas analyze network runs/kws --hardware standard_aimc --times 1s,1d`.
    """
    import sys

    from analognas.analyzing import NetworkRequest, analyze_network
    from analognas.benchmarks.running import command_of
    from analognas.cli.output import progress, show_json
    from analognas.reporting.simulator_figures import (
        plot_conductances,
        plot_layer_errors,
        plot_layer_sensitivity,
    )
    from analognas.reporting.simulator_tables import network_json, network_tables, to_page

    request = NetworkRequest(
        folder=folder,
        pick=pick,
        hardware=hardware,
        settings=tuple(set_ or ()),
        times=times,
        chips=chips,
        inputs=inputs,
        part=part,
        sensitivity=sensitivity,
        data=data,
        words=words,
        device=device,
    )
    _check_page(out)
    with progress("measuring the network") as bar:
        found = analyze_network(request, bar.update)
    tables = network_tables(found)
    if json:
        show_json(network_json(found))
    else:
        _show(tables)
    if out is not None:
        _write_page(out, to_page(f"Layers of {found.title}", command_of(sys.argv[1:]), tables))
    if figures is not None:
        pictures = {
            "layer_errors": plot_layer_errors(found.errors),
            "conductances": plot_conductances(found.conductances),
        }
        if found.sensitivity is not None:
            pictures["layer_sensitivity"] = plot_layer_sensitivity(
                found.sensitivity, t_s=found.sensitivity_t_s
            )
        _write_pictures(figures, pictures)


def _show(tables: Sequence[ShownTable]) -> None:
    from analognas.cli.output import show_table

    for table in tables:
        show_table(
            table.title, table.columns, table.rows, note=table.note, formats=dict(table.formats)
        )


def _check_page(out: Path | None) -> None:
    """Refuse another kind of page before the work begins."""
    from analognas.errors import UserError

    if out is not None and out.suffix != ".md":
        raise UserError(f"`--out` must name a page that ends in .md, but got {out}.")


def _write_page(out: Path, text: str) -> None:
    from analognas.cli.output import say
    from analognas.files import write_text

    write_text(out, text)
    say(f"Written: {out}.")


def _write_pictures(folder: Path, pictures: Mapping[str, Figure]) -> None:
    from analognas.cli.output import say
    from analognas.files import writing

    for name, figure in pictures.items():
        figure.set_facecolor("white")
        with writing(folder / f"{name}.png") as path:
            figure.savefig(path, dpi=160)
        say(f"Written: {folder / name}.png.")
