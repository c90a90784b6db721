"""Batch norms over a batch of several chips, `(K B, C, ...)`, each with statistics of its own."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn

BatchNorm = nn.modules.batchnorm._BatchNorm

# From the name of a batch norm, itself and its input to its output.
Compute = Callable[[str, nn.Module, Tensor], Tensor]


@contextmanager
def computed_by(compute: Compute, norms: Mapping[str, nn.Module]) -> Iterator[None]:
    """Let `compute` stand in for the forward pass of batch norms."""
    before = {name: vars(norm).get("forward") for name, norm in norms.items()}
    for name, norm in norms.items():
        vars(norm)["forward"] = partial(compute, name, norm)
    try:
        yield
    finally:
        for name, norm in norms.items():
            if before[name] is None:
                del vars(norm)["forward"]
            else:
                vars(norm)["forward"] = before[name]


def normalise(norm: nn.Module, x: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """What `norm` computes with other statistics on each chip.

    Args:
        norm: For its weights and epsilon.
        x: `(K B, C, ...)`.
        mean: `(K, C)`.
        variance: `(K, C)`.
    """
    chips, channels = mean.shape
    scale, shift = factor_and_shift(norm, mean, variance)
    shape = (chips, 1, channels, *[1] * (x.dim() - 2))
    by_chip = torch.unflatten(x, 0, (chips, -1))
    return torch.addcmul(shift.view(shape), by_chip, scale.view(shape)).flatten(0, 1)


def factor_and_shift(norm: nn.Module, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """What `norm` multiplies channels with in evaluation, and what it adds then.

    Args:
        norm: For its weights and epsilon.
        mean: `(..., C)`.
        variance: `(..., C)`.
    """
    parameters = dict(norm.named_parameters())
    factor = torch.rsqrt(variance + norm.eps)  # type: ignore[operator]
    if "weight" in parameters:
        factor = factor * parameters["weight"].detach()
    shift = -mean * factor
    if "bias" in parameters:
        shift = shift + parameters["bias"].detach()
    return factor, shift


def batch_norms(model: nn.Module) -> dict[str, nn.Module]:
    """Every batch norm with running statistics, by its name in the model."""
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, BatchNorm) and module.running_mean is not None
    }


class BatchMoments:
    """Computes as a batch norm in training does, and keeps the mean of the statistics.

    Args:
        chips: K.
    """

    def __init__(self, chips: int) -> None:
        self.chips = chips
        self._moments: dict[str, list[Tensor]] = {}  # (2, K, C) of every batch

    def __call__(self, name: str, norm: nn.Module, x: Tensor) -> Tensor:
        by_chip = torch.unflatten(x, 0, (self.chips, -1))
        others = [dim for dim in range(by_chip.dim()) if dim not in (0, 2)]
        mean = by_chip.mean(others)
        variance = by_chip.var(others, correction=0)
        count = by_chip.numel() // mean.numel()
        if count == 1:
            raise ValueError(
                f"A batch must have more than 1 value per channel, but at {name!r} it has one. "
                "Recalibrate with larger batches."
            )
        unbiased = variance * (count / (count - 1))
        self._moments.setdefault(name, []).append(torch.stack([mean, unbiased]))
        return normalise(norm, x, mean, variance)

    def statistics(self) -> dict[str, Tensor]:
        """`(K, C)` by the name of the batch norm's buffer."""
        found: dict[str, Tensor] = {}
        for name, moments in self._moments.items():
            mean, variance = torch.stack(moments).mean(dim=0)
            found |= {f"{name}.running_mean": mean, f"{name}.running_var": variance}
        return found
