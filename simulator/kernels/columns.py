"""What the read-out of a tile needs to know about its columns and its wires."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Columns:
    """Five numbers per column, the rows of `numbers` `(5, C)`, or `(5, K, 1, C)` of K chips.

    gain: From the product to ADC steps (to normalised output without ADC).
    noise: Standard deviation of the output noise in the same units.
    squared_gain: From the sum of |w| x^2 to the variance of the read noise in these units.
    scale: From ADC steps to the digital output.
    offset: Added to the digital output: the bias.
    """

    numbers: Tensor
    _repeated: dict[int, NDArray[np.float32]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls, *, gain: Tensor, noise: Tensor, squared_gain: Tensor, scale: Tensor, offset: Tensor
    ) -> "Columns":
        """From `(C,)` or `(K, 1, C)` each."""
        return cls(torch.stack([gain, noise, squared_gain, scale, offset]))

    def repeated(self, times: int) -> NDArray[np.float32]:
        """`numbers` side by side as `(5, times C)`, kept for the next call."""
        if times not in self._repeated:
            numbers = self.numbers if times == 1 else self.numbers.repeat(1, times)
            self._repeated[times] = numbers.numpy()
        return self._repeated[times]

    @property
    def gain(self) -> Tensor:
        return self.numbers[0]

    @property
    def noise(self) -> Tensor:
        return self.numbers[1]

    @property
    def squared_gain(self) -> Tensor:
        return self.numbers[2]

    @property
    def scale(self) -> Tensor:
        return self.numbers[3]

    @property
    def offset(self) -> Tensor:
        return self.numbers[4]

    @cached_property
    def is_noisy(self) -> bool:
        """Whether any column has output noise; asked once, because it makes a GPU wait."""
        return bool((self.noise > 0).any())

    def changed(
        self,
        *,
        noise: Tensor | None = None,
        scale: Tensor | None = None,
        offset: Tensor | float | None = None,
    ) -> "Columns":
        """Copy with other numbers."""
        numbers = self.numbers.clone()
        for row, values in ((1, noise), (3, scale), (4, offset)):
            if values is not None:
                numbers[row] = values
        return Columns(numbers)


@dataclass(frozen=True)
class IrDropTerms:
    """The two extra products of the static IR drop, `(M, C)` each."""

    current: Tensor  # sum of |w| |x|
    profiled: Tensor  # sum of w x profile
    current_to_fraction: float  # rows / conductance ratio
    strength: float
