"""`analognas deploy`: put a trained network, or any exported model, on simulated chips."""

from pathlib import Path
from typing import Annotated

import typer

from analognas.cli.options import Device, Settings, Words


def deploy(
    model: Annotated[
        Path,
        typer.Argument(
            help="Folder of a run or of a network; or any exported model: model.pt2 (torch.export),"
            " or weights.safetensors with --architecture.",
            metavar="RUN_OR_MODEL",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder to make; a stopped run goes on there.")],
    pick: Annotated[
        str | None, typer.Option(help="Which network of a run: accuracy, knee, energy, a key.")
    ] = None,
    architecture: Annotated[
        str | None,
        typer.Option(help="Of a .safetensors file: ds-cnn, or an architecture.json."),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(help="Task of --architecture, such as kws (default)."),
    ] = None,
    inputs: Annotated[
        Path | None,
        typer.Option(
            help="Typical inputs (.npz, .safetensors: `inputs`), which set the input ranges."
        ),
    ] = None,
    test: Annotated[
        Path | None,
        typer.Option(
            help="Inputs to measure on, with `labels` if there are any (default: those of the task,"
            " or of --inputs)."
        ),
    ] = None,
    chip: Annotated[
        str | None, typer.Option(help="Chip: name or TOML file (default: the run's, or hermes).")
    ] = None,
    read_mode: Annotated[
        str | None, typer.Option(help="How the chip reads; see `analognas chips show`.")
    ] = None,
    programming: Annotated[
        str,
        typer.Option(help="statistical, or pulse by pulse: verify (cell by cell), gdp (products)."),
    ] = "statistical",
    conductances: Annotated[
        Path | None,
        typer.Option(
            help="Measured conductances of a real chip (.csv, .parquet) instead of programming, in"
            " the form of the CSV file of a deployment."
        ),
    ] = None,
    compensation: Annotated[
        str,
        typer.Option(
            help="Of drift: none, gdc (a factor per core), adabs (batch norms calibrated anew), or"
            " gdc+adabs."
        ),
    ] = "gdc",
    chips: Annotated[
        int | None,
        typer.Option(min=1, help="Simulated chips (default: 25; pulse by pulse: 1)."),
    ] = None,
    times: Annotated[
        str | None,
        typer.Option(help="Times after programming: 1s,1h,1d (default: five, 1 s to 1 year)."),
    ] = None,
    keep_digital: Annotated[
        list[str] | None,
        typer.Option(help="Layer or weight that stays digital; may be repeated."),
    ] = None,
    hardware: Annotated[
        str | None,
        typer.Option(help="Analog hardware: a preset or TOML file (default: the chip's)."),
    ] = None,
    set_: Settings = None,
    part: Annotated[str, typer.Option(help="Of a run's data: test or validation.")] = "test",
    data: Annotated[
        Path | None, typer.Option(help="The data, a folder or an archive (default: the run's).")
    ] = None,
    words: Words = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the chips.")] = 0,
    device: Device = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Put a network on chips: place, program, age, compensate, measure.

    The folder holds the conductances of every cell, core by core, scales,
    input ranges, routing, placement, accuracy over a year with its spread over
    chips, modelled cost, and a log of the programming. Finished chips are kept:
    after Ctrl-C, give the same command again.

    A network of a run:
    `analognas deploy runs/kws --pick accuracy --out deployed`

    Any model, exported by
    `torch.export.save(torch.export.export(model.eval(), (x,)), "m.pt2")`:
    `analognas deploy m.pt2 --inputs train.npz --test test.npz --out deployed`

    The same with `--conductances measured.csv`: a real chip, as it was read.
    """
    from analognas.analyzing import parse_times
    from analognas.cli.output import progress, say, show_json, show_table
    from analognas.deploying import (
        DeploymentSettings,
        SourceRequest,
        find_source,
        hardware_of_chip,
        write_deployment,
    )
    from analognas.deploying.tables import time_table
    from analognas.errors import checking
    from analognas.files import check_new_folder
    from analognas.records import EVALUATION_TIMES_S
    from analognas.simulator.chip import load_chip
    from analognas.training import pick_device

    check_new_folder(out)
    if chip is not None:
        with checking("chip"):
            load_chip(chip).read_mode(read_mode)
    request = SourceRequest(
        model=model,
        pick=pick,
        architecture=architecture,
        task=task,
        inputs=inputs,
        test=test,
        data=data,
        words=words,
        part=part,
        keep_digital=tuple(keep_digital or ()),
    )
    place = pick_device(device)
    source = find_source(request, device=place)
    with checking("chip"):
        target = load_chip(chip or source.chip or "hermes")
    if hardware is None and target.name == source.chip:
        hardware = source.hardware
    chosen = hardware_of_chip(target, read_mode, name=hardware, settings=set_ or ())
    settings = DeploymentSettings(
        chip=target,
        hardware=chosen,
        read_mode=read_mode,
        programming=programming,
        chips=chips or (25 if programming == "statistical" else 1),
        times_s=parse_times(times) if times else tuple(EVALUATION_TIMES_S.values()),
        compensation=compensation,
        keep_digital=request.keep_digital,
        seed=seed,
        device=place,
        conductances=conductances,
    )
    try:
        with progress("chips", settings.chips) as bar:
            found = write_deployment(out, source, settings, progress=bar.update)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "finished chips are kept; give the same command again to go on."
        ) from None
    if json:
        show_json(found.to_dict())
        return
    columns, rows = time_table(found)
    shown = ["time", found.score_name, "sd", columns[4], "agreement_with_digital", "output_error"]
    kept = [columns.index(name) for name in shown]
    lines = [[*(row[index] for index in kept), "simulated"] for row in rows]
    if len(found.chips) == 1:  # no spread, no band
        lines = [[*line[:2], None, None, *line[4:]] for line in lines]
    if found.digital_accuracy is not None:
        lines.insert(0, ["no analog effect", found.digital_accuracy, *[None] * 4, "digital"])
    cost = found.cost
    how = "conductances as measured" if conductances else f"{programming} programming"
    count = f"{len(found.chips)} chip{'s' if len(found.chips) > 1 else ''}"
    show_table(
        f"{found.title} on {target.name}: {how}, {found.compensation}, {count}, "
        f"{found.examples} inputs ({found.data})",
        [name.replace("_", " ") for name in (*shown, "kind")],
        lines,
        formats={name.replace("_", " "): ".4f" for name in shown[1:]},
        note="\n".join(
            [
                *found.notes,
                found.placement.summary(),
                f"{found.parameters:,} parameters; modelled on {cost.chip} ({cost.read_mode}): "
                f"{cost.energy_nJ:,.4g} nJ, {cost.latency_us:,.4g} us per inference. {cost.scope}",
            ]
        ),
    )
    say(f"Written: {out} (README.txt says what is in it).")
