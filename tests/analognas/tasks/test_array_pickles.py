import contextlib
import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analognas.tasks import array_pickles
from analognas.tasks.array_pickles import RefusedPickle, read_pickled_arrays

CONTENT: dict[str, object] = {
    "numbers": np.arange(12, dtype=np.float64).reshape(3, 4),
    "by columns": np.asfortranarray(np.arange(6, dtype=np.uint8).reshape(2, 3)),
    "labels": [0, 7, 300, 70_000, -1],
    "nested": [["a", "b"], [], (1, 2, 3, 4), True, False, None],
    "big endian": np.array([1, 2], dtype=">i4"),
}


def read(content: bytes) -> Any:
    return read_pickled_arrays(io.BytesIO(content))


def test_arrays_lists_and_texts_come_back() -> None:
    found = read(pickle.dumps(CONTENT, protocol=2))
    assert found.keys() == CONTENT.keys()
    for name in ("numbers", "by columns", "big endian"):
        np.testing.assert_array_equal(found[name], CONTENT[name])
    assert found["labels"] == CONTENT["labels"]
    assert found["nested"] == CONTENT["nested"]


def test_strings_of_python_2_are_the_bytes_of_arrays() -> None:
    """What Python 2 wrote: SHORT_BINSTRING for texts and for the bytes of an array."""
    content = (
        b"\x80\x02}q\x00U\x04dataq\x01"
        b"cnumpy.core.multiarray\n_reconstruct\nq\x02cnumpy\nndarray\nq\x03K\x00\x85q\x04"
        b"U\x01bq\x05\x87q\x06Rq\x07(K\x01K\x02K\x03\x86q\x08"
        b"cnumpy\ndtype\nq\x09U\x02u1q\x0aK\x00K\x01\x87q\x0bRq\x0c"
        b"(K\x03U\x01|q\x0dNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x0eb"
        b"\x89U\x06\x00\x01\x02\xfd\xfe\xffq\x0ftq\x10bs."
    )
    found = read(content)["data"]
    assert found.dtype == np.uint8
    assert found.tolist() == [[0, 1, 2], [253, 254, 255]]


class Runs:
    """Calls a function when it is unpickled."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self._call


@pytest.mark.parametrize("protocol", range(6))
def test_what_a_pickle_wants_to_run_is_refused_and_not_run(tmp_path: Path, protocol: int) -> None:
    victim = tmp_path / "made"
    hidden = {"data": np.zeros(3), "labels": [Runs(Path.touch, victim)]}
    for content in (Runs(Path.mkdir, victim), hidden):
        with pytest.raises(RefusedPickle):
            read(pickle.dumps(content, protocol=protocol))
    assert not victim.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"cos\nsystem\n(S'true'\ntR.",  # protocol 0
        b"\x80\x02cos\nsystem\nU\x04true\x85R.",
        b"\x80\x02c_codecs\nencode\nU\x01aU\x05rot13\x86R.",  # an allowed name, another use
        b"\x80\x02cnumpy\ndtype\nU\x03V99K\x00K\x01\x87R.",
        b"\x80\x02(U\x04trueios\nsystem\n.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.",
    ],
)
def test_every_other_way_to_run_something_is_refused(content: bytes) -> None:
    with pytest.raises(RefusedPickle):
        read(content)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "damaged"),
        (b"\x80\x02}", "no end|damaged"),
        (b"\x80\x02.", "does not end in one value"),
        (b"\x80\x02]K\x01.", "does not end in one value"),
        (b"\x80\x02h\x05.", "damaged"),
        (b"\x80\x02cnumpy\nndarray\n.", "neither an array nor plain"),
        (b"\x80\x02}K\x01K\x02s.", "keys are not texts"),
        (b"\x80\x02K\x01K\x02a.", "not a list"),
        (b"text", "damaged|the step"),
    ],
)
def test_damaged_pickles_are_refused(content: bytes, problem: str) -> None:
    with pytest.raises(RefusedPickle, match=problem):
        read(content)


def test_arrays_of_another_size_than_their_bytes_are_refused() -> None:
    content = pickle.dumps(np.zeros((3, 4), dtype=np.uint8), protocol=2)
    assert content.count(b"K\x03K\x04\x86") == 1
    with pytest.raises(RefusedPickle, match=r"an array of \(3, 5\) has 12 bytes"):
        read(content.replace(b"K\x03K\x04\x86", b"K\x03K\x05\x86"))


def test_endless_programs_are_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(array_pickles, "MOST_STEPS", 1_000)
    with pytest.raises(RefusedPickle, match="more than 1000 steps"):
        read(b"\x80\x02" + b"K\x01" * 1_001 + b".")


@settings(max_examples=60)
@given(place=st.integers(0, 10_000), value=st.integers(0, 255), end=st.integers(0, 10_000))
def test_any_damage_is_refused_or_harmless(place: int, value: int, end: int) -> None:
    content = bytearray(pickle.dumps(CONTENT, protocol=2))
    content[place % len(content)] = value
    for damaged in (bytes(content), bytes(content[: end % len(content)])):
        with contextlib.suppress(RefusedPickle):  # any other error fails
            read(damaged)
