"""Noisy weights for hardware-aware training, by any of the laws in `noise.py`.

Every law is drawn without a graph; the gradient of the noisy weights goes to the clean ones
unchanged ("straight through"), so that the update acts on the weights that are kept.

Every column is rescaled by its largest weight when it is written, and here likewise at every draw:
the whole range of conductances is used whatever the size of the weights, and relative noise and
relative result do not change when a column is multiplied by a factor. Where a column is longer than
a tile, the chip rescales each part by its own largest weight; here the column has one scale.
"""

from typing import Any

import torch
from torch import Tensor

from analognas.simulator.quantizer import converter_steps
from analognas.simulator.training.noise import (
    AdditiveNoise,
    AnyWeightNoise,
    CellNoise,
    DiscretizeNoise,
    DorefaNoise,
    MultiplicativeNoise,
    PcmNoise,
    PolynomialNoise,
    Scope,
)
from analognas.simulator.training.pcm_noise import draw_pcm_weights

SMALLEST = 1e-12  # stands for the largest weight of a column of zeros


def noisy_weight(
    weight: Tensor,
    noise: AnyWeightNoise,
    *,
    strength: float,
    generator: torch.Generator,
    table: Tensor | None = None,
    samples: int | None = None,
) -> Tensor:
    """Return noisy weights; the gradient goes to the clean ones unchanged.

    Args:
        weight: `(O, ...)`, a column of the tile per output.
        noise: The law.
        strength: Multiplies every Gaussian width; 0 leaves rounding and stuck cells.
        generator: On the weights' device.
        table: For `CellNoise`, its width over `|w| / max|w|` = 0 ... 1 in even steps, relative to
            `max|w|`; see `weight_spread`.
        samples: Draw for so many samples: the result is `(samples, O, ...)`.
    """
    shape = weight.shape if samples is None else (samples, *weight.shape)
    with torch.no_grad():
        flat = weight.detach().flatten(1)
        like = flat if samples is None else flat.expand(samples, *flat.shape)
        if isinstance(noise, PcmNoise):
            largest = largest_magnitude(flat, noise.relative_to)
            noisy = draw_pcm_weights(
                like / largest, noise, strength=strength, generator=generator
            ).mul_(largest)
        else:
            level, sigma = transformed_weight(flat, noise), noise_width(flat, noise, table)
            if sigma is None:
                noisy = level if samples is None else level.expand(like.shape).contiguous()
            else:
                noisy = torch.empty(like.numel(), dtype=flat.dtype, device=flat.device)
                noisy = noisy.normal_(generator=generator).view(like.shape)
                noisy.mul_(sigma).mul_(strength).add_(level)
        if isinstance(noise, PolynomialNoise) and noise.keep_sign:
            noisy = torch.where(noisy * flat.sign() < 0, -noisy, noisy)
        noisy = noisy.view(shape)
    return straight_through(weight, noisy)


def acts_without_strength(noise: AnyWeightNoise) -> bool:
    """Whether the law changes weights at strength 0: it rounds them, or cells are stuck."""
    match noise:
        case DiscretizeNoise() | DorefaNoise():
            return True
        case PcmNoise():
            return noise.stuck > 0
        case _:
            return False


def transformed_weight(weight: Tensor, noise: AnyWeightNoise) -> Tensor:
    """The weights before anything random, the same shape: rounded by those laws that round."""
    match noise:
        case DiscretizeNoise():
            flat = weight.flatten(1)
            step = largest_magnitude(flat, noise.relative_to) / (converter_steps(noise.bits) / 2)
            return (flat / step).round_().mul_(step).view_as(weight)
        case DorefaNoise():
            curved = weight.tanh()
            codes = converter_steps(noise.bits) / 2
            curved = curved * (codes / largest_magnitude(curved.flatten(1), "layer").squeeze())
            return curved.round_().mul_(noise.bound / codes)
        case _:
            return weight


def noise_width(flat: Tensor, noise: AnyWeightNoise, table: Tensor | None) -> Tensor | None:
    """Standard deviation of the weights `(O, N)` at strength 1, or None if nothing is drawn.

    Broadcasts to `(O, N)`.
    """
    match noise:
        case CellNoise():
            assert table is not None, "`CellNoise` needs its table"
            magnitude = flat.abs()
            largest = largest_magnitude(flat, noise.relative_to or "column")
            last = table.numel() - 1
            # Diverged weights must stay NaN, not become an index.
            index = (magnitude / largest).mul_(last).round_().long().clamp_(0, last).flatten()
            # `index_select` takes a third of the time of indexing.
            return table.index_select(0, index).view_as(flat).mul_(largest)
        case AdditiveNoise() | DiscretizeNoise() if noise.sigma > 0:
            return largest_magnitude(flat, noise.relative_to) * noise.sigma
        case MultiplicativeNoise():
            return flat.abs().mul_(noise.sigma)
        case PolynomialNoise():
            largest = largest_magnitude(flat, noise.relative_to)
            r = flat.abs().div_(largest)
            width = torch.full_like(r, noise.coefficients[-1])
            for coefficient in reversed(noise.coefficients[:-1]):
                width.mul_(r).add_(coefficient)
            return width.clamp_min_(0.0).mul_(largest)
        case _:
            return None


def drop_connect(weight: Tensor, probability: float, *, generator: torch.Generator) -> Tensor:
    """Set each weight to zero with `probability`, as a cell that did not switch.

    The others are not enlarged, and the gradient goes to all: a stuck cell is not a choice of the
    network's.
    """
    with torch.no_grad():
        kept = torch.empty(weight.numel(), dtype=weight.dtype, device=weight.device)
        kept = kept.bernoulli_(1.0 - probability, generator=generator).view(weight.shape)
        kept.mul_(weight)
    return straight_through(weight, kept)


def largest_magnitude(flat: Tensor, scope: Scope) -> Tensor:
    """Largest `|w|` of `(O, N)` weights per column, `(O, 1)`, or of the layer, `(1, 1)`."""
    dims = (1,) if scope == "column" else (0, 1)
    largest = flat.abs().amax(dim=dims, keepdim=True)
    return largest.clamp_min_(max(SMALLEST, torch.finfo(flat.dtype).tiny))


def straight_through(weight: Tensor, noisy: Tensor) -> Tensor:
    """Return the values of `noisy`, with the gradient of `weight` (broadcast along the front)."""
    result: Tensor = _StraightThrough.apply(weight.expand_as(noisy), noisy)  # type: ignore[no-untyped-call]
    return result


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, noisy: Tensor) -> Tensor:
        return noisy.view_as(noisy)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None
