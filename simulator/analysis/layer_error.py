"""How wrong every layer of a network on simulated chips is."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean, stdev

import torch
from torch import Tensor, nn

from analognas.simulator.analysis.mvm_error import relative_error
from analognas.simulator.convert import to_digital
from analognas.simulator.layers import AnalogLayer, AnalogModel, analog_layers


@dataclass(frozen=True)
class LayerError:
    """Relative error of a layer's output on one chip, mean over inputs.

    Args:
        layer: Name in the network.
        t_s: Age of the chip.
        chip: Number of the chip.
        own: Against the exact layer on the same input: what this layer adds.
        accumulated: Against the output of this layer in the digital network: what has come together
            up to here. None for a layer that the digital network has in another form.
    """

    layer: str
    t_s: float
    chip: int
    own: float
    accumulated: float | None


@dataclass(frozen=True)
class LayerErrorSummary:
    """Means over chips; the spread is the sample standard deviation, 0 for one chip."""

    layer: str
    t_s: float
    chips: int
    own: float
    own_spread: float
    accumulated: float | None
    accumulated_spread: float | None


@torch.no_grad()
def layer_errors(analog: AnalogModel, x: Tensor) -> tuple[LayerError, ...]:
    """Run inputs through the chips as they are and compare every analog layer with its digital one.

    The error of an input is `|y - y_0| / |y_0|` over the whole output of the layer, bias included.

    Args:
        analog: A programmed model.
        x: `(B, ...)` inputs of the network.

    Returns:
        One record per chip and layer, chips varying slowest; layers in the order of the modules.

    Raises:
        ValueError: The model is not programmed.
    """
    if not analog.chips:
        raise ValueError(
            "A model must be programmed before its errors are measured. Call `program(analog, "
            "chips=..., generator=...)` first."
        )
    names = {layer: name for name, layer in analog_layers(analog)}
    reference = _digital_outputs(analog, x, set(names.values()))
    found: list[LayerError] = []
    for place, chip in enumerate(analog.chips):
        own: dict[str, list[float]] = {name: [] for name in names.values()}
        outputs: dict[str, list[Tensor]] = {name: [] for name in names.values()}

        def compare(
            layer: nn.Module,
            args: tuple[Tensor, ...],
            y: Tensor,
            own: dict[str, list[float]] = own,
            outputs: dict[str, list[Tensor]] = outputs,
        ) -> None:
            assert isinstance(layer, AnalogLayer)
            own[names[layer]].append(_mean_error(y, layer.digital(args[0])))
            outputs[names[layer]].append(y)

        hooks = [layer.register_forward_hook(compare) for layer in names]
        try:
            with analog.on_chip(place):
                analog.network(x)
        finally:
            for hook in hooks:
                hook.remove()
        for name in names.values():
            if own[name]:
                accumulated = _accumulated(outputs[name], reference.get(name, []))
                own_error = sum(own[name]) / len(own[name])
                found.append(LayerError(name, float(analog.t_s), chip, own_error, accumulated))
    return tuple(found)


def summarise_layers(errors: Sequence[LayerError]) -> tuple[LayerErrorSummary, ...]:
    """Mean and spread over chips, one summary per time and layer in the order they come first."""
    groups: dict[tuple[float, str], list[LayerError]] = {}
    for error in errors:
        groups.setdefault((error.t_s, error.layer), []).append(error)
    summaries = []
    for (t_s, layer), records in groups.items():
        own = [record.own for record in records]
        accumulated = [r.accumulated for r in records if r.accumulated is not None]
        known = len(accumulated) == len(records)
        summaries.append(
            LayerErrorSummary(
                layer=layer,
                t_s=t_s,
                chips=len(records),
                own=fmean(own),
                own_spread=_spread(own),
                accumulated=fmean(accumulated) if known else None,
                accumulated_spread=_spread(accumulated) if known else None,
            )
        )
    return tuple(summaries)


def _spread(values: Sequence[float]) -> float:
    return stdev(values) if len(values) > 1 else 0.0


def _digital_outputs(analog: AnalogModel, x: Tensor, names: set[str]) -> dict[str, list[Tensor]]:
    """Outputs of the layers in the network without analog effects, one per call."""
    digital = to_digital(analog).eval()
    outputs: dict[str, list[Tensor]] = {}
    for name, module in digital.named_modules():
        if name in names:
            outputs[name] = []
            module.register_forward_hook(partial(_keep, outputs[name]))
    digital(x)
    return outputs


def _keep(seen: list[Tensor], _: nn.Module, __: object, y: Tensor) -> None:
    seen.append(y)


def _accumulated(outputs: list[Tensor], reference: list[Tensor]) -> float | None:
    if len(outputs) != len(reference):
        return None
    errors = [_mean_error(y, exact) for y, exact in zip(outputs, reference, strict=True)]
    return sum(errors) / len(errors)


def _mean_error(y: Tensor, exact: Tensor) -> float:
    """Mean over inputs, those left out whose exact output is 0 everywhere."""
    if y.dim() == 1:  # a single input without a batch
        y, exact = y[None], exact[None]
    return float(relative_error(y.flatten(1), exact.flatten(1)).nanmean())
