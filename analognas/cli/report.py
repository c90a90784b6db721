"""`analognas report`: write the report of a run again."""

from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write report.html from the files of a run, and show its networks."""
    from analognas.cli.output import say, show_table
    from analognas.deployment.bundle import read_bundles
    from analognas.deployment.winners import FOLDER
    from analognas.reporting import write_report
    from analognas.reporting.tables import NETWORK_FORMATS, network_columns, network_rows
    from analognas.simulator.chip import COST_SCOPE

    path = write_report(run)
    bundles = read_bundles(run / FOLDER)
    show_table(
        f"Networks of {run}, accuracy on the test part",
        network_columns(bundles),
        network_rows(bundles),
        as_json=json,
        note=COST_SCOPE,
        formats=NETWORK_FORMATS,
    )
    say(f"Written to {path}.")
