"""`analognas bench`: the tables in `results/`, made again."""

from typing import Any

import typer
from typer.core import TyperGroup

from analognas.cli.bench.machinery import chip, fidelity, programming, simulator
from analognas.cli.bench.searches import labels, search
from analognas.cli.bench.trainings import analognets, networks

DEFAULT = "networks"


class WithDefault(TyperGroup):
    """A group that takes options without a command's name for those of `networks`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # Any: as in `Door`
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)


bench_app = typer.Typer(cls=WithDefault)
for command in (networks, simulator, fidelity, programming, chip, analognets, labels, search):
    bench_app.command()(command)


@bench_app.callback()
def bench() -> None:
    """Make the tables in results/ again.

    Without a command's name, `bench` does what `bench networks` does.
    """
