"""`analognas report`: write the report of a run again."""

from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    figures: Annotated[
        Path | None, typer.Option(help="Also write the figures as PNG files into this folder.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write report.html from the files of a run, and show its networks."""
    from analognas.cli.output import say, show_json, show_table
    from analognas.reporting import write_figures, write_report
    from analognas.reporting.contents import read_run
    from analognas.reporting.tables import network_records, terminal_formats

    path = write_report(run)
    if figures is not None:
        for figure in write_figures(run, figures):
            say(f"Written to {figure}.")
    contents = read_run(run)
    records = network_records(contents.bundles, contents.config.min_accuracy)
    formats = terminal_formats(records)
    if json:
        show_json(records)
    else:
        show_table(
            f"Networks of {run}, accuracy on the test part",
            tuple(formats),
            [[record[column] for column in formats] for record in records],
            note=contents.scope,
            formats=formats,
        )
    say(f"Written to {path}.")
