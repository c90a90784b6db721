"""`analognas export`: take one network out of a run."""

from pathlib import Path
from typing import Annotated

import typer


def export(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    out: Annotated[Path, typer.Option(help="Folder to make.")],
    pick: Annotated[
        str,
        typer.Option(
            help="accuracy, or, among those at most 5 points less accurate, knee (best "
            "compromise) or energy (least); a baseline's name, or a key."
        ),
    ] = "knee",
    train: Annotated[
        bool, typer.Option("--train", help="Train the network if it was only scored.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Export a network: weights, ONNX, placement, accuracy over time, cost, and a README."""
    from analognas.cli.output import progress, say, show_table
    from analognas.deployment.exporting import export_pick
    from analognas.reporting.tables import ACCURACY_FORMATS, accuracy_records

    with progress("training (percent)", 100) as bar:
        bundle = export_pick(run, pick, out, train=train, progress=bar.update)
    records = accuracy_records(bundle)
    show_table(
        f"{bundle.title} {bundle.key}, accuracy on the test part",
        tuple(records[0]),
        [list(record.values()) for record in records],
        as_json=json,
        formats=ACCURACY_FORMATS,
    )
    say(f"Written to {out}.")
