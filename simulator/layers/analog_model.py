"""A network with analog layers, on one or many simulated chips."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from analognas.simulator.hardware import Hardware
from analognas.simulator.layers.analog_layer import AnalogLayer

BatchNorm = nn.modules.batchnorm._BatchNorm


class AnalogModel(nn.Module):
    """A network whose matrix layers may be analog.

    Before `program` it maps `(B, ...)` to the outputs of `network`; after it, to `(chips, B, ...)`:
    the same inputs on every chip. Chips are run one after another, which keeps an activation in the
    caches and needs the memory of one chip only; the network sees just what it sees in digital use.

    The chips are part of the state dict: loaded into a twin of the same network on the same
    hardware, they compute as before (the noise of single reads begins anew).
    """

    chip_numbers: Tensor  # (K,)
    roots: Tensor  # (2,), seeds of the present state and of the chips' making
    t_s: Tensor  # scalar, age
    hardware_code: Tensor  # bytes that name the hardware of all layers

    def __init__(self, network: nn.Module, hardware: Hardware) -> None:
        super().__init__()
        self.network = network
        self.hardware = hardware
        self.chips: tuple[int, ...] = ()
        # Batch-norm statistics of each chip, (K, C) by name, where they were recalibrated.
        self.chip_statistics: dict[str, Tensor] = {}
        self.register_load_state_dict_post_hook(  # type: ignore[no-untyped-call]
            _restore_chips
        )

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Call the network; on chips, every tensor of its output gets the chips as first axis."""
        if not self.chips:
            return self.network(*args, **kwargs)
        self._check_inputs([*args, *kwargs.values()])
        outputs = []
        for chip in range(len(self.chips)):
            with self.on_chip(chip):
                outputs.append(self.network(*args, **kwargs))
        return _stack(outputs)

    @contextmanager
    def on_chip(self, chip: int) -> Iterator[None]:
        """Let `network` compute on the chip at place `chip` of `chips`."""
        for _, layer in analog_layers(self):
            layer.active_chip = chip
        with self._statistics_of(chip):
            yield

    def remember_chips(self, chips: tuple[int, ...], *, root: int, factory_root: int) -> None:
        """Note which chips the layers were programmed on; their age is zero."""
        device = next(self.parameters()).device
        self.chips = chips
        self.chip_statistics = {}
        self.register_buffer("chip_numbers", torch.tensor(chips, device=device))
        self.register_buffer("roots", torch.tensor([root, factory_root], device=device))
        self.register_buffer("t_s", torch.zeros((), dtype=torch.float64, device=device))
        self.register_buffer("hardware_code", self._code().to(device))

    def remember_time(self, t_s: float, *, root: int) -> None:
        """Note the age of the chips and the seed of their present noise."""
        self.t_s.fill_(t_s)
        self.roots[0] = root

    def _code(self) -> Tensor:
        names = [f"{name}:{layer.hardware.hash}" for name, layer in analog_layers(self)]
        digest = hashlib.blake2b("\n".join(names).encode(), digest_size=8).digest()
        return torch.tensor(list(digest), dtype=torch.uint8)

    @contextmanager
    def _statistics_of(self, chip: int) -> Iterator[None]:
        if not self.chip_statistics:
            yield
            return
        buffers = dict(self.network.named_buffers())
        own = {name: buffers[name].clone() for name in self.chip_statistics}
        try:
            for name, values in self.chip_statistics.items():
                buffers[name].copy_(values[chip])
            yield
        finally:
            for name, values in own.items():
                buffers[name].copy_(values)

    def _check_inputs(self, inputs: Sequence[Any]) -> None:
        if self.training:
            raise ValueError(
                "A programmed model must be in evaluation mode, but it is in training mode. "
                "Call `analog.eval()` first."
            )
        for x in inputs:
            if isinstance(x, Tensor) and x.is_floating_point() and not bool(x.isfinite().all()):
                bad = x[~x.isfinite()][0].item()
                raise ValueError(
                    f"The inputs of the network must be finite, but one is {bad}. Check the data."
                )

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        stored = state_dict.get(f"{prefix}hardware_code")
        if stored is not None and not torch.equal(stored.cpu(), self._code()):
            raise ValueError(
                "The chips in a state must be those of this model's hardware, but the state has "
                "other hardware or other analog layers. Call `to_analog` with the hardware that "
                "the chips were programmed for."
            )
        for name in AnalogModel.__annotations__:
            if prefix + name in state_dict:
                self.register_buffer(name, torch.empty_like(state_dict[prefix + name]))
        super()._load_from_state_dict(state_dict, prefix, *args)


def _restore_chips(analog: nn.Module, _: object) -> None:
    """After loading: give the layers their chips and streams back."""
    assert isinstance(analog, AnalogModel)
    if "chip_numbers" not in dict(analog.named_buffers(recurse=False)):
        return
    chips = tuple(int(number) for number in analog.chip_numbers)
    root, factory_root = (int(seed) for seed in analog.roots)
    analog.chips = chips
    for _, layer in analog_layers(analog):
        layer.restore(chips, root, factory_root=factory_root, t_s=float(analog.t_s))
    analog.eval()


def _stack(outputs: list[Any]) -> Any:
    """Stack the tensors of equally built outputs."""
    first = outputs[0]
    if isinstance(first, Tensor):
        return torch.stack(outputs)
    if isinstance(first, dict):
        return {key: _stack([output[key] for output in outputs]) for key in first}
    if isinstance(first, tuple | list):
        parts = [_stack(list(part)) for part in zip(*outputs, strict=True)]
        return type(first)(*parts) if hasattr(first, "_fields") else type(first)(parts)
    return first  # not a tensor: the same on every chip


def analog_layers(model: nn.Module) -> Iterator[tuple[str, AnalogLayer]]:
    """Every analog layer with its name in the original network."""
    for name, module in model.named_modules():
        if isinstance(module, AnalogLayer):
            yield name.removeprefix("network."), module


def batch_norms(model: nn.Module) -> dict[str, nn.Module]:
    """Every batch norm with running statistics, by its name in the model."""
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, BatchNorm) and module.running_mean is not None
    }
