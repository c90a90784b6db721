"""`analognas explore-chip`: which chip would suit given networks."""

from pathlib import Path
from typing import Annotated

import typer

from analognas.cli.options import Device, Words


def explore_chip(
    networks: Annotated[
        list[str],
        typer.Argument(
            help="Folder of a run or of a network, an exported model (.pt2), a named network such"
            " as ds-cnn, or an architecture.json. The last two are trained first.",
            metavar="NETWORK",
        ),
    ],
    chip: Annotated[
        str, typer.Option(help="Template that is varied: name or TOML file.")
    ] = "generic",
    core_size: Annotated[
        str | None,
        typer.Option(help="Rows x columns: 128x128,256x256 (default: the template's and smaller)."),
    ] = None,
    cells: Annotated[
        str | None, typer.Option(help="Devices per polarity of a weight: 1,2 (default: both).")
    ] = None,
    adc_bits: Annotated[
        str | None,
        typer.Option(help="Bits of the ADCs: 4,6,8 (default: those of the read modes)."),
    ] = None,
    read_mode: Annotated[
        str | None, typer.Option(help="Read modes, separated by commas (default: all).")
    ] = None,
    compensation: Annotated[
        str, typer.Option(help="Of drift, separated by commas: none, gdc, adabs, gdc+adabs.")
    ] = "none,gdc",
    after: Annotated[str, typer.Option(help="Time after programming: 1h, 1d, 1mo.")] = "1d",
    chips: Annotated[int, typer.Option(min=1, help="Simulated chips per point.")] = 5,
    samples: Annotated[int, typer.Option(min=1, help="Inputs of the data that are used.")] = 300,
    hardware: Annotated[
        str | None,
        typer.Option(help="Analog hardware: a preset or TOML file (default: the template's)."),
    ] = None,
    task: Annotated[str, typer.Option(help="Task of named networks, such as kws.")] = "kws",
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of training of named networks.")] = 15,
    inputs: Annotated[
        Path | None, typer.Option(help="Typical inputs of .pt2 models (.npz, .safetensors).")
    ] = None,
    test: Annotated[
        Path | None, typer.Option(help="Inputs to measure .pt2 models on, with labels if any.")
    ] = None,
    part: Annotated[str, typer.Option(help="validation (to choose by) or test.")] = "validation",
    data: Annotated[
        Path | None,
        typer.Option(help="The data, folder or archive; see `analognas tasks NAME`."),
    ] = None,
    words: Words = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of training and chips.")] = 0,
    device: Device = "auto",
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for table, JSON and picture; a stopped sweep goes on there."),
    ] = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Show every chip, not only the Pareto chips.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Sweep core size, cells per weight, ADC bits, read mode and drift compensation.

    Every network is put on every chip: accuracy after a day against energy,
    latency and area. Chips that no other chip beats in all four are marked
    (Pareto). Cells are programmed once per core size and number of cells;
    everything else reads the same cells.

    The networks of a run: `analognas explore-chip runs/kws --out chips`

    A small question in a minute:
    `analognas explore-chip analognet-like --task digits --cells 1`

    Bits alone, for any exported model:
    `analognas explore-chip m.pt2 --inputs train.npz --adc-bits 4,5,6,7,8`

    Your own chip: `analognas chips copy generic mine.toml`, `--chip mine.toml`.
    """
    from analognas.cli.output import progress, say, show_json, show_table
    from analognas.deploying import hardware_of_chip
    from analognas.errors import checking
    from analognas.exploring import SweepSettings, choices, explore
    from analognas.exploring.folder import check_folder, write_sweep
    from analognas.exploring.kept_scores import KeptScores
    from analognas.exploring.networks import NetworkRequest, find_networks
    from analognas.exploring.parsing import read_list, read_sizes, read_time, read_whole
    from analognas.exploring.tables import FORMATS, short_table, summary
    from analognas.hardware_choice import load_hardware
    from analognas.simulator.chip import load_chip
    from analognas.training import pick_device

    if out is not None:
        check_folder(out)
    with checking("chip"):
        template = load_chip(chip)
    place = pick_device(device)
    settings = SweepSettings(
        chip=template,
        hardware=None if hardware is None else load_hardware(hardware),
        core_sizes=read_sizes(core_size),
        cells=read_whole("--cells", cells),
        adc_bits=read_whole("--adc-bits", adc_bits),
        read_modes=read_list("--read-mode", read_mode),
        compensations=read_list("--compensation", compensation) or (),
        t_s=read_time(after),
        chips=chips,
        inputs=samples,
        seed=seed,
        device=place,
    )
    choices(settings)
    request = NetworkRequest(
        names=tuple(networks),
        task=task,
        epochs=epochs,
        inputs=inputs,
        test=test,
        part=part,
        data=data,
        words=words,
        seed=seed,
    )
    with progress("preparing", 100) as bar:
        found_networks = find_networks(
            request,
            settings.hardware or hardware_of_chip(template),
            template,
            device=place,
            progress=bar.update,
        )
    try:
        with progress("chips") as bar:
            found = explore(found_networks, settings, kept=KeptScores(out), progress=bar.update)
    except KeyboardInterrupt:
        if out is None:
            raise
        raise KeyboardInterrupt(
            "finished points are kept; give the same command again to go on."
        ) from None
    if json:
        show_json(found.to_dict())
    else:
        columns, rows = short_table(found, pareto_only=not all_)
        which = "every chip" if all_ else "Pareto chips"
        show_table(
            f"{', '.join(found.digital)} on variations of chip {template.name}: {which}, "
            f"{after} after programming",
            columns,
            rows,
            formats={**FORMATS, found.score_name: ".4f"},
            note="\n".join(summary(found)),
        )
    if out is not None:
        write_sweep(out, found)
        say(f"Written: {out} (chips.csv, chips.json, chips.png, chips.svg).")
