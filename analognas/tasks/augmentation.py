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


def _offsets(count: int, largest: int, generator: torch.Generator) -> torch.Tensor:
    return torch.randint(largest + 1, (count,), generator=generator, device=generator.device)
