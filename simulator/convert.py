"""Turn a model into its analog twin and back; program it, age it, calibrate its input ranges."""

import copy
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from analognas.simulator.hardware import Hardware
from analognas.simulator.layers import AnalogLayer, AnalogModel, analog_layers
from analognas.simulator.layers.conversion_rules import (
    COMPOUND_TWINS,
    TWINS,
    HardwareRules,
    check_convertible,
    digital_matrices,
    kind_with_matrices,
    modules_with_matrices,
)
from analognas.simulator.layers.fused_paths import switch_off_fused_paths, switch_on_fused_paths
from analognas.simulator.programming import (
    ProgrammingLog,
    ProgrammingMethod,
    programming_method,
    total,
)
from analognas.simulator.streams import draw_root

logger = logging.getLogger(__name__)


def to_analog(
    model: nn.Module,
    hardware: Hardware,
    *,
    keep_digital: Sequence[str] = (),
    layer_hardware: Mapping[str, Hardware] | None = None,
) -> AnalogModel:
    """Copy `model` with the matrices of every layer in `TWINS` on tiles; all else stays digital.

    Linear layers, convolutions, recurrent layers and attention become analog, and so do subclasses
    that do not override what is computed. A warning names what has a matrix of another kind.

    Args:
        model: Any module that maps one batch to one output; it is left untouched.
        hardware: The tiles to use.
        keep_digital: Names of layers, or of modules whose layers stay digital. The matrices inside
            of a recurrent layer or attention have names too ("lstm.weight_hh_l0", "attn.in_proj").
        layer_hardware: Other tiles for the layers of these names, or inside of these modules; of
            several that fit, the longest name counts.

    Raises:
        ValueError: A name is not a module, a module is lazy or pruned, or nothing is analog.
    """
    check_convertible(model)
    network = copy.deepcopy(model)
    if kind_with_matrices(network) is not None:
        network = nn.Sequential(network)
    rules = HardwareRules(hardware, keep_digital, layer_hardware or {})
    found = list(modules_with_matrices(network, remove_duplicate=False))
    known = {name for name, _ in network.named_modules(remove_duplicate=False)}
    twins: dict[int, nn.Module] = {}  # a module used twice is one matrix on the chip
    for name, layer, kind in found:
        if rules.keeps_digital(name):
            continue
        twin = twins.get(id(layer)) or TWINS[kind](layer, rules.hardware_of, name)
        if isinstance(twin, COMPOUND_TWINS):
            known |= {f"{name}.{part}" for part, _ in twin.named_children()}
        if any(isinstance(part, AnalogLayer) for part in twin.modules()):
            twins[id(layer)] = twin
            _replace(network, name, twin)
    rules.check_names(known, [name for name, *_ in found])
    if not twins:
        raise ValueError(
            "The model must have a layer of a kind that can be analog and is not kept digital, but "
            f"it has none. Kinds: {sorted(kind.__name__ for kind in TWINS)}."
        )
    if left := digital_matrices(network, rules):
        logger.warning("These modules have matrices that stay digital: %s.", "; ".join(left))
    switch_off_fused_paths(network)
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
            Recurrent layers and attention then stay taken apart into their matrices.
    """
    # The deep copy meets each twin's digital original in its place, not its tiles.
    memo: dict[int, Any] = {}
    for module in analog.network.modules():
        if isinstance(module, AnalogLayer):
            digital = copy.deepcopy(module.digital, memo)
            bound = module.input_range.item()
            if clip_inputs and module.has_range and bound > 0:
                digital.register_forward_pre_hook(ClipInput(bound))
            memo[id(module)] = digital
        elif isinstance(module, COMPOUND_TWINS) and not clip_inputs:
            memo[id(module)] = copy.deepcopy(module.digital, memo)
    network: nn.Module = copy.deepcopy(analog.network, memo)
    switch_on_fused_paths(network)
    return network


def program(
    analog: AnalogModel,
    *,
    chips: int | Sequence[int],
    generator: torch.Generator,
    method: ProgrammingMethod | str = "statistical",
) -> None:
    """Program the network onto simulated chips and put it into evaluation mode.

    Each chip draws its conductances and drift exponents from streams of its own, so that chip 3 is
    the same chip whatever is simulated beside it.

    Args:
        analog: From `to_analog`, with input ranges trained or calibrated.
        chips: How many, or the numbers of those wanted.
        generator: Advanced twice; everything random derives from these draws.
        method: "statistical" draws the error that programming leaves; "verify" and "gdp" simulate
            every pulse, cell by cell or by products, see `simulator.programming`. What it took is
            in `programming_logs(analog)`.

    Raises:
        ValueError: There is no such chip or method, a layer has no input range, or pulses are asked
            of cells that are no phase-change memory.
    """
    method = programming_method(method) if isinstance(method, str) else method
    numbers = tuple(range(chips)) if isinstance(chips, int) else tuple(chips)
    if not numbers or min(numbers) < 0:
        raise ValueError(f"`chips` must be at least 1 chip with number >= 0, but got {chips!r}.")
    factory_root = draw_root(generator)
    _program(analog, numbers, method, factory_root=factory_root, generator=generator)


def reprogram(
    analog: AnalogModel,
    *,
    generator: torch.Generator,
    method: ProgrammingMethod | str = "statistical",
) -> None:
    """Write the weights anew to the same chips, with their stuck cells and unequal columns.

    Args:
        analog: A programmed model; its age starts again at zero.
        generator: Advanced once; programming noise and drift exponents derive from that draw.
        method: As in `program`.
    """
    method = programming_method(method) if isinstance(method, str) else method
    if not analog.chips:
        raise ValueError(
            "A model must be programmed before it is programmed again. Call `program(analog, "
            "chips=..., generator=...)` first."
        )
    factory_root = int(analog.roots[1])
    _program(analog, analog.chips, method, factory_root=factory_root, generator=generator)


def _program(
    analog: AnalogModel,
    chips: tuple[int, ...],
    method: ProgrammingMethod,
    *,
    factory_root: int,
    generator: torch.Generator,
) -> None:
    root = draw_root(generator)
    for _, layer in analog_layers(analog):
        layer.program(chips, root, factory_root=factory_root, method=method)
    analog.remember_chips(chips, root=root, factory_root=factory_root)
    analog.eval()


def programming_logs(analog: AnalogModel) -> dict[str, tuple[ProgrammingLog, ...]]:
    """What pulsed programming took: for every layer, the log of each chip over its tiles.

    Empty after statistical programming, which counts nothing.
    """
    logs: dict[str, tuple[ProgrammingLog, ...]] = {}
    for name, layer in analog_layers(analog):
        tiles = [tile.logs for tile in layer.crossbar_tiles() if tile.logs]
        if tiles:
            logs[name] = tuple(total(of_chip) for of_chip in zip(*tiles, strict=True))
    return logs


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
    for _, layer in analog_layers(analog):
        layer.set_time(t_s, root)
    analog.remember_time(t_s, root=root)


def _replace(network: nn.Module, name: str, new: nn.Module) -> None:
    parent_name, _, attribute = name.rpartition(".")
    setattr(network.get_submodule(parent_name), attribute, new)
