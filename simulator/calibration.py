"""Input ranges from data: what a full drive of a layer's DACs stands for."""

from collections.abc import Iterable
from typing import Annotated, Literal

import torch
from annotated_types import Gt, Le
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from analognas.simulator.input_encoding import spread_range
from analognas.simulator.layers import AnalogLayer, AnalogModel, analog_layers
from analognas.simulator.streams import spawn_generator

SMALLEST_RANGE = 1e-6
CACHED_VALUES = 1 << 20  # per layer and batch; of more, so many are drawn


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class RangeRule:
    """How an input range follows from the inputs `x` that a layer sees.

    Args:
        kind: "quantile" of |x| over all batches together, "moving_quantile" its mean over batches,
            "moving_std" the mean over batches of `n_sigma` standard deviations, "max" the largest
            |x|.
        quantile: For the quantile kinds.
        n_sigma: For "moving_std".
    """

    kind: Literal["quantile", "moving_quantile", "moving_std", "max"] = "quantile"
    quantile: Annotated[float, Gt(0), Le(1)] = 0.9995
    n_sigma: Annotated[float, Gt(0)] = 3.0


@torch.no_grad()
def calibrate_input_ranges(
    analog: AnalogModel,
    inputs: Tensor | Iterable[Tensor],
    *,
    quantile: float = 0.9995,
    rule: RangeRule | None = None,
) -> None:
    """Set the input ranges of a network that was not trained hardware-aware.

    Args:
        analog: Not programmed.
        inputs: `(B, ...)` or several such batches; use training data only.
        quantile: Of |x| over all inputs, unless a rule is given.
        rule: Another way to find a range.

    Raises:
        ValueError: A setting is out of range, the model is programmed, or a layer saw no input.
    """
    if not 0 < quantile <= 1:
        raise ValueError(f"`0 < quantile <= 1` must hold, but got quantile={quantile}.")
    if analog.chips:
        raise ValueError(
            f"Ranges must be calibrated before programming, but the model is on {len(analog.chips)}"
            " chips. Use `recalibrate_input_ranges` on an aged chip."
        )
    training = analog.training
    analog.eval()
    try:
        batches = [inputs] if isinstance(inputs, Tensor) else list(inputs)
        ranges = measure_ranges(analog.network, batches, rule or RangeRule(quantile=quantile))
    finally:
        analog.train(training)
    for layer, value in ranges.items():
        layer.input_range.copy_(value)


def measure_ranges(
    network: nn.Module, batches: list[Tensor], rule: RangeRule
) -> dict[AnalogLayer, Tensor]:
    """Run `batches` through `network` and find the range of every analog layer."""
    names = {layer: name for name, layer in analog_layers(network)}
    seen: dict[AnalogLayer, list[Tensor]] = {layer: [] for layer in names}

    def record(layer: nn.Module, args: tuple[Tensor, ...]) -> None:
        assert isinstance(layer, AnalogLayer)
        seen[layer].append(_summary(args[0].detach(), rule))

    hooks = [layer.register_forward_pre_hook(record) for layer in names]
    try:
        for x in batches:
            network(x)
    finally:
        for hook in hooks:
            hook.remove()
    for layer, summaries in seen.items():
        if not summaries:
            raise ValueError(
                f"Every analog layer must see the calibration inputs, but {names[layer]!r} saw "
                "none. Give inputs that reach it, or keep it digital."
            )
    return {layer: _range(values, rule).clamp_min(SMALLEST_RANGE) for layer, values in seen.items()}


def _summary(x: Tensor, rule: RangeRule) -> Tensor:
    """What is kept of one batch: values for "quantile", one number otherwise."""
    match rule.kind:
        case "quantile":
            magnitudes = x.abs().flatten()
            if magnitudes.numel() <= CACHED_VALUES:
                return magnitudes
            # Drawn, not taken at even steps: those could meet the same features again and again.
            draws = spawn_generator(0, "calibration", magnitudes.numel(), device=x.device)
            places = torch.randint(
                magnitudes.numel(), (CACHED_VALUES,), generator=draws, device=x.device
            )
            return magnitudes[places]
        case "moving_quantile":
            return _quantile(x.abs().flatten(), rule.quantile)
        case "moving_std":
            return spread_range(x, rule.n_sigma)
        case "max":
            return x.abs().amax()


def _range(summaries: list[Tensor], rule: RangeRule) -> Tensor:
    if rule.kind == "quantile":
        return _quantile(torch.cat(summaries), rule.quantile)
    values = torch.stack(summaries)
    return values.amax() if rule.kind == "max" else values.mean()


def _quantile(magnitudes: Tensor, quantile: float) -> Tensor:
    rank = max(1, round(quantile * magnitudes.numel()))
    return magnitudes.kthvalue(rank).values
