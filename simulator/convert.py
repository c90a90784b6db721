"""Turn a model into its analog twin and back; program it, age it, calibrate its input ranges."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from analognas.simulator.hardware import Hardware
from analognas.simulator.layers.analog_layer import AnalogLayer, AnalogModel, analog_layers
from analognas.simulator.streams import draw_root

ANALOG_KINDS = (nn.Linear, nn.Conv2d)


def to_analog(
    model: nn.Module, hardware: Hardware, *, keep_digital: Sequence[str] = ()
) -> AnalogModel:
    """Copy `model` with every `nn.Linear` and `nn.Conv2d` on tiles; all else stays digital.

    Args:
        model: Any module that maps one batch to one output; it is left untouched.
        hardware: The tiles to use.
        keep_digital: Names of layers, or of modules whose layers stay digital.

    Raises:
        ValueError: A name in `keep_digital` is not a module, or nothing analog is left.
    """
    names = {name for name, _ in model.named_modules()}
    for name in keep_digital:
        if name not in names:
            raise ValueError(
                f"`keep_digital` must name modules of the model, but got {name!r}. "
                f"Modules with analog layers: {sorted(n for n, _ in _convertible(model))}."
            )
    network = copy.deepcopy(model)
    if type(network) in ANALOG_KINDS:
        network = nn.Sequential(network)
    twins: dict[int, AnalogLayer] = {}  # a module used twice is one matrix on the chip
    for name, layer in list(_convertible(network)):
        if any(name == kept or name.startswith(f"{kept}.") for kept in keep_digital):
            continue
        twin = twins.setdefault(id(layer), AnalogLayer(layer, hardware))
        _replace(network, name, twin)
    if not twins:
        raise ValueError(
            "The model must have an nn.Linear or nn.Conv2d that is not kept digital, but it "
            "has none."
        )
    return AnalogModel(network, hardware).train(model.training)


@dataclass(frozen=True)
class ClipInput:
    """Forward pre-hook of a digital layer: saturate its input as the DAC does, do not round."""

    bound: float

    def __call__(self, layer: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor]:
        return (args[0].clamp(-self.bound, self.bound),)


def to_digital(analog: AnalogModel, *, clip_inputs: bool = False) -> nn.Module:
    """Copy the network with its present weights as ordinary layers, without analog effects.

    Args:
        analog: In any state.
        clip_inputs: Keep the saturation at the input ranges, which the weights were trained with:
            the network that HWA training has optimised, in full precision and without noise.
    """
    layers = dict(_all_analog(analog.network))
    # The deep copy meets each analog layer's digital part in its place, not its tiles.
    memo: dict[int, object] = {}
    for layer in layers.values():
        if id(layer) in memo:
            continue
        digital = copy.deepcopy(layer.digital)
        bound = layer.input_range.item()
        if clip_inputs and layer.hardware.converters.dac_bits is not None and bound > 0:
            digital.register_forward_pre_hook(ClipInput(bound))
        memo[id(layer)] = digital
    return copy.deepcopy(analog.network, memo)


def program(analog: AnalogModel, *, chips: int | Sequence[int], generator: torch.Generator) -> None:
    """Program the network onto simulated chips and put it into evaluation mode.

    Each chip draws its conductances and drift exponents from streams of its own, so that chip 3 is
    the same chip whatever is simulated beside it.

    Args:
        analog: From `to_analog`, with input ranges trained or calibrated.
        chips: How many, or the numbers of those wanted.
        generator: Advanced once; everything random derives from that draw.
    """
    numbers = tuple(range(chips)) if isinstance(chips, int) else tuple(chips)
    if not numbers or min(numbers) < 0:
        raise ValueError(f"`chips` must be at least 1 chip with number >= 0, but got {chips!r}.")
    root = draw_root(generator)
    for name, layer in analog_layers(analog):
        layer.program(chips=numbers, root=root, name=name)
    analog.chips, analog.root = numbers, root
    analog.eval()


def set_time(analog: AnalogModel, *, t_s: float, generator: torch.Generator) -> None:
    """Age all chips to `t_s` seconds after programming; compensate drift through the noisy tiles.

    Args:
        analog: A programmed model.
        t_s: Seconds since programming, not negative.
        generator: Advanced once; the read noise derives from that draw.
    """
    if not analog.chips:
        raise ValueError(
            "A model must be programmed before it ages. Call `program(analog, chips=..., "
            "generator=...)` first."
        )
    if not 0 <= t_s < float("inf"):
        raise ValueError(f"`t_s` must be a time of at least 0 seconds, but got {t_s}.")
    root = draw_root(generator)
    for name, layer in analog_layers(analog):
        layer.set_time(t_s, root=root, name=name)


@torch.no_grad()
def calibrate_input_ranges(
    analog: AnalogModel, inputs: Tensor, *, quantile: float = 0.9995
) -> None:
    """Set every input range to a quantile of |x| that the layer sees on `inputs` `(B, ...)`.

    For networks that were not trained hardware-aware. Use training data only.
    """
    if not 0 < quantile <= 1:
        raise ValueError(f"`0 < quantile <= 1` must hold, but got quantile={quantile}.")
    seen: dict[AnalogLayer, Tensor] = {}

    def record(layer: nn.Module, args: tuple[Tensor, ...]) -> None:
        assert isinstance(layer, AnalogLayer)
        magnitudes = args[0].detach().abs().flatten()
        count = max(1, round(quantile * magnitudes.numel()))
        value = magnitudes.kthvalue(count).values.clamp_min(1e-6)
        seen[layer] = torch.maximum(seen.get(layer, value), value)

    training = analog.training
    hooks = [layer.register_forward_pre_hook(record) for _, layer in analog_layers(analog)]
    try:
        analog.eval()
        analog.network(inputs)
    finally:
        for hook in hooks:
            hook.remove()
        analog.train(training)
    for layer, value in seen.items():
        layer.input_range.copy_(value)


def _convertible(network: nn.Module) -> Iterator[tuple[str, nn.Linear | nn.Conv2d]]:
    for name, module in network.named_modules(remove_duplicate=False):
        if type(module) in ANALOG_KINDS:
            assert isinstance(module, nn.Linear | nn.Conv2d)
            yield name, module


def _all_analog(network: nn.Module) -> Iterator[tuple[str, AnalogLayer]]:
    for name, module in network.named_modules(remove_duplicate=False):
        if isinstance(module, AnalogLayer):
            yield name, module


def _replace(network: nn.Module, name: str, new: nn.Module) -> None:
    parent_name, _, attribute = name.rpartition(".")
    setattr(network.get_submodule(parent_name), attribute, new)
