"""The files of a sweep."""

from __future__ import annotations

from pathlib import Path

import matplotlib

from analognas.deployment.bundle import write_json, write_table
from analognas.errors import UserError
from analognas.exploring.kept_scores import FILE
from analognas.exploring.picture import plot_chips
from analognas.exploring.records import Exploration
from analognas.exploring.tables import chip_table
from analognas.files import writing
from analognas.reporting.style import PAPER

TABLE, RECORD, PICTURES = "chips.csv", "chips.json", ("chips.png", "chips.svg")
FILES = {TABLE, RECORD, *PICTURES, FILE}
DOTS_PER_INCH = 160


def check_folder(out: Path) -> None:
    """Refuse a folder that holds other things than a sweep."""
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} must be a folder, but it is a file. Choose another --out.")
    if out.is_dir() and (others := sorted({path.name for path in out.iterdir()} - FILES)):
        raise UserError(
            f"{out} must be a new folder, or that of a sweep, but it holds {others[0]}. Choose "
            "another --out."
        )


def write_sweep(out: Path, found: Exploration) -> None:
    """Write table, record and picture of a sweep."""
    write_table(out / TABLE, *chip_table(found, pareto_only=False))
    write_json(out / RECORD, found.to_dict())
    figure = plot_chips(found)
    for name in PICTURES:
        with (
            writing(out / name) as temporary,
            matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "analognas"}),
        ):
            metadata = {"Date": None} if name.endswith(".svg") else {}
            figure.savefig(temporary, dpi=DOTS_PER_INCH, facecolor=PAPER, metadata=metadata)
