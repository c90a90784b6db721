"""An evaluator at the top level of a module, so that other processes can import it."""

import errno
import os
import time

from analognas.examples.own_space import Perceptron, evaluate


def troubled(arch: Perceptron) -> dict[str, float]:
    """Hangs, dies or raises for some networks."""
    if arch.widths[0] == 16:
        time.sleep(600)
    if arch.widths[0] == 32:
        os._exit(3)
    if arch.widths[0] == 64:
        raise RuntimeError("no\nway")
    return evaluate(arch)


def disk_is_full(arch: Perceptron) -> dict[str, float]:
    """Cannot write what it found."""
    raise OSError(errno.ENOSPC, "No space left on device")
