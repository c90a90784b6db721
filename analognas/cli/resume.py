"""`analognas resume`: go on with an interrupted search."""

from pathlib import Path
from typing import Annotated

import typer

from analognas.cli.options import AsJson


def resume(
    run: Annotated[Path, typer.Argument(help="Folder of the run.")],
    device: Annotated[
        str | None, typer.Option(help="Where to train now: auto, cpu or cuda. Default: as before.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Go on with an interrupted search; it ends as if it had never stopped."""
    from analognas.cli.output import progress
    from analognas.cli.search import show_result
    from analognas.searching import resume_search

    with progress("search") as bar:
        result = resume_search(run, bar.update, device=device)
    show_result(result, as_json=as_json)
