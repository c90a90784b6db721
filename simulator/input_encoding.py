"""From an activation to the drive of a crossbar's rows: scale, conversion, passes.

A product may take several passes through the crossbar, by sign or by digits. All encodings have
one form, `y = sum_p weight_p product(drive_p)`: `encode` makes the drives. Source of the errors of
the converter, the scales and the passes by sign: Rasch et al., Nat. Commun. 14, 5282 (2023), and
Rasch et al., "A flexible and fast PyTorch toolkit for simulating training and inference on analog
crossbar arrays" (2021).
"""

from dataclasses import dataclass as plain_dataclass
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Le
from pydantic import ConfigDict, model_validator
from pydantic.dataclasses import dataclass
from torch import Tensor

from analognas.simulator.quantizer import converter_steps, quantize_, quantize_codes_
from analognas.simulator.streams import gaussian_like

AVERAGE_BLOCK = 256  # vectors per step of the running mean


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class InputStage:
    """How activations are scaled, converted and passed to the rows; errors are off by default.

    Args:
        noise: Standard deviation of the drive's noise, relative to the largest drive.
        asymmetry: Negative drives are scaled by `1 - asymmetry`.
        stochastic_rounding: Whether the converter dithers before it rounds.
        encoding: "one_pass"; positive and negative drives in passes of their own, added before
            ("separate_analog") or after the converters of the columns ("separate_digital"); the
            code's low and high bits ("split") or every bit ("bit_serial") in passes of their own.
        split_low_bits: Bits of the low pass of "split".
        scaling: What a full drive stands for: the layer's calibrated input range ("static"),
            `constant_scale`, the largest magnitude of each vector among the rows of a tile
            ("abs_max"), or the running mean over vectors of that of all rows ("average_abs_max").
        constant_scale: In units of the activation.
        average_decay: Share of a new vector in the running mean.
        bound_management: "iterative" repeats a vector whose outputs clip with half the drive.
    """

    noise: Annotated[float, Ge(0)] = 0.0
    asymmetry: Annotated[float, Ge(-1), Le(1)] = 0.0
    stochastic_rounding: bool = False
    encoding: Literal["one_pass", "separate_analog", "separate_digital", "split", "bit_serial"] = (
        "one_pass"
    )
    split_low_bits: Annotated[int, Ge(1)] = 3
    scaling: Literal["static", "constant", "abs_max", "average_abs_max"] = "static"
    constant_scale: Annotated[float, Gt(0)] = 1.0
    average_decay: Annotated[float, Gt(0), Le(1)] = 1e-3
    bound_management: Literal["none", "iterative"] = "none"

    @property
    def is_random(self) -> bool:
        """Whether the converters of the rows err at random."""
        return self.noise > 0 or self.stochastic_rounding

    @model_validator(mode="after")
    def _no_setting_is_idle(self) -> "InputStage":
        """Refuse a setting that the chosen encoding or scaling would ignore."""
        for name, choice, needed in (
            ("split_low_bits", "encoding", "split"),
            ("constant_scale", "scaling", "constant"),
            ("average_decay", "scaling", "average_abs_max"),
        ):
            value, default = getattr(self, name), getattr(type(self), name)
            if value != default and getattr(self, choice) != needed:
                raise ValueError(
                    f"`{name}` acts only with `{choice} = {needed!r}`, but got {name}={value} and "
                    f"{choice}={getattr(self, choice)!r}. Change one of them."
                )
        return self


@plain_dataclass(frozen=True)
class Digits:
    """Codes taken apart: `sum_p weights_p planes_p` is the codes, exactly.

    Every plane holds whole numbers with the sign of the code, of at most `largest_p`.
    """

    planes: Tensor  # (P, ...)
    weights: tuple[int, ...]
    largest: tuple[int, ...]


@plain_dataclass(frozen=True)
class Passes:
    """Drives of the passes of one product, `y = sum_p weights_p product(drives_p)`.

    The weighted sum runs before the columns' converters or after them, as
    `sums_before_converter` of the encoding tells.
    """

    drives: Tensor  # (P, M, R) in [-1, 1]
    weights: tuple[float, ...]


def sums_before_converter(stage: InputStage) -> bool:
    """Tell whether the passes are added as currents, so that each output is converted once."""
    return stage.encoding in ("one_pass", "separate_analog")


def spread_range(x: Tensor, n_sigma: float) -> Tensor:
    """Input range of `n_sigma` standard deviations; where `x` does not vary, its magnitude."""
    if x.numel() == 1:
        return x.abs().amax()
    deviation = x.std()
    return torch.where(deviation > 0, deviation * n_sigma, x.abs().amax())


def vector_scale(x: Tensor, stage: InputStage, state: Tensor) -> Tensor:
    """Activation that a full drive stands for, per vector.

    Args:
        x: `(..., M, R)` activations.
        stage: Chooses the rule.
        state: `(...)`. The calibrated input range for "static"; for "average_abs_max" the running
            mean, 0 before the first vector, whose new value is the last vector's scale; unused
            otherwise.

    Returns:
        `(..., M, 1)`. 0 for a vector of zeros under "abs_max".
    """
    match stage.scaling:
        case "static":
            return state[..., None, None].expand(*x.shape[:-1], 1)
        case "constant":
            return x.new_full((*x.shape[:-1], 1), stage.constant_scale)
        case "abs_max":
            return x.abs().amax(dim=-1, keepdim=True)
        case "average_abs_max":
            return running_mean(x.abs().amax(dim=-1), state, stage.average_decay)[..., None]


def running_mean(peaks: Tensor, state: Tensor, decay: float) -> Tensor:
    """Exponential mean after each vector, `m_k = (1 - decay) m_(k-1) + decay peak_k`.

    The vectors of a batch count one after another, as the hardware sees them.

    Args:
        peaks: `(..., M)`, not negative.
        state: `(...)`, the mean before; where it is 0 the mean starts with the first peak.
        decay: Share of the new value.
    """
    state = torch.where(state > 0, state, peaks[..., 0])
    means = []
    for block in torch.split(peaks, AVERAGE_BLOCK, dim=-1):
        steps = torch.arange(block.shape[-1], device=peaks.device, dtype=peaks.dtype)
        age = steps[:, None] - steps
        share = torch.where(age >= 0, decay * (1 - decay) ** age.clamp_min(0), 0.0)
        mean = block @ share.T + state[..., None] * (1 - decay) ** (steps + 1)
        means.append(mean)
        state = mean[..., -1]
    return torch.cat(means, dim=-1)


def normalise(x: Tensor, scale: Tensor) -> Tensor:
    """Divide activations `(..., M, R)` by their scale `(..., M, 1)`; vectors of scale 0 stay 0.

    The product of such a vector is to be multiplied by its scale again: 0, whatever the noise.
    """
    return x / torch.where(scale > 0, scale, 1.0)


def convert_input_(
    x: Tensor, *, bits: int | None, stage: InputStage, generator: torch.Generator
) -> Tensor:
    """Convert a normalised drive in one pass, in place: quantise, clip to 1, add the errors."""
    rounding = generator if stage.stochastic_rounding else None
    quantize_(x, bits=bits, bound=1.0, generator=rounding)
    return disturb_drive_(x, stage, generator=generator)


def disturb_drive_(drive: Tensor, stage: InputStage, *, generator: torch.Generator) -> Tensor:
    """Errors of one pass in place: Gaussian noise on every row, then the weaker negative side."""
    if stage.noise > 0:
        drive.add_(gaussian_like(drive, generator=generator), alpha=stage.noise)
    if stage.asymmetry != 0:
        drive.add_(drive.clamp_max(0), alpha=-stage.asymmetry)
    return drive


def encode(x: Tensor, *, bits: int | None, stage: InputStage, generator: torch.Generator) -> Passes:
    """Quantise a normalised drive and take it apart into passes; errors come per pass later.

    Args:
        x: `(M, R)` normalised activations; clipped to [-1, 1] where there are `bits`.
        bits: Resolution of the converter of the rows.
        stage: Encoding and rounding.
        generator: For stochastic rounding.

    Raises:
        ValueError: The encoding needs digits and `bits` is None or too small for the split.
    """
    rounding = generator if stage.stochastic_rounding else None
    if stage.encoding in ("split", "bit_serial"):
        if bits is None:
            raise ValueError(
                f"`encoding = {stage.encoding!r}` passes digits, but got dac_bits=None. Give "
                "`converters.dac_bits` a number or choose another encoding."
            )
        codes = quantize_codes_(x.clone(), bits=bits, bound=1.0, generator=rounding)
        if stage.encoding == "split":
            digits = split_digits(codes, stage.split_low_bits, bits=bits)
        else:
            digits = bit_planes(codes, bits)
        largest = x.new_tensor(digits.largest)
        drives = digits.planes.div_(largest.view(-1, *[1] * x.dim()))
        unit = 2 / converter_steps(bits)
        pairs = zip(digits.weights, digits.largest, strict=True)
        return Passes(drives, tuple(weight * top * unit for weight, top in pairs))
    drive = quantize_(x.clone(), bits=bits, bound=1.0, generator=rounding)
    if stage.encoding == "one_pass":
        return Passes(drive[None], (1.0,))
    return Passes(torch.stack(split_signs(drive)), (1.0, 1.0))


def split_signs(drive: Tensor) -> tuple[Tensor, Tensor]:
    """Positive and negative part of a drive; they add up to it, and one of them is 0 everywhere."""
    return drive.clamp_min(0), drive.clamp_max(0)


def bit_planes(codes: Tensor, bits: int) -> Digits:
    """Take codes of a converter of `bits` bits apart into the bits of their magnitude.

    Args:
        codes: Whole numbers within +-(2^(bits-1) - 1), any shape.
        bits: With the sign: there are `bits - 1` planes of -1, 0 and 1, lowest bit first.
    """
    powers = tuple(2**k for k in range(bits - 1))
    place = codes.new_tensor(powers).view(-1, *[1] * codes.dim())
    planes = (codes.abs() / place).floor_().remainder_(2).mul_(codes.sign())
    return Digits(planes, powers, (1,) * len(powers))


def split_digits(codes: Tensor, low_bits: int, *, bits: int) -> Digits:
    """Take codes apart into their `low_bits` lowest bits and the rest, both with the code's sign.

    Args:
        codes: Whole numbers within +-(2^(bits-1) - 1), any shape.
        low_bits: At least 1 and less than the `bits - 1` of the magnitude.
        bits: Of the converter, with the sign.
    """
    if not 1 <= low_bits < bits - 1:
        raise ValueError(
            f"`1 <= low_bits < bits - 1` must hold, but got low_bits={low_bits} and bits={bits}. "
            "Change `split_low_bits` or `dac_bits`."
        )
    shift = 2**low_bits
    low = codes.fmod(shift)
    high = (codes - low).div_(shift)
    return Digits(torch.stack([low, high]), (1, shift), (shift - 1, 2 ** (bits - 1 - low_bits) - 1))
