"""The `analognas` command: every command in one list, nothing heavy imported."""

import logging
from collections.abc import Callable
from typing import Annotated

import typer

from analognas import __version__
from analognas.cli.analyze import analyze_app
from analognas.cli.ask import ask
from analognas.cli.bench import bench_app
from analognas.cli.chips import chips_app
from analognas.cli.data import data_app
from analognas.cli.deploy import deploy
from analognas.cli.door import Door
from analognas.cli.evaluate import evaluate
from analognas.cli.explain import explain
from analognas.cli.explore_chip import explore_chip
from analognas.cli.export import export
from analognas.cli.label import label
from analognas.cli.output import say
from analognas.cli.report import report
from analognas.cli.resume import resume
from analognas.cli.search import search
from analognas.cli.spaces import spaces
from analognas.cli.surrogate import surrogate_app
from analognas.cli.tasks import tasks

RUNS = "Find networks"
LOOK = "See what there is"
MEASURE = "Measure and learn"

# Help panel, and the function in the file of the same name.
COMMANDS: tuple[tuple[str, Callable[..., None]], ...] = (
    (RUNS, search),
    (RUNS, resume),
    (RUNS, report),
    (RUNS, export),
    (LOOK, tasks),
    (LOOK, spaces),
    (MEASURE, evaluate),
    (MEASURE, ask),
    (MEASURE, explain),
    (MEASURE, deploy),
    (MEASURE, explore_chip),
    (MEASURE, label),
)

# Help panel, name, and the application of the commands that have subcommands.
GROUPS: tuple[tuple[str, str, typer.Typer], ...] = (
    (LOOK, "chips", chips_app),
    (LOOK, "data", data_app),
    (MEASURE, "surrogate", surrogate_app),
    (MEASURE, "analyze", analyze_app),
    (MEASURE, "bench", bench_app),
)


def main() -> None:
    """Run the command line."""
    app(prog_name="analognas")


def build_app() -> typer.Typer:
    """Put the commands together."""
    built = typer.Typer(
        cls=Door,
        callback=analognas,
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for panel, command in COMMANDS:
        built.command(name_of(command), rich_help_panel=panel)(command)
    for panel, name, group in GROUPS:
        built.add_typer(group, name=name, rich_help_panel=panel)
    return built


def name_of(command: Callable[..., None]) -> str:
    """What is typed for a command: the name of its function, with hyphens."""
    return command.__name__.replace("_", "-")


def show_version(wanted: bool) -> None:
    """Print the version and leave, if that is wanted."""
    if wanted:
        typer.echo(f"analognas {__version__}")
        raise typer.Exit


def analognas(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=show_version, is_eager=True),
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Say on stderr what is being done.")
    ] = False,
) -> None:
    """Find neural networks that stay accurate on analog in-memory-computing chips."""
    listen(logging.INFO if verbose else logging.WARNING)


class Teller(logging.Handler):
    """Says on stderr what the libraries log, above the progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        say(f"{record.levelname.lower()}: {self.format(record)}")


def listen(level: int) -> None:
    """Show what the libraries log from this level on."""
    logger = logging.getLogger("analognas")
    logger.handlers = [Teller()]
    logger.setLevel(level)


app = build_app()
