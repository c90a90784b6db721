"""Weight noise for hardware-aware training: the spread of the cells, drawn for every batch.

The standard deviation of a normalised weight is tabulated once over its magnitude, so that the
noise costs one look-up and one Gaussian draw whatever the device model is.
"""

import math

import torch
from torch import Tensor

from analognas.simulator.devices import Device
from analognas.simulator.devices.base import read_noise_growth
from analognas.simulator.streams import gaussian_like

TABLE_SIZE = 257


def noise_table(device: Device, *, t_s: float) -> Tensor:
    """Standard deviation of a differential pair's weight at `t_s`, relative to the largest weight.

    First-order sum of programming noise of both cells, spread of the drift exponent and 1/f noise
    of the programmed cell; the mean drift is left out because the compensation undoes it.

    Returns:
        `(257,)` over `|w|` = 0 ... 1.
    """
    r = torch.linspace(0.0, 1.0, TABLE_SIZE, dtype=torch.float64)
    zero = torch.zeros(1, dtype=torch.float64)
    programming = device.programming_sigma_uS(r) ** 2 + device.programming_sigma_uS(zero) ** 2
    log_time = math.log((t_s + device.t_ref_s) / device.t_ref_s)
    drift = r * device.drift_sigma(r) * log_time
    read = r * device.read_noise_fraction(r) * read_noise_growth(device, t_s=t_s)
    read = torch.nan_to_num(read)
    variance = programming / device.g_max_uS**2 + drift**2 + read**2
    return variance.sqrt().float()


def add_weight_noise(
    weight: Tensor, table: Tensor, strength: float, *, generator: torch.Generator
) -> Tensor:
    """Return noisy weights; the gradient goes to the clean ones unchanged.

    Args:
        weight: `(O, ...)`; every output is scaled by its largest weight, as on the tile.
        table: From `noise_table`, on the weights' device.
        strength: Multiplies the standard deviation.
        generator: On the weights' device.
    """
    with torch.no_grad():
        flat = weight.detach().flatten(1).abs()
        largest = flat.amax(dim=1, keepdim=True).clamp_min_(1e-12)
        index = (flat / largest).mul_(TABLE_SIZE - 1).round_().long()
        sigma = table[index].mul_(largest)
        noise = gaussian_like(sigma, generator=generator).mul_(sigma)
        noise = noise.mul_(strength).view_as(weight)
    return weight + noise
