"""The command `analognas chips`."""

from typing import Annotated

import typer


def chips(
    name: Annotated[
        str | None, typer.Argument(help="A known chip, or the path of your own chip file (TOML).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the chips that networks can be placed on, or show the figures of one."""
    if name is None:
        _list_chips(as_json=as_json)
    else:
        _show_chip(name, as_json=as_json)


def _list_chips(*, as_json: bool) -> None:
    from analognas.cli.output import show_table
    from analognas.simulator.chip import CHIPS

    columns = ["chip", "title", "cores", "rows", "columns", "read modes", "default read mode"]
    rows = []
    for name, make in CHIPS.items():
        chip = make()
        read_modes = ", ".join(chip.read_modes)
        rows.append(
            [
                name,
                chip.title,
                chip.cores,
                chip.rows,
                chip.columns,
                read_modes,
                chip.default_read_mode,
            ]
        )
    note = (
        "`analognas chips NAME` shows all figures of a chip; NAME may be the path of a chip file."
    )
    show_table("Chips", columns, rows, as_json=as_json, note=note)


def _show_chip(name: str, *, as_json: bool) -> None:
    from analognas.cli.output import show_table
    from analognas.errors import checking
    from analognas.simulator.chip import COST_SCOPE, datasheet, load_chip

    with checking("chip"):
        chip = load_chip(name)
    columns = ["part", "quantity", "value", "unit", "provenance", "source or formula"]
    rows = [
        [entry.part, entry.quantity, entry.value, entry.unit, entry.trust, entry.source]
        for entry in datasheet(chip)
    ]
    note = "\n".join(
        [
            f"Costs are modelled for the mode {chip.default_read_mode} unless another is named. "
            "MVM: one matrix-vector multiplication; operations: 2 x cores x rows x columns.",
            "published: read in the paper itself; second-hand: reported from it by others; "
            "derived: computed from the given figures.",
            COST_SCOPE,
            *chip.references,
        ]
    )
    show_table(
        f"{chip.name}: {chip.title}",
        columns,
        rows,
        as_json=as_json,
        note=note,
        formats={"value": ".4g"},
    )
