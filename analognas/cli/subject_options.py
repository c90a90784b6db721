"""Options of the commands that are about one network: which it is, its data and its chip."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

Network: TypeAlias = Annotated[
    str,
    typer.Argument(help="Folder of a run or network, an architecture.json, or a name: ds-cnn."),
]
TaskName: TypeAlias = Annotated[
    str | None, typer.Option(help="What for, unless a folder says it (default: kws).")
]
Data: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        help="The data, folder or archive; see `analognas tasks NAME`. Default: the run's."
    ),
]
Words: TypeAlias = Annotated[str | None, typer.Option(help="Keywords in --data: yes,no,zoom in")]
Split: TypeAlias = Annotated[str | None, typer.Option(help="How the data are cut; see `tasks`.")]
Chip: TypeAlias = Annotated[str | None, typer.Option(help="Chip: name or TOML file (hermes).")]
Surrogate: TypeAlias = Annotated[
    str | None,
    typer.Option(help="Who predicts: a name or JSON file. Default: the run's, else the nearest."),
]
