"""Random changes of training inputs."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F


@dataclass(frozen=True)
class RandomShift:
    """Move every input by up to `height` rows and `width` columns, each way, uniformly.

    What enters at the border is `fill`: the value of the padding or of the background.
    """

    height: int
    width: int
    fill: float = 0.0

    def __call__(self, inputs: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Return shifted copies of `inputs` `(B, C, H, W)`, each by its own amount."""
        batch, _, rows, columns = inputs.shape
        padded = F.pad(inputs, (self.width, self.width, self.height, self.height), value=self.fill)
        device = inputs.device
        down = _offsets(batch, 2 * self.height, generator).to(device)
        right = _offsets(batch, 2 * self.width, generator).to(device)
        row = down[:, None] + torch.arange(rows, device=device)
        column = right[:, None] + torch.arange(columns, device=device)
        sample = torch.arange(batch, device=device)[:, None, None]
        shifted = padded[sample, :, row[:, :, None], column[:, None, :]]  # (B, H, W, C)
        return shifted.permute(0, 3, 1, 2).contiguous()


@dataclass(frozen=True)
class ShiftAndMask:
    """Shift in time, then hide up to `columns` neighbouring coefficients of every input.

    Hiding (setting to zero, the mean) is the frequency masking of Park 2019 (arXiv:1904.08779) on
    cepstral coefficients. It keeps a network from leaning on one coefficient, which differs between
    voices and microphones.
    """

    shift: RandomShift
    columns: int

    def __call__(self, inputs: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Return shifted and masked copies of `inputs` `(B, C, H, W)`."""
        shifted = self.shift(inputs, generator)
        batch, _, _, width = inputs.shape
        start = _offsets(batch, width - 1, generator).to(inputs.device)[:, None]
        count = _offsets(batch, self.columns, generator).to(inputs.device)[:, None]
        column = torch.arange(width, device=inputs.device)
        hidden = (column >= start) & (column < start + count)  # (B, W)
        return shifted.masked_fill(hidden[:, None, None, :], 0.0)


@dataclass(frozen=True)
class ShiftAndFlip:
    """Shift, then mirror every other input, left to right."""

    shift: RandomShift

    def __call__(self, inputs: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Return shifted copies of `inputs` `(B, C, H, W)`, half of them mirrored by chance."""
        shifted = self.shift(inputs, generator)
        mirrored = _offsets(len(inputs), 1, generator).to(inputs.device) == 1
        return torch.where(mirrored[:, None, None, None], shifted.flip(-1), shifted)


def _offsets(count: int, largest: int, generator: torch.Generator) -> torch.Tensor:
    return torch.randint(largest + 1, (count,), generator=generator, device=generator.device)
