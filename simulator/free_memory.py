"""How much memory a device has left."""

import os
from pathlib import Path

import torch

USABLE_FRACTION = 0.5  # of the free memory: the rest is for all that is not foreseen


def usable_bytes(device: torch.device) -> int:
    """What may be taken at once."""
    return int(USABLE_FRACTION * free_bytes(device))


def free_bytes(device: torch.device) -> int:
    """Memory that is free, or that torch holds without using it."""
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + unused
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        for line in meminfo.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
