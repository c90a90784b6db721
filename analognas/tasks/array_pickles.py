"""Read pickled arrays without running what is in the file.

A pickle is a program that may call anything. Here its steps are only looked at, and those that the
old files of numbers need (protocol 2: dictionaries, lists, texts, numbers and NumPy arrays) build
plain values. Names in the file are compared with a few known ones and never imported.
"""

import math
import pickletools
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import BinaryIO, Final

import numpy as np

PROTOCOL = 2
MOST_STEPS = 1_000_000  # the largest file that is meant to be read takes 60,000
NUMBER_TYPE = re.compile(r"[uif][1248]")
OBJECT_TYPE = "O8"
SCALAR_STEPS = {"BININT", "BININT1", "BININT2", "BINSTRING", "SHORT_BINSTRING", "BINUNICODE"}
CONSTANT_STEPS: dict[str, object] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
MAKER_STEPS: dict[str, Callable[[], object]] = {
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
}
TUPLE_STEPS = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class _Known(Enum):
    """Stands for something of another module, which is not imported."""

    ARRAY_MAKER = auto()
    ARRAY_CLASS = auto()
    TYPE_MAKER = auto()
    BYTES_MAKER = auto()


KNOWN_NAMES = {
    "numpy.core.multiarray _reconstruct": _Known.ARRAY_MAKER,
    "numpy._core.multiarray _reconstruct": _Known.ARRAY_MAKER,
    "numpy ndarray": _Known.ARRAY_CLASS,
    "numpy dtype": _Known.TYPE_MAKER,
    "_codecs encode": _Known.BYTES_MAKER,
}


class RefusedPickle(ValueError):
    """A pickle that is damaged, or does more than hold arrays."""


@dataclass
class _Type:
    """A number type; its byte order comes in a later step."""

    code: str
    order: str = "|"


class _UnfilledArray:
    """An array before the step that brings its shape and its content."""


class _Mark:
    """Where the parts of a list, a tuple or a dictionary begin."""


MARK: Final = _Mark()


def read_pickled_arrays(file: BinaryIO) -> object:
    """Return the dictionary, list, array, text or number that a pickle holds.

    Args:
        file: Opened at the beginning of the pickle.

    Raises:
        RefusedPickle: The pickle is damaged or asks for anything else; nothing was run.
    """
    reader = _Reader()
    try:
        for count, (step, value, _) in enumerate(pickletools.genops(file)):
            if count > MOST_STEPS:
                raise RefusedPickle(f"it has more than {MOST_STEPS} steps")
            if step.name == "STOP":
                return reader.result()
            reader.do(step.name, value)
    except RefusedPickle:
        raise
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, MemoryError) as error:
        raise RefusedPickle(f"it is damaged ({error})") from error
    raise RefusedPickle("it is damaged (it has no end)")


class _Reader:
    """The stack and the memory that the steps of a pickle work on."""

    def __init__(self) -> None:
        self._stack: list[object] = []
        self._memory: dict[int, object] = {}

    def result(self) -> object:
        if len(self._stack) != 1:
            raise RefusedPickle("it is damaged (it does not end in one value)")
        return self._plain(self._stack[0])

    def do(self, step: str, value: object) -> None:
        """Do one step that builds plain values; refuse every other one."""
        if step in SCALAR_STEPS:
            self._stack.append(value)
        elif step in CONSTANT_STEPS:
            self._stack.append(CONSTANT_STEPS[step])
        elif step in MAKER_STEPS:
            self._stack.append(MAKER_STEPS[step]())
        elif step == "MARK":
            self._stack.append(MARK)
        elif step in TUPLE_STEPS:
            self._push_tuple(self._pop_last(TUPLE_STEPS[step]))
        elif step == "TUPLE":
            self._push_tuple(self._pop_to_mark())
        elif step in ("BINPUT", "LONG_BINPUT"):
            self._memory[_integer(value)] = self._stack[-1]
        elif step in ("BINGET", "LONG_BINGET"):
            self._stack.append(self._memory[_integer(value)])
        elif step in ("APPEND", "APPENDS"):
            self._append(self._pop_to_mark() if step == "APPENDS" else self._pop_last(1))
        elif step in ("SETITEM", "SETITEMS"):
            self._set_items(self._pop_to_mark() if step == "SETITEMS" else self._pop_last(2))
        elif step == "GLOBAL":
            self._name(str(value))
        elif step == "REDUCE":
            self._call(*self._pop_last(2))
        elif step == "BUILD":
            self._fill(*self._pop_last(2))
        elif step == "PROTO" and value == PROTOCOL:
            pass
        else:
            raise RefusedPickle(f"it holds the step {step}, which no file of arrays needs")

    def _plain(self, value: object) -> object:
        if isinstance(value, _Known | _Type | _UnfilledArray | _Mark):
            raise RefusedPickle("it holds something that is neither an array nor plain")
        return value

    def _pop_last(self, count: int) -> list[object]:
        values = [self._stack.pop() for _ in range(count)]
        return values[::-1]

    def _pop_to_mark(self) -> list[object]:
        values: list[object] = []
        while (value := self._stack.pop()) is not MARK:
            values.append(value)
        return values[::-1]

    def _push_tuple(self, values: list[object]) -> None:
        self._stack.append(tuple(values))

    def _append(self, values: list[object]) -> None:
        target = self._stack[-1]
        if not isinstance(target, list):
            raise RefusedPickle("it appends to something that is not a list")
        target += [self._plain(value) for value in values]

    def _set_items(self, values: list[object]) -> None:
        target = self._stack[-1]
        if not isinstance(target, dict) or len(values) % 2:
            raise RefusedPickle("it sets items of something that is not a dictionary")
        for key, value in zip(values[::2], values[1::2], strict=True):
            if not isinstance(key, str):
                raise RefusedPickle("it holds a dictionary whose keys are not texts")
            target[key] = self._plain(value)

    def _name(self, name: str) -> None:
        if name not in KNOWN_NAMES:
            raise RefusedPickle(f"it asks for {name!r}, which no file of arrays needs")
        self._stack.append(KNOWN_NAMES[name])

    def _call(self, what: object, arguments: object) -> None:
        match what, arguments:
            case _Known.ARRAY_MAKER, (_Known.ARRAY_CLASS, (0,), _):
                self._stack.append(_UnfilledArray())
            case _Known.TYPE_MAKER, (str(code), _, _) if (
                NUMBER_TYPE.fullmatch(code) or code == OBJECT_TYPE
            ):
                self._stack.append(_Type(code))
            case _Known.BYTES_MAKER, (str(text), "latin1"):
                self._stack.append(text.encode("latin-1"))
            case _:
                raise RefusedPickle("it makes something else than arrays of numbers")

    def _fill(self, target: object, state: object) -> None:
        match target, state:
            case _Type(), (3, str(order), None, None, None, *_) if order in ("|", "<", ">"):
                target.order = order
                self._stack.append(target)
            case _UnfilledArray(), (1, tuple(shape), _Type("O8"), _, list(items)):
                if shape != () or len(items) != 1:
                    raise RefusedPickle("it holds an array of objects")
                self._stack.append(items[0])
            case _UnfilledArray(), (1, tuple(shape), _Type() as kind, bool(by_columns), content):
                self._stack.append(_array(shape, kind, content, by_columns=by_columns))
            case _:
                raise RefusedPickle("it fills something else than an array of numbers")


def _array(
    shape: tuple[object, ...], kind: _Type, content: object, *, by_columns: bool
) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    if isinstance(content, str):  # bytes of Python 2
        content = content.encode("latin-1")
    if not isinstance(content, bytes):
        raise RefusedPickle("it holds an array whose content is not bytes")
    sizes = tuple(_integer(size) for size in shape)
    dtype = np.dtype(kind.order + kind.code)
    if min(sizes, default=0) < 0 or math.prod(sizes) * dtype.itemsize != len(content):
        raise RefusedPickle(f"it is damaged (an array of {sizes} has {len(content)} bytes)")
    return np.frombuffer(content, dtype).reshape(sizes, order="F" if by_columns else "C")


def _integer(value: object) -> int:
    if not isinstance(value, int):
        raise RefusedPickle(f"it is damaged ({value!r} in place of a number)")
    return value
