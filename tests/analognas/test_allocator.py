"""Freed memory is kept where the C library allows it."""

import ctypes
import sys

import pytest

from analognas.allocator import keep_freed_memory


def test_the_setting_is_accepted_by_glibc_only(monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.platform == "linux":
        assert keep_freed_memory() in (True, False)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory()


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is a library of Linux")
def test_another_c_library_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> ctypes.CDLL:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert not keep_freed_memory()
