import errno
import logging
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner, Result

from analognas import __version__
from analognas.cli.app import COMMANDS, GROUPS, app, listen, name_of
from analognas.cli.door import Door
from analognas.errors import RunFailed, UserError

HEAVY = ("torch", "numpy", "pandas", "optuna", "xgboost", "matplotlib", "sklearn", "pydantic")


def run_raising(error: BaseException | None) -> Result:
    """What the user meets if the only command, inside a group, raises this."""
    outer, inner = typer.Typer(cls=Door), typer.Typer()

    @inner.command()
    def command() -> None:
        if error is not None:
            raise error

    inner.callback()(lambda: None)
    outer.add_typer(inner, name="group")
    return CliRunner().invoke(outer, ["group", "command"])


def test_a_command_that_succeeds_leaves_with_zero() -> None:
    assert run_raising(None).exit_code == 0


def test_a_user_error_is_one_message_on_stderr_and_exit_code_two() -> None:
    message = (
        "Unknown task 'x'. Choose one of: [bold]kws[/bold], digits; see /a/very" + "/long" * 30
    )
    result = run_raising(UserError(message))
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == f"error: {message}\n"


def test_a_failed_run_leaves_with_one() -> None:
    result = run_raising(RunFailed("The disk went away."))
    assert (result.exit_code, result.stderr) == (1, "error: The disk went away.\n")


def test_ctrl_c_leaves_with_130_and_prints_the_hint() -> None:
    hint = "continue with: analognas resume runs/a"
    result = run_raising(KeyboardInterrupt(hint))
    assert (result.exit_code, result.stderr) == (130, f"stopped; {hint}\n")
    assert run_raising(KeyboardInterrupt()).stderr.startswith("stopped; ")


def test_a_full_disk_is_a_message_with_the_path() -> None:
    result = run_raising(OSError(errno.ENOSPC, "No space left on device", "runs/a/front.csv"))
    assert result.exit_code == 1
    assert "no space left on device while writing runs/a/front.csv" in result.stderr


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.ENOTDIR, errno.EISDIR])
def test_a_place_that_cannot_be_used_is_named(code: int) -> None:
    result = run_raising(OSError(code, "Not possible", "/out"))
    assert (result.exit_code, "Not possible: /out." in result.stderr) == (2, True)


@pytest.mark.parametrize(
    "error", [KeyError("bug"), ValueError("bug"), FileNotFoundError(2, "bug", "f"), OSError("bug")]
)
def test_every_other_error_keeps_its_traceback(error: Exception) -> None:
    result = run_raising(error)
    assert result.exception is error


@pytest.mark.parametrize("arguments", [["no-such-command"], ["--no-such-option"]])
def test_wrong_usage_leaves_with_two(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "No such" in result.stderr


def test_the_version_is_printed() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"analognas {__version__}\n")


def test_help_lists_every_command() -> None:
    result = CliRunner().invoke(app, ["--help"], terminal_width=200)
    assert result.exit_code == 0
    for name in [name_of(command) for _, command in COMMANDS] + [name for _, name, _ in GROUPS]:
        assert f" {name} " in result.stdout


@pytest.mark.parametrize("name", [name_of(command) for _, command in COMMANDS])
def test_every_command_has_help_with_a_first_sentence(name: str) -> None:
    result = CliRunner().invoke(app, [name, "--help"], terminal_width=200)
    assert result.exit_code == 0
    assert "Usage:" in result.stdout


def test_warnings_of_the_libraries_are_said_and_details_on_demand() -> None:
    @app.command("log-for-test", hidden=True)
    def log() -> None:
        logging.getLogger("analognas.simulator").info("a detail")
        logging.getLogger("analognas.tasks").warning("[3] files were skipped")

    try:
        quiet = CliRunner().invoke(app, ["log-for-test"])
        verbose = CliRunner().invoke(app, ["-v", "log-for-test"])
    finally:
        app.registered_commands.pop()
        listen(logging.WARNING)
    assert quiet.stderr == "warning: [3] files were skipped\n"
    assert verbose.stderr == "info: a detail\n" + quiet.stderr


def in_new_process(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_the_command_line_starts_without_anything_heavy() -> None:
    done = in_new_process(
        "import sys\n"
        "sys.argv = ['analognas', '--help']\n"
        "from analognas.cli.app import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        f"print('heavy:', [name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    assert done.returncode == 0, done.stderr
    assert "Usage: analognas" in done.stdout
    assert done.stdout.splitlines()[-1] == "heavy: []"


def test_a_reader_that_leaves_early_is_no_error() -> None:
    done = in_new_process(
        "import os, sys\n"
        "sys.argv = ['analognas', '--help']\n"
        "reading, writing = os.pipe()\n"
        "os.close(reading)\n"
        "os.dup2(writing, 1)\n"
        "from analognas.cli.app import main\n"
        "main()\n"
    )
    assert done.stderr == ""


def test_a_command_that_writes_to_a_closed_pipe_stops_quietly() -> None:
    done = in_new_process(
        "import os, typer\n"
        "from analognas.cli.door import Door\n"
        "from analognas.cli.output import show_json\n"
        "reading, writing = os.pipe()\n"
        "os.close(reading)\n"
        "os.dup2(writing, 1)\n"
        "app = typer.Typer(cls=Door)\n"
        "app.callback()(lambda: None)\n"
        "app.command('a')(lambda: show_json(['x' * 100_000]))\n"
        "app(['a'])\n"
    )
    assert (done.returncode, done.stderr) == (1, "")
