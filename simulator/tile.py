"""A crossbar tile on many simulated chips: programmed once, aged, read."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from analognas.simulator.compensation.global_drift import mean_absolute_read_out
from analognas.simulator.devices import (
    draw_drift_exponents,
    program_conductance,
    read_conductance,
)
from analognas.simulator.hardware import Hardware
from analognas.simulator.mapping import TileBlock
from analognas.simulator.streams import spawn_generator


class CrossbarTile(nn.Module):
    """One tile of a layer, the same weights on every chip.

    Each weight is a pair of conductances g+ and g-, of which one is programmed to `|w| g_max` and
    the other to zero; both carry noise, drift with exponents of their own, and keep them. Column
    `i` is scaled by its largest weight in this tile, so that every column uses the whole
    conductance range.

    After `program`, with K chips, C columns, R rows:
        g_programmed_uS, drift_exponent: `(K, 2, C, R)`; index 0 is g+.
        weight: `(K, C, R)`, normalised conductance difference at the present time.
        column_scale: `(C,)`; drift_gain: `(K,)`, the digital factor of the drift compensation.
    """

    g_programmed_uS: Tensor
    drift_exponent: Tensor
    weight: Tensor
    column_scale: Tensor
    drift_gain: Tensor
    baseline: Tensor

    def __init__(self, block: TileBlock, hardware: Hardware) -> None:
        super().__init__()
        self.block = block
        self.hardware = hardware

    def program(self, target: Tensor, *, chips: Sequence[int], root: int, name: str) -> None:
        """Write `target` `(C, R)` to every chip and take the baseline of the drift compensation.

        Args:
            target: Logical weights of this tile.
            chips: Numbers of the chips; a chip's draws depend on its number alone.
            root: Seed of the tree of random streams.
            name: Path of this tile in that tree.
        """
        device = self.hardware.device
        scale = target.abs().amax(dim=1)
        scale = torch.where(scale > 0, scale, torch.ones_like(scale))
        normalised = target / scale[:, None]
        g_target_uS = device.g_max_uS * torch.stack([normalised, -normalised]).clamp_min_(0.0)
        programmed, exponents = [], []
        for chip in chips:
            writing = spawn_generator(root, name, chip, "programming", device=target.device)
            programmed.append(program_conductance(device, g_target_uS, generator=writing))
            ageing = spawn_generator(root, name, chip, "drift", device=target.device)
            exponents.append(draw_drift_exponents(device, g_target_uS, generator=ageing))
        self.register_buffer("g_programmed_uS", torch.stack(programmed))
        self.register_buffer("drift_exponent", torch.stack(exponents))
        self.register_buffer("column_scale", scale)
        self.register_buffer("drift_gain", torch.ones(len(chips), device=target.device))
        self.register_buffer("baseline", torch.ones(len(chips), device=target.device))
        self._age(0.0, chips=chips, root=root, name=name)
        if self.hardware.compensation == "gdc":
            self.baseline = self._read_out(0.0, chips=chips, root=root, name=name)

    def set_time(self, t_s: float, *, chips: Sequence[int], root: int, name: str) -> None:
        """Age the cells to `t_s` seconds after programming and compensate the drift."""
        self._age(t_s, chips=chips, root=root, name=name)
        if self.hardware.compensation == "gdc":
            self.drift_gain = self.baseline / self._read_out(t_s, chips=chips, root=root, name=name)

    def _age(self, t_s: float, *, chips: Sequence[int], root: int, name: str) -> None:
        device = self.hardware.device
        weights = []
        for index, chip in enumerate(chips):
            generator = spawn_generator(
                root, name, chip, "1/f", repr(t_s), device=self.g_programmed_uS.device
            )
            g_uS = read_conductance(
                device,
                self.g_programmed_uS[index],
                self.drift_exponent[index],
                t_s=t_s,
                generator=generator,
            )
            weights.append((g_uS[0] - g_uS[1]) / device.g_max_uS)
        self.register_buffer("weight", torch.stack(weights))

    def _read_out(self, t_s: float, *, chips: Sequence[int], root: int, name: str) -> Tensor:
        read_outs = []
        for index, chip in enumerate(chips):
            generator = spawn_generator(
                root, name, chip, "compensation", repr(t_s), device=self.weight.device
            )
            read_outs.append(
                mean_absolute_read_out(self.weight[index], self.hardware, generator=generator)
            )
        return torch.stack(read_outs)
