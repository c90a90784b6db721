"""How samples are held against closed forms."""

import math
from collections.abc import Callable

import pytest
from torch import Tensor

MomentCheck = Callable[[Tensor, float, float], None]


@pytest.fixture
def moments_are() -> MomentCheck:
    """A check that a sample has this mean and standard deviation, within 5 standard errors."""

    def check(sample: Tensor, mean: float, sigma: float) -> None:
        values = sample.detach().double().flatten()
        n = values.numel()
        assert n >= 100_000
        deviation = values - mean
        fourth = float(deviation.pow(4).mean())
        variance = float(deviation.square().mean())
        error = math.sqrt(max(fourth - variance**2, 0.0) / n)
        assert abs(float(deviation.mean())) < 5 * sigma / math.sqrt(n)
        assert abs(variance - sigma**2) < 5 * error
        assert error < 0.05 * sigma**2  # the check can fail

    return check
