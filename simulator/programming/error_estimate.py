"""Errors of all weights of a core from the errors of its products.

With inputs X `(B, R)` and errors E `(B, C)` of the products, the plain gradient `X^T E` of the mean
square error mixes the error of a weight with those of the other weights of its column: its noise is
`sqrt(R / B)` of the whole column's error. Multiplied by `(X^T X)^-1`, it is the least-squares
estimate of the weights' errors, without that mixing.
"""

import torch
from torch import Tensor

from analognas.simulator.mvm import half_steps
from analognas.simulator.programming.core import Core
from analognas.simulator.quantizer import quantize_
from analognas.simulator.streams import NoiseStream

VECTORS_PER_ROW = 4  # at least: least squares needs more equations than unknowns
OUTPUT_HEADROOM = 3.5  # standard deviations of the outputs that the ADC must take
UNIFORM_SIGMA = 3**-0.5
LEAST_DAC_STEPS = 1.5  # of the largest input
CLIPPED = 1 - 1e-6  # of the ADC's bound


class Estimator:
    """Errors of the weights from products with fresh random inputs.

    Args:
        core: DAC, wires, noise and ADC.
        weight: `(C, R)` targets, normalised.
        vectors: Inputs of an estimate; at least four per row are used.
        whiten: Least squares instead of the plain gradient.
    """

    def __init__(self, core: Core, weight: Tensor, *, vectors: int, whiten: bool) -> None:
        columns, rows = weight.shape
        self.core, self.weight, self.whiten = core, weight, whiten
        self.vectors = max(vectors, VECTORS_PER_ROW * rows)
        self.gain = weight.new_ones(columns)
        self.offset = weight.new_zeros(columns)
        self.bound: float | None = None
        self.amplitude = 1.0
        self._last: tuple[Tensor, Tensor, Tensor | None] | None = None
        converters = core.hardware.converters
        if converters.adc_bits is not None:
            self.bound = converters.output_bound
            largest = float(torch.linalg.vector_norm(weight, dim=1).max()) * UNIFORM_SIGMA
            if largest > 0:
                self.amplitude = min(1.0, self.bound / (OUTPUT_HEADROOM * largest))
        codes = half_steps(converters.dac_bits)
        if codes is not None:  # coarse converters must not round all inputs to zero
            self.amplitude = max(self.amplitude, min(1.0, LEAST_DAC_STEPS / codes))

    def errors(self, g_uS: Tensor, stream: NoiseStream) -> Tensor:
        """Estimate for cells `(D, C, R)`; outputs that clip do not count. `(C, R)`, normalised."""
        bits = self.core.hardware.converters.dac_bits
        drive = self.weight.new_empty(self.vectors, self.weight.shape[1])
        drive.uniform_(-self.amplitude, self.amplitude, generator=stream.generator)
        quantize_(drive, bits=bits, bound=1.0)
        y = self.core.multiply(drive, g_uS, stream)
        exact = drive @ self.weight.T
        clipped = None if self.bound is None else y.abs() >= self.bound * CLIPPED
        self._last = (y, exact, clipped)
        error = y - exact
        if clipped is not None:
            error.masked_fill_(clipped, 0.0)
        gradient = drive.T @ error
        if not self.whiten:
            return gradient.T.div(drive.square().mean() * len(drive))
        gram = drive.T @ drive
        gram.diagonal().add_(gram.diagonal().mean() * 1e-6)
        return torch.cholesky_solve(gradient, torch.linalg.cholesky(gram)).T

    def fit_columns(self) -> None:
        """Find gain and offset that make the last outputs, on average, the exact ones."""
        if self._last is None:
            return
        y, exact, clipped = self._last
        weight = torch.ones_like(y) if clipped is None else (~clipped).to(y)
        count = weight.sum(dim=0).clamp_min_(1.0)
        mean_y, mean_exact = (y * weight).sum(dim=0) / count, (exact * weight).sum(dim=0) / count
        centred = (exact - mean_exact) * weight
        power = (centred * exact).sum(dim=0)
        slope = (centred * y).sum(dim=0) / torch.where(power > 0, power, 1.0)
        usable = (power > 0) & (slope > 0)
        self.gain = torch.where(usable, 1 / torch.where(usable, slope, 1.0), 1.0)
        self.offset = mean_exact - self.gain * mean_y


class Evidence:
    """Mean of the estimates of every weight since it was last changed."""

    def __init__(self, weight: Tensor) -> None:
        self.mean = torch.zeros_like(weight)
        self._count = torch.zeros_like(weight)

    def add(self, estimate: Tensor) -> None:
        self._count.add_(1)
        self.mean.add_((estimate - self.mean) / self._count)

    def forget(self, touched: Tensor) -> None:
        self._count.masked_fill_(touched, 0.0)
        self.mean.masked_fill_(touched, 0.0)
