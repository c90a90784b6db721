"""The command `analognas chips`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from analognas.cli.options import AsJson

if TYPE_CHECKING:
    from analognas.simulator.chip import ChipSpec, Entry

FIGURES = "show"
LIST = "list"


class WithNames(TyperGroup):
    """A group that lists the chips without arguments, and takes a chip's name for `show NAME`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # Any: as in `Door`
        named = [arg for arg in args if not arg.startswith("-")]
        if not named and not set(args) & set(ctx.help_option_names):
            args = [LIST, *args]
        elif named and named[0] not in self.commands:
            args = [FIGURES, *args]
        return super().parse_args(ctx, args)


chips_app = typer.Typer(cls=WithNames)


@chips_app.callback()
def chips() -> None:
    """List the chips that networks can be placed on, show the figures of one, or copy one.

    Without a command's name, `chips` lists them, and `chips NAME` shows one.
    """


@chips_app.command(LIST)
def list_chips(
    as_json: AsJson = False,
) -> None:
    """List the chips that networks can be placed on."""
    from analognas.cli.output import show_table
    from analognas.simulator.chip import CHIPS

    columns = ["chip", "title", "cores", "rows", "columns", "read modes", "default read mode"]
    rows = []
    for name, make in CHIPS.items():
        chip = make()
        read_modes = ", ".join(chip.read_modes)
        sizes = [chip.cores, chip.rows, chip.columns]
        rows.append([name, chip.title, *sizes, read_modes, chip.default_read_mode])
    note = (
        "`analognas chips show NAME` shows all figures of a chip; NAME may be the path of a chip "
        "file. `analognas chips copy generic my_chip.toml` starts a chip of your own."
    )
    show_table("Chips", columns, rows, as_json=as_json, note=note)


@chips_app.command(FIGURES)
def show_chip(
    name: Annotated[
        str, typer.Argument(help="A known chip, or the path of your own chip file (TOML).")
    ],
    as_json: AsJson = False,
) -> None:
    """Show peak figures of every read mode, and the data sheet with the source of every figure."""
    from analognas.cli.output import show_json, show_table
    from analognas.errors import checking
    from analognas.simulator.chip import datasheet, load_chip

    with checking("chip"):
        chip = load_chip(name)
    peak_columns, peak_rows = _peak_table(chip)
    columns = ["part", "quantity", "value", "unit", "provenance", "source or formula"]
    entries = datasheet(chip)
    rows = [_row(entry) for entry in entries]
    if as_json:
        show_json(
            {
                "chip": chip.name,
                "title": chip.title,
                "hash": chip.hash,
                "read_modes": [dict(zip(peak_columns, row, strict=True)) for row in peak_rows],
                "figures": [dict(zip(columns, row, strict=True)) for row in rows],
                "references": chip.references,
            }
        )
        return
    show_table(f"{chip.name}: {chip.title}", peak_columns, peak_rows, note=_peak_note(chip))
    numbers = [_row(entry) for entry in entries if not _is_list(entry)]
    lists = [entry for entry in entries if _is_list(entry)]
    note = _sheet_note(chip, lists)
    show_table("Data sheet", columns, numbers, note=note, formats={"value": ".4g"})


@chips_app.command("copy")
def copy_chip(
    name: Annotated[str, typer.Argument(help="A known chip; `generic` is made to be edited.")],
    path: Annotated[Path, typer.Argument(help="The new chip file (.toml).")],
) -> None:
    """Copy a chip file with its comments, as the start of a chip of your own."""
    from analognas.cli.output import say
    from analognas.errors import UserError, checking
    from analognas.files import write_text
    from analognas.simulator.chip.spec import chip_file

    with checking("chip"):
        source = chip_file(name)
    if path.suffix != ".toml":
        raise UserError(f"A chip file must end in .toml, but got {path}.")
    if path.exists():
        raise UserError(f"{path} must not exist yet, but it does. Choose another name.")
    write_text(path, source.read_text(encoding="utf-8"))
    say(f"Written: {path}. Edit it, then `analognas chips show {path}` checks it.")


def _peak_table(chip: "ChipSpec") -> tuple[list[str], list[list[object]]]:
    from analognas.simulator.chip.provenance import provenance

    columns = [
        "read mode",
        "bits",
        "peak TOPS",
        "TOPS/W",
        "TOPS/mm2",
        "MVM time, ns",
        "MVM energy, nJ",
        "MAC energy, pJ",
        "power, W",
        "rests on figures",
    ]
    rows: list[list[object]] = [
        [
            mode.name,
            mode.bits,
            mode.peak_TOPS,
            mode.efficiency_TOPS_per_W,
            mode.density_TOPS_per_mm2,
            mode.latency_ns,
            mode.energy_nJ_per_mvm,
            mode.energy_pJ_per_mac,
            mode.power_W,
            ", ".join(provenance(chip, mode.name)),
        ]
        for mode in chip.read_modes.values()
    ]
    return columns, rows


def _peak_note(chip: "ChipSpec") -> str:
    return (
        "MVM: one matrix-vector multiplication with all rows and columns of one core; operations "
        "and power: all cores busy, 2 x cores x rows x columns operations per MVM. Costs are "
        f"modelled for the mode {chip.default_read_mode} unless another is named."
    )


def _row(entry: "Entry") -> list[object]:
    return [entry.part, entry.quantity, entry.value, entry.unit, entry.trust, entry.source]


def _is_list(entry: "Entry") -> bool:
    """Too long for a column of numbers."""
    return isinstance(entry.value, str) and "," in entry.value


def _sheet_note(chip: "ChipSpec", lists: list["Entry"]) -> str:
    from analognas.simulator.chip.cost import cost_scope
    from analognas.simulator.chip.figures import TRUST_MEANING

    words = "; ".join(f"{word}: {meaning}" for word, meaning in TRUST_MEANING.items())
    said = [f"{e.part}, {e.quantity}: {e.value} ({e.trust}, {e.source})" for e in lists]
    return "\n".join([*said, f"{words}.", cost_scope(chip), *chip.references])
