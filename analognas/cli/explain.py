"""`analognas explain`: why a network is as good as it is, and what would change it."""

from pathlib import Path
from typing import Annotated

import typer

from analognas.cli.options import (
    ChipOfNetwork,
    DataOfNetwork,
    Device,
    Network,
    Settings,
    Split,
    Surrogate,
    TaskOfNetwork,
    Words,
)


def explain(
    network: Network,
    pick: Annotated[
        str | None,
        typer.Option(help="In a run: accuracy, knee (default), energy, a key; all trained: all."),
    ] = None,
    task: TaskOfNetwork = None,
    data: DataOfNetwork = None,
    words: Words = None,
    split: Split = None,
    chip: ChipOfNetwork = None,
    hardware: Annotated[
        str | None, typer.Option(help="Analog hardware: a preset or a TOML file.")
    ] = None,
    set_: Settings = None,
    surrogate: Surrogate = None,
    labels: Annotated[
        str | None,
        typer.Option(help="Label set, name or folder. Default: the shipped one of these data."),
    ] = None,
    level: Annotated[float, typer.Option(min=0.01, max=0.99, help="Of the bands.")] = 0.8,
    pairs: Annotated[int, typer.Option(min=0, help="Pairs of changes to show at most.")] = 8,
    simulate: Annotated[
        int,
        typer.Option(min=0, help="Train the network and so many of its changes, and measure them."),
    ] = 0,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each for --simulate.")] = 2,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Of each training (default: as for labels).")
    ] = None,
    chips: Annotated[int, typer.Option(min=1, help="Simulated chips of each training.")] = 8,
    device: Device = "auto",
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for explain.md, .png and .json, and for finished trainings."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Explain a network: contributions of its choices, what would change it, what labels say.

    First, what each choice (depth, width, kernels, skips, tiles ...) adds to the predicted
    accuracy, from the average network of the space to this one. Second, the network changed in
    every sensible way, alone and two at a time: predicted accuracy, modelled cost. Third, what the
    labels of the task say on wide against deep, skips, depthwise layers and kernel size.

    All of it is prediction, until --simulate N trains the network and the N most interesting
    changes side by side: minutes for each. Finished trainings stay in the folder of the run (or
    --out), so that the same command goes on, or answers at once.

    Examples: `analognas explain runs/kws --pick all --out explained`,
    `analognas explain ds-cnn --task kws --simulate 2 --out explained`.
    """
    import sys

    from analognas.asking.subject import SubjectRequest, find_subjects
    from analognas.benchmarks.running import command_of
    from analognas.cli.output import progress, say, show_json, show_table
    from analognas.errors import UserError
    from analognas.explaining.checking import Check
    from analognas.explaining.explanation import (
        check_explanation,
        explain_network,
        what_labels_say,
    )
    from analognas.explaining.page import FIGURE, NUMBERS, PAGE, to_json, write_page
    from analognas.explaining.tables import explanation_tables, labels_table, sentences
    from analognas.training import LABEL_RECIPE, pick_device

    if out is not None and out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file. Choose a folder with --out.")
    subjects = find_subjects(
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
    setting = subjects[0].setting
    kept = setting.run / "explain" if setting.run is not None else out
    if simulate and kept is None:
        raise UserError(
            "--simulate keeps its trainings, but there is no folder for them. Name one with --out."
        )
    says = what_labels_say(subjects[0], labels)
    found = []
    with progress("explaining") as bar:
        for subject in subjects:
            found.append(
                explain_network(subject, level=level, most_pairs=pairs, progress=bar.update)
            )
    if simulate and kept is not None:
        how = Check(
            cache=kept / "trainings",
            seeds=seeds,
            epochs=epochs or LABEL_RECIPE.epochs,
            chips=chips,
            device=str(pick_device(device)),
        )
        try:
            for place, one in enumerate(found):
                with progress(f"training, {one.subject.title}") as bar:
                    found[place] = check_explanation(one, simulate, how, bar.update)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                "finished trainings are kept; give the same command again to go on."
            ) from None
    if out is not None:
        write_page(out, found, says, command=command_of(sys.argv[1:]))
        say(f"Written: {out} ({PAGE}, {FIGURE}, {NUMBERS}).")
    if json:
        show_json(to_json(found, says))
        return
    for warning in dict.fromkeys(text for subject in subjects for text in subject.warnings):
        say(f"note: {warning}")
    for one in found:
        for table in explanation_tables(one):
            show_table(table.title, table.columns, table.rows, note=table.note)
        lines = sentences(one)
        show_table("In short", ("change",), [(line,) for line in lines])
    if says.name is None:
        say(says.about)
    else:
        last = labels_table(says)
        show_table(last.title, last.columns, last.rows, note=last.note)
