"""Keep freed memory in the process instead of giving it back to the system.

The activations of a network come and go with every batch. Each time their memory is fresh from the
system, its pages have to be cleared and mapped, which can take as long as the arithmetic on them.
"""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's mallopt
LARGEST_MMAP_THRESHOLD = 32 << 20  # what glibc accepts


def keep_freed_memory() -> bool:
    """Tell glibc to keep what is freed, for this process; False where there is no glibc.

    Results are the same with and without.
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    accepted = [
        mallopt(M_MMAP_THRESHOLD, LARGEST_MMAP_THRESHOLD),
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1),
    ]
    return all(accepted)
