"""How the commands of `analognas bench` print what they found."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analognas.benchmarks.simulator_tables import Table


def show_findings(
    tables: "Sequence[Table]", content: dict[str, Any], summary: list[str], *, as_json: bool
) -> None:
    """Print what a benchmark has found: as JSON, or as tables and the lines of its summary."""
    from analognas.cli.output import say, show_json, show_table

    if as_json:
        show_json(content)
        return
    for table in tables:
        show_table(table.title, table.columns, table.rows, note=table.note)
    for line in summary:
        say(line)
