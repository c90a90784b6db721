"""`analognas ask`: the accuracy of a network on changed hardware, without simulation."""

from pathlib import Path
from typing import Annotated

import typer

from analognas.cli.options import (
    ChipOfNetwork,
    DataOfNetwork,
    Device,
    Network,
    Split,
    Surrogate,
    TaskOfNetwork,
    Words,
)

PICK_HELP = "In a run: accuracy, knee (default), energy, a baseline, or a key."


def ask(
    network: Network,
    what_if: Annotated[
        list[str] | None, typer.Argument(help='Questions, such as "adc bits 5, drift x2".')
    ] = None,
    pick: Annotated[str | None, typer.Option(help=PICK_HELP)] = None,
    task: TaskOfNetwork = None,
    data: DataOfNetwork = None,
    words: Words = None,
    split: Split = None,
    chip: ChipOfNetwork = None,
    hardware: Annotated[
        str | None, typer.Option(help="The hardware that is changed: a preset or a TOML file.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Hardware setting key=value before any question; repeatable."),
    ] = None,
    surrogate: Surrogate = None,
    level: Annotated[
        float, typer.Option(min=0.01, max=0.99, help="Of the band around a prediction.")
    ] = 0.8,
    simulate: Annotated[
        bool,
        typer.Option("--simulate", help="Simulate the same with the network's trained weights."),
    ] = False,
    chips: Annotated[int, typer.Option(min=1, help="Simulated chips of every hardware.")] = 5,
    inputs: Annotated[int, typer.Option(min=1, help="Validation inputs of a simulation.")] = 500,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Of the training that --simulate needs without weights."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of that training.")] = 0,
    device: Device = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Ask what the accuracy would be on other hardware: predicted at once, with a band.

    A question is a list of changes, "adc bits 5, drift x2", perhaps with a time: "... at 1 month".
    It can change: adc bits, dac bits, bits, adc range, output noise, tiles, tile rows, tile
    columns, programming noise, read noise, drift, cells, compensation, ir drop, and every setting
    as key=value (converters.adc_bits=5). Values: a number, a factor (x2, half, double), on, off,
    none. Small words are passed over: "what if the ADC had 5 bits" is understood.

    With --simulate the simulated truth stands below each prediction. A run's winners and folders
    of `evaluate --out` bring weights; any other network is first trained as those of the labels
    were, which takes minutes.

    Examples: `analognas ask runs/kws "adc bits 5" "drift x2, no compensation at 1 year"`,
    `analognas ask ds-cnn "one cell, read noise x1.5" --task kws --simulate`.
    """
    from analognas.asking.answers import Simulation, cases_of, predict, trained_for
    from analognas.asking.answers import simulate as simulate_cases
    from analognas.asking.questions import read_question
    from analognas.asking.subject import SubjectRequest, find_subject
    from analognas.asking.tables import answer_table
    from analognas.cli.output import progress, say, show_json, show_table
    from analognas.errors import UserError
    from analognas.training import LABEL_RECIPE

    if (" " in network or "=" in network) and not Path(network).exists():
        raise UserError(
            f"The first argument must be a network, but got {network!r}. For example: "
            f'`analognas ask ds-cnn "{network}"`.'
        )
    questions = [read_question(text) for text in what_if or ()]
    subject = find_subject(
        SubjectRequest(
            network=network,
            pick=pick,
            task=task,
            data=data,
            words=words,
            split=split,
            chip=chip,
            hardware=hardware,
            settings=tuple(set_ or ()),
            surrogate=surrogate,
        )
    )
    chosen = subject.setting.chosen
    about = chosen.surrogate.description
    cases = cases_of(subject.setting.hardware, questions, None if about is None else about.times_s)
    answers = predict(subject, cases, level=level)
    how = Simulation(
        chips=chips,
        inputs=inputs,
        epochs=epochs or LABEL_RECIPE.epochs,
        seed=seed,
        device=device,
    )
    trained = "its trained weights" if subject.bundle else trained_for(subject.setting, how)
    if simulate:
        with progress("training and simulating" if not subject.bundle else "simulating") as bar:
            answers += simulate_cases(subject, cases, how, bar.update)
    if json:
        show_json(
            {
                "network": subject.arch.key,
                "name": subject.name,
                "task": subject.setting.task.title,
                "hardware": subject.setting.hardware.name,
                "surrogate": chosen.to_dict(),
                "warnings": subject.warnings,
                "level": level,
                "simulated_with": trained if simulate else None,
                "answers": [answer.to_dict() for answer in answers],
            }
        )
        return
    for warning in subject.warnings:
        say(f"note: {warning}")
    columns, rows = answer_table(answers)
    note = (
        "Accuracy in %, in brackets the change in points. Predicted: below it the "
        f"{100 * level:g} % band of a network trained like those of the labels, and the 5 % "
        "quantile over chips; where a change is not within the labels, the band promises nothing. "
        f"Predicted by {chosen.name}."
    )
    if simulate:
        note += (
            f" Simulated: with {trained}, on {chips} chips and at most {inputs} validation inputs; "
            "below it the sd over chips and mean - 1.645 sd."
        )
    show_table(
        f"{subject.title}: {subject.setting.task.title}, on {subject.setting.hardware.name}",
        columns,
        rows,
        note=note,
    )
