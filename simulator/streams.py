"""Named random streams: adding a noise source never shifts the draws of another."""

import hashlib

import torch
from torch import Tensor


def _hash(seed: int, *path: str | int) -> int:
    digest = hashlib.blake2b(repr((seed, *path)).encode(), digest_size=8).digest()
    return int.from_bytes(digest)


def spawn_generator(
    seed: int, *path: str | int, device: str | torch.device = "cpu"
) -> torch.Generator:
    """Make the generator of the stream `path` below `seed`, on `device`.

    The stream's state is a hash of seed and path, so that it can be reached without replaying any
    other.
    """
    return torch.Generator(device).manual_seed(_hash(seed, *path) >> 1)


class NoiseStream:
    """A named stream of noise for the converters.

    The fused kernels draw from a key and a counter, which `take` advances; everything else draws
    from `generator`. Both derive from the same hash of seed and path.
    """

    def __init__(self, seed: int, *path: str | int, device: str | torch.device = "cpu") -> None:
        self._origin = (seed, path, device)
        self._generator: torch.Generator | None = None  # made when it is first needed
        self.key = _hash(seed, *path, "key") | 1
        self._taken = 0

    @property
    def generator(self) -> torch.Generator:
        if self._generator is None:
            seed, path, device = self._origin
            self._generator = spawn_generator(seed, *path, device=device)
        return self._generator

    def take(self, count: int) -> int:
        """Reserve `count` counters; the first of them."""
        first = self._taken
        self._taken += count
        return first


def draw_root(generator: torch.Generator) -> int:
    """Draw the seed of a tree of named streams from `generator` (advances it once)."""
    device = generator.device
    return int(torch.randint(0, 2**62, (1,), generator=generator, device=device).item())


def gaussian_like(x: Tensor, *, generator: torch.Generator) -> Tensor:
    """Draw a standard normal tensor of the shape, type and memory layout of `x`.

    Drawn into flat memory: the generator's vectorised path does not take other layouts, and an
    activation in channels-last order would cost eight times as much.
    """
    flat = torch.empty(x.numel(), dtype=x.dtype, device=x.device).normal_(generator=generator)
    return flat.as_strided(x.shape, torch.empty_like(x).stride())
