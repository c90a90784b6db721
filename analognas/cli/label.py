"""`analognas label`: make the accuracy labels that surrogates learn from."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from analognas.cli.options import Device, Settings, Split, Words, Workers

if TYPE_CHECKING:
    from analognas.labelling import LabelFolder, RunSummary


def label(
    out: Annotated[Path, typer.Option(help="Folder of the run; an unfinished one is continued.")],
    task: Annotated[
        str | None, typer.Option(help="What the networks must do (see `analognas tasks`).")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="The data, folder or archive; see `analognas tasks NAME`.")
    ] = None,
    words: Words = None,
    split: Split = None,
    space: Annotated[str, typer.Option(help="Search space to sample from.")] = "tinyml",
    networks: Annotated[int, typer.Option(help="How many different networks.")] = 120,
    replicated: Annotated[
        int | None, typer.Option(help="Networks trained under every seed (default: 20 at most).")
    ] = None,
    seeds: Annotated[int, typer.Option(help="Trainings of each replicated network.")] = 3,
    chips: Annotated[
        int | None, typer.Option(help="Simulated chips per trained network (default: 20).")
    ] = None,
    variants: Annotated[
        int,
        typer.Option(help="Hardware variants that every network is measured on besides.", min=0),
    ] = 12,
    epochs: Annotated[
        int | None, typer.Option(help="Epochs per training (default: the label recipe's).")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the sampling of networks.")] = 0,
    hardware: Annotated[
        str | None, typer.Option(help="Analog hardware: a preset's name or a TOML file.")
    ] = None,
    set_: Settings = None,
    workers: Workers = 2,
    device: Device = "auto",
    keep_all_weights: Annotated[
        bool, typer.Option("--keep-all-weights", help="Keep weights of every seed, not of one.")
    ] = False,
    reevaluate: Annotated[
        Path | None,
        typer.Option(help="Measure the kept weights of this label folder again, on --hardware."),
    ] = None,
    merge: Annotated[
        list[Path] | None,
        typer.Option(help="Put this label set into --out; repeat the option. Runs nothing."),
    ] = None,
    finish_now: Annotated[
        bool,
        typer.Option(
            "--finish-now", help="Write the tables of what is done in --out; run nothing."
        ),
    ] = False,
) -> None:
    """Train sampled networks hardware-aware and record their accuracy on simulated chips.

    Every network is also measured on variants of the hardware, and twice on the way of its
    training. The same command continues a run that was stopped. At the end the folder holds a label
    set: labels.parquet, networks.jsonl, card.md and, for the variants and the states on the way,
    variants.parquet, hardware.jsonl and curves.parquet.
    """
    from analognas.errors import UserError
    from analognas.labelling import reopen_folder, run_jobs
    from analognas.labelling.table import write_label_set

    if finish_now:
        with reopen_folder(out) as folder:
            _tell_notices(folder)
            write_label_set(folder)
            _tell_written(folder)
        return

    if merge:
        _merge(merge, out)
        return

    from analognas.cli.output import progress
    from analognas.hardware_choice import load_hardware
    from analognas.labelling import make_plan
    from analognas.labelling.campaign import (
        LabelRequest,
        ReevaluationRequest,
        label_run,
        reevaluation_run,
    )
    from analognas.labelling.job import TaskChoice
    from analognas.tasks.base import parse_words

    chosen_hardware = load_hardware(hardware, set_ or [])
    command = _command_line()
    if reevaluate is not None:
        if chips is not None and chips < 1:
            raise UserError(f"--chips must be at least 1, but got {chips}.")
        run = reevaluation_run(
            ReevaluationRequest(
                source=reevaluate,
                hardware=chosen_hardware,
                chips=chips,
                variants=variants,
                data=str(data) if data else None,
                device=device,
                command=command,
            ),
            out,
        )
    else:
        if task is None:
            raise UserError("--task is missing. `analognas tasks` lists the tasks.")
        plan = make_plan(
            networks=networks,
            replicated=min(20, networks) if replicated is None else replicated,
            seeds=seeds,
            chips=20 if chips is None else chips,
            variants=variants,
            epochs=epochs,
            seed=seed,
            keep_all_weights=keep_all_weights,
        )
        choice = TaskChoice(task, split, str(data) if data else None, parse_words(words))
        run = label_run(
            LabelRequest(
                task=choice,
                plan=plan,
                hardware=chosen_hardware,
                space=space,
                device=device,
                command=command,
            ),
            out,
        )
    with run as (folder, workshop):
        _tell_notices(folder)
        with progress("labels", total=1000, percent=True) as bar:
            summary = run_jobs(folder, workshop, workers=workers, progress=bar.update)
        if not summary.complete:
            raise _failed(folder, summary)
        write_label_set(folder)
        _tell_written(folder)


def _merge(folders: list[Path], out: Path) -> None:
    from analognas.cli.output import say
    from analognas.errors import UserError, checking
    from analognas.surrogates.label_merging import merge_label_sets

    if len(folders) < 2:
        raise UserError("--merge must be given at least twice, but one label set was named.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} is not empty. Choose a new folder with --out.")
    with checking("--merge"):
        table, refused = merge_label_sets(folders)
    for row in refused:
        say(f"refused: {row}")
    table.write(out)
    say(f"{len(table.networks)} trainings from {len(folders)} label sets are in {out}.")


def _command_line() -> str:
    """The command as typed, with folders by their names: their place differs by machine."""
    import shlex
    import sys

    def shorten(argument: str) -> str:
        option, equals, value = argument.rpartition("=")
        return option + equals + (Path(value).name if "/" in value else value)

    return shlex.join(["analognas", *map(shorten, sys.argv[1:])])


def _tell_notices(folder: "LabelFolder") -> None:
    from analognas.cli.output import say

    for notice in folder.notices:
        say(f"warning: {notice}")


def _tell_written(folder: "LabelFolder") -> None:
    from analognas.cli.output import say

    say(
        f"{len(folder.done)} of {len(folder.jobs)} labels are in {folder.path}: "
        "labels.parquet, networks.jsonl, card.md."
    )


def _failed(folder: "LabelFolder", summary: "RunSummary") -> Exception:
    from analognas.errors import RunFailed

    reasons: dict[str, list[str]] = {}
    for job_id, message in summary.failed.items():
        reasons.setdefault(message.splitlines()[-1], []).append(job_id)
    lines = [f"{len(ids)} x {reason} ({', '.join(ids[:3])})" for reason, ids in reasons.items()]
    return RunFailed(
        f"{summary.done} of {summary.total} labels are done, {len(summary.failed)} jobs failed:\n"
        + "\n".join(lines)
        + f"\nThe whole messages are in {folder.path / 'journal.jsonl'}. Run the same command to "
        f"try them again, or `analognas label --out {folder.path} --finish-now` to write "
        "the tables without them."
    )
