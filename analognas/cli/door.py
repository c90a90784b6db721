"""The door between the program and its user: which error becomes which message and exit code.

0 all went well, 1 the run failed though the input was fine, 2 the input can be mended, 130 stopped
by Ctrl-C. Everything that is not listed here is a bug and keeps its traceback.
"""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.text import Text
from typer.core import TyperGroup

from analognas.cli.output import messages
from analognas.errors import RunFailed, UserError
from analognas.files import FULL_DISK

FAILED = 1
BAD_INPUT = 2
STOPPED = 130

# What a user can mend about a file or folder.
NOT_ALLOWED = {errno.EACCES, errno.EPERM, errno.EROFS}
NOT_SUCH_A_FILE = {
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.ENAMETOOLONG,
    errno.ELOOP,
}


class Door(TyperGroup):
    """The outermost command group: every command of it is answered through `answering_errors`."""

    def invoke(self, ctx: Any) -> Any:  # Any: typer keeps its context class to itself
        with answering_errors():
            return super().invoke(ctx)


@contextmanager
def answering_errors() -> Iterator[None]:
    """Turn the errors that a user can mend into one message on stderr and an exit code."""
    try:
        yield
    except UserError as error:
        raise _leave(str(error), BAD_INPUT) from error
    except RunFailed as error:
        raise _leave(str(error), FAILED) from error
    except KeyboardInterrupt as error:
        hint = str(error) or "files that were already written are complete."
        raise _leave(f"stopped; {hint}", STOPPED, prefix="") from error
    except BrokenPipeError as error:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(FAILED) from error
    except OSError as error:
        if error.errno in FULL_DISK:
            place = error.filename or "the disk (the system names no file)"
            text = f"no space left on device while writing {place}. Free some space and try again."
            raise _leave(text, FAILED) from error
        if error.errno in NOT_ALLOWED | NOT_SUCH_A_FILE and error.filename:
            text = f"{error.strerror}: {error.filename}. Choose another place, or mend this one."
            raise _leave(text, BAD_INPUT) from error
        raise


def _leave(text: str, code: int, *, prefix: str = "error: ") -> typer.Exit:
    """Print the message as it is, without reading markup in it, and return the way out."""
    message = Text.assemble((prefix, "bold red"), text)
    messages.print(message, soft_wrap=not messages.is_terminal)
    return typer.Exit(code)
