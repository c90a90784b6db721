"""Errors that a user can mend, kept apart from our own mistakes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


class UserError(ValueError):
    """Bad input. The message says what rule was broken, by which value, and how to mend it.

    The command line prints it as one message and exits with code 2; every other exception is a bug
    and keeps its traceback.
    """


class RunFailed(RuntimeError):
    """The run could not be finished though the input was fine, a full disk for example."""


@contextmanager
def checking(what: str) -> Iterator[None]:
    """Turn the `ValueError` of a library about user input into a `UserError` about `what`."""
    try:
        yield
    except UserError:
        raise
    except ValueError as error:
        raise UserError(f"{what}: {error}") from error


def lookup(table: Mapping[str, T], name: str, kind: str) -> T:
    """Return `table[name]`; an unknown name is answered with the known ones."""
    try:
        return table[name]
    except KeyError:
        known = ", ".join(sorted(table))
        raise UserError(f"Unknown {kind} {name!r}. Choose one of: {known}.") from None
