"""`analognas data`: get data sets that are too large for the package."""

from pathlib import Path
from typing import Annotated

import typer

data_app = typer.Typer(no_args_is_help=True)


@data_app.callback()
def data() -> None:
    """Get data sets that are too large for the package.

    The tasks digits and imu need none, nor does kws, which also takes speech-commands.

    The task cifar10 takes the data set of this name.

    The task vww takes COCO, to be had from https://cocodataset.org.
    """


@data_app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="Data set: cifar10, speech-commands.")],
    out: Annotated[
        Path | None, typer.Option(help="New folder for it. Default: the name of the data set.")
    ] = None,
    url: Annotated[str | None, typer.Option(help="Another source of the same archive.")] = None,
    sha256: Annotated[
        str | None, typer.Option(help="Hash of the archive, if the source has another one.")
    ] = None,
) -> None:
    """Download a data set, check it and unpack it; an interrupted download is continued."""
    from dataclasses import replace

    from analognas.cli.output import progress, say
    from analognas.errors import lookup
    from analognas.tasks.fetching import ARCHIVES
    from analognas.tasks.fetching import fetch as fetch_archive

    archive = lookup(ARCHIVES, name, "data set")
    archive = replace(archive, url=url or archive.url, sha256=sha256 or archive.sha256)
    target = out or Path(name)
    say(f"{archive.licence}\nfrom {archive.url} into {target}")
    with progress(name) as bar:
        fetch_archive(
            archive,
            target,
            lambda done, total, message: bar.update(done >> 20, total >> 20, f"MB, {message}"),
        )
    say(f"Ready: analognas search --task {archive.task} --data {target}")
