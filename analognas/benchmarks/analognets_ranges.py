"""Ranges for a network that was trained without converters: the fairest the validation part gives.

Every candidate (rule of the input ranges, gain of the ADCs) converts the network without any noise;
the one with the smallest cross-entropy on the validation part is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from analognas.benchmarks.analognets_cases import GAINS, OUTPUT_QUANTILES, RANGE_RULES
from analognas.simulator import (
    IDEAL,
    AnalogLayer,
    AnalogModel,
    Hardware,
    RangeRule,
    analog_layers,
    calibrate_input_ranges,
    program,
    spawn_generator,
    to_analog,
)
from analognas.simulator.adc_gain import with_adc_gain
from analognas.tasks import Task

CALIBRATION_INPUTS = 512
SMALLEST_BOUND = 1e-3


@dataclass(frozen=True)
class Ranges:
    """Where DACs and ADCs of a network end.

    `bounds` holds `output_bound` by layer; with one gain for all, they are equal.
    """

    rule: RangeRule
    inputs: Mapping[str, float]
    bounds: Mapping[str, float]

    def analog(self, network: nn.Module, hardware: Hardware) -> AnalogModel:
        """`network` on `hardware` with these ranges, not programmed."""
        own = {name: with_adc_gain(hardware, bound) for name, bound in self.bounds.items()}
        shared = set(self.bounds.values())
        if len(shared) == 1:
            analog = to_analog(network, with_adc_gain(hardware, shared.pop()))
        else:
            analog = to_analog(network, hardware, layer_hardware=own)
        for name, layer in analog_layers(analog):
            layer.input_range.detach().fill_(self.inputs[name])
        return analog.eval()


def one_gain(
    network: nn.Module,
    hardware: Hardware,
    task: Task,
    *,
    rules: Iterable[RangeRule] = RANGE_RULES,
) -> Ranges:
    """The best ranges with one gain for the ADCs of all layers."""
    found = []
    for rule in rules:
        inputs = _input_ranges(network, hardware, task, rule)
        found += [Ranges(rule, inputs, dict.fromkeys(inputs, gain)) for gain in GAINS]
    return _best(found, network, hardware, task)


def own_ranges(network: nn.Module, hardware: Hardware, task: Task) -> Ranges:
    """The best ranges if every layer may choose its own for the ADCs, by a quantile of outputs."""
    found = []
    for rule in RANGE_RULES:
        inputs = _input_ranges(network, hardware, task, rule)
        outputs = _outputs(network, hardware, task)
        for quantile in OUTPUT_QUANTILES:
            bounds = {
                name: max(SMALLEST_BOUND, _quantile(y, quantile) / (inputs[name] * largest))
                for name, (y, largest) in outputs.items()
            }
            found.append(Ranges(rule, inputs, bounds))
    return _best(found, network, hardware, task)


def _best(found: list[Ranges], network: nn.Module, hardware: Hardware, task: Task) -> Ranges:
    """Return the candidate with the smallest loss; the first of equals."""
    quiet = without_noise(hardware)
    x = torch.from_numpy(task.validation.inputs)
    labels = torch.from_numpy(task.validation.labels)
    losses = []
    for ranges in found:
        analog = ranges.analog(network, quiet)
        program(analog, chips=1, generator=spawn_generator(0, "ranges"))
        with torch.no_grad():
            losses.append(float(F.cross_entropy(analog(x)[0], labels)))
    return found[losses.index(min(losses))]


def without_noise(hardware: Hardware) -> Hardware:
    """The same converters and tiles around cells that keep their weights."""
    return replace(
        hardware,
        device=IDEAL.device,
        weight_read_noise=0.0,
        compensation="none",
        converters=replace(hardware.converters, output_noise=0.0),
    )


def _input_ranges(
    network: nn.Module, hardware: Hardware, task: Task, rule: RangeRule
) -> dict[str, float]:
    analog = to_analog(network, hardware)
    inputs = torch.from_numpy(task.train.inputs[:CALIBRATION_INPUTS])
    batches = [inputs[first : first + 64] for first in range(0, len(inputs), 64)]
    calibrate_input_ranges(analog, batches, rule=rule)
    return {name: float(layer.input_range.detach()) for name, layer in analog_layers(analog)}


@torch.no_grad()
def _outputs(network: nn.Module, hardware: Hardware, task: Task) -> dict[str, tuple[Tensor, float]]:
    """Magnitudes of every layer's products on training inputs, and its largest weight."""
    analog = to_analog(network, hardware).eval()
    names = {layer: name for name, layer in analog_layers(analog)}
    found: dict[str, tuple[Tensor, float]] = {}

    def record(layer: nn.Module, _: object, y: Tensor) -> None:
        assert isinstance(layer, AnalogLayer)
        if layer.bias is not None:
            y = y - layer.bias.view(-1, *[1] * (y.dim() - 2))
        found[names[layer]] = (y.abs().flatten(), float(layer.weight.abs().max()))

    hooks = [layer.register_forward_hook(record) for layer in names]
    analog(torch.from_numpy(task.train.inputs[:CALIBRATION_INPUTS]))
    for hook in hooks:
        hook.remove()
    return found


def _quantile(magnitudes: Tensor, quantile: float) -> float:
    return float(magnitudes.kthvalue(max(1, round(quantile * magnitudes.numel()))).values)
