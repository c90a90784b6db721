"""Options that several commands share: data, hardware, where to compute, what to print."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

# Of every command that takes data, hardware or time.
Task: TypeAlias = Annotated[str, typer.Option(help="What for: kws, digits, imu, cifar10 or vww.")]
Words: TypeAlias = Annotated[str | None, typer.Option(help="Keywords in --data: yes,no,zoom in")]
Split: TypeAlias = Annotated[str | None, typer.Option(help="How the data are cut; see `tasks`.")]
Settings: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Hardware setting, such as converters.adc_bits=6; may be repeated.",
    ),
]
Device: TypeAlias = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Workers: TypeAlias = Annotated[
    int, typer.Option(min=1, help="Parallel processes, one thread each.")
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON.")]

# Of the commands that are about one network: which it is, its data and its chip.
Network: TypeAlias = Annotated[
    str,
    typer.Argument(help="Folder of a run or network, an architecture.json, or a name: ds-cnn."),
]
TaskOfNetwork: TypeAlias = Annotated[
    str | None, typer.Option(help="What for, unless a folder says it (default: kws).")
]
DataOfNetwork: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        help="The data, folder or archive; see `analognas tasks NAME`. Default: the run's."
    ),
]
ChipOfNetwork: TypeAlias = Annotated[
    str | None, typer.Option(help="Chip: name or TOML file (hermes).")
]
Surrogate: TypeAlias = Annotated[
    str | None,
    typer.Option(help="Who predicts: a name or JSON file. Default: the run's, else the nearest."),
]
