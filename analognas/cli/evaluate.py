"""`analognas evaluate`: train one network and measure it on simulated chips."""

from pathlib import Path
from typing import Annotated

import typer

from analognas.cli.options import Device, Settings, Split, Task, Words


def evaluate(
    architecture: Annotated[
        str, typer.Argument(help="An architecture.json, or a named network such as ds-cnn.")
    ],
    task: Task = "kws",
    data: Annotated[
        Path | None,
        typer.Option(help="The data, folder or archive; see `analognas tasks NAME`."),
    ] = None,
    words: Words = None,
    split: Split = None,
    part: Annotated[
        str, typer.Option(help="validation (to choose by) or test (to report).")
    ] = "validation",
    chip: Annotated[str, typer.Option(help="Chip: name or TOML file.")] = "hermes",
    hardware: Annotated[
        str | None,
        typer.Option(
            help="Analog hardware, its tiles as large as the chip's cores: a preset or a TOML "
            "file. Default: that of the chip."
        ),
    ] = None,
    set_: Settings = None,
    chips: Annotated[int, typer.Option(min=1, help="Simulated chips.")] = 25,
    chip_batch: Annotated[
        int | None,
        typer.Option(min=1, help="Chips held in memory at once (default: as many as fit)."),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Epochs of training (default: full schedule).")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of training and of the chips.")] = 0,
    device: Device = "auto",
    out: Annotated[
        Path | None, typer.Option(help="Write the network's bundle into this new folder.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Train one network hardware-aware and measure it over a year on simulated chips.

    The result tells the accuracy at five times between 1 s and 1 year after programming, its mean
    and spread over the chips, and what an inference costs.
    """
    from analognas.cli.output import progress, show_json, show_table
    from analognas.evaluating import EvaluationRequest, evaluate_request, placement_of
    from analognas.hardware_choice import cost_notes, hardware_for_chip
    from analognas.records import EVALUATION_TIMES_S
    from analognas.simulator.chip import cost_scope, load_chip
    from analognas.tasks import load_task

    request = EvaluationRequest(
        architecture=architecture,
        part=part,
        chip=chip,
        hardware=hardware,
        settings=tuple(set_ or ()),
        chips=chips,
        chip_batch=chip_batch,
        epochs=epochs,
        seed=seed,
        device=device,
    )
    loaded = load_task(task, split=split, data=data, words=words)
    with progress("training and measuring", 100) as bar:
        result = evaluate_request(request, loaded, out=out, progress=bar.update)
    if json:
        show_json(result.to_dict())
        return
    analog = result.analog
    one = analog.chips == 1  # no spread
    rows = [
        [name, mean, None if one else sd, None if one else low, "simulated"]
        for name, mean, sd, low in zip(
            EVALUATION_TIMES_S, analog.mean(), analog.spread(), analog.low(), strict=True
        )
    ]
    rows.insert(0, ["without analog effects", result.digital_accuracy, None, None, "digital"])
    cost, placed_on = result.cost, load_chip(chip)
    simulated = hardware_for_chip(hardware, tuple(set_ or ()), placed_on)
    notes = cost_notes(simulated, placed_on, cost.read_mode)
    show_table(
        f"{result.key}: {loaded.title}, {part} part, {analog.chips} "
        f"chip{'s' * (not one)}, seed {seed}",
        ("time after programming", "accuracy", "sd over chips", analog.low_name, "kind"),
        rows,
        formats={"accuracy": ".4f", "sd over chips": ".4f", analog.low_name: ".4f"},
        note=(
            f"{result.parameters:,} parameters, {result.multiplications:,} multiplications; "
            f"modelled on {cost.chip} ({cost.read_mode}): {cost.cores} "
            f"core{'s' * (cost.cores != 1)}, {cost.energy_nJ:,.0f} nJ, {cost.latency_us:,.1f} us. "
            f"{placement_of(result, loaded, placed_on).summary()} "
            f"{cost_scope(placed_on, cost.read_mode)} {' '.join(notes)}"
        ),
    )
