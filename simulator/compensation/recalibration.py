"""Calibrate an aged chip anew with a few inputs: batch-norm statistics (AdaBS) and input ranges.

Both run calibration inputs, from the training data, through the network on the chip as it is at
that moment, and change digital numbers only.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from analognas.simulator.calibration import RangeRule, measure_ranges
from analognas.simulator.layers import AnalogModel, analog_layers
from analognas.simulator.layers.chip_norms import BatchMoments, batch_norms, computed_by
from analognas.simulator.layers.folding import Inputs


@torch.no_grad()
def recalibrate_batch_norm(analog: AnalogModel, batches: Iterable[Tensor]) -> None:
    """Replace every chip's batch-norm statistics by those of its own activations (AdaBS).

    Joshi et al., Nat. Commun. 11, 2473 (2020). While the batches pass, each is normalised by its
    own statistics; what is kept is their mean over the batches. The statistics hold until the next
    recalibration or programming; the network's own are untouched.

    Args:
        analog: A programmed model with batch norms.
        batches: Inputs `(B, ...)`, B > 1, of the training data; 1,000 to 3,000 in all were enough
            for images.

    Raises:
        ValueError: The model is not programmed or has no batch norm, or there are no batches.
    """
    _check_programmed(analog)
    norms = batch_norms(analog.network)
    if not norms:
        raise ValueError(
            "A model must have batch norms with running statistics to be recalibrated, but it has "
            "none. Use drift compensation alone."
        )
    inputs = list(batches)
    if not inputs:
        raise ValueError("`batches` must hold at least one batch, but it is empty.")
    collected: dict[str, list[Tensor]] = {}  # (chips, C) each
    rounds = analog.rounds(max(inputs, key=len))
    if rounds is None:
        for chip in range(len(analog.chips)):
            with analog.on_chip(chip):
                for name, values in _statistics_over(analog.network, norms, inputs).items():
                    collected.setdefault(name, []).append(values[None])
    for places in rounds or []:
        moments = BatchMoments(places.stop - places.start)
        with analog.on_chips(places), computed_by(moments, norms):
            for x in inputs:
                Inputs((x,)).call(analog.network, moments.chips)
        for name, values in moments.statistics().items():
            collected.setdefault(name, []).append(values)
    analog.set_chip_statistics({name: torch.cat(values) for name, values in collected.items()})


def _statistics_over(
    network: nn.Module, norms: dict[str, nn.Module], inputs: list[Tensor]
) -> dict[str, Tensor]:
    kept = {name: values.clone() for name, values in network.named_buffers()}
    momenta = {name: norm.momentum for name, norm in norms.items()}
    try:
        for norm in norms.values():
            norm.reset_running_stats()  # type: ignore[operator]
            norm.momentum = None  # type: ignore[assignment]  # the plain mean over batches
            norm.train()
        for x in inputs:
            network(x)
        return {
            f"{name}.{kind}": getattr(norm, kind).clone()
            for name, norm in norms.items()
            for kind in ("running_mean", "running_var")
        }
    finally:
        for name, norm in norms.items():
            norm.eval()
            norm.momentum = momenta[name]
        for name, values in network.named_buffers():
            values.copy_(kept[name])


@torch.no_grad()
def recalibrate_input_ranges(
    analog: AnalogModel, batches: Iterable[Tensor], rule: RangeRule | None = None
) -> None:
    """Give every chip input ranges that fit its own activations of this moment.

    Args:
        analog: A programmed model.
        batches: Inputs `(B, ...)` of the training data.
        rule: How a range follows from the inputs of a layer.
    """
    _check_programmed(analog)
    inputs = list(batches)
    measured = []
    for chip in range(len(analog.chips)):
        with analog.on_chip(chip):
            measured.append(measure_ranges(analog.network, inputs, rule or RangeRule()))
    for _, layer in analog_layers(analog):
        layer.set_chip_ranges(torch.stack([ranges[layer] for ranges in measured]))


def _check_programmed(analog: AnalogModel) -> None:
    if not analog.chips:
        raise ValueError(
            "A model must be programmed before it is recalibrated. Call `program(analog, "
            "chips=..., generator=...)` first."
        )
