"""Place a network whose calls may take a fixed number of inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor, nn

from analognas.simulator.chip import ChipSpec, NetworkTrace, Placement, place_layers, trace_network

INSIDE = "network"


class _WholeBatch(nn.Module):
    """Runs one input as a whole batch of copies."""

    def __init__(self, network: nn.Module, batch: int) -> None:
        super().__init__()
        self.network = network
        self.batch = batch

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.network(x.expand(self.batch, *x.shape[1:]))
        return output


def trace(
    network: nn.Module,
    input_shape: Sequence[int],
    *,
    batch: int | None,
    keep_digital: Sequence[str] = (),
) -> NetworkTrace:
    """What one inference takes, also of a network that only takes whole batches."""
    if batch is None:
        return trace_network(network, input_shape, keep_digital=keep_digital)
    whole = _WholeBatch(network, batch).eval()
    kept = [f"{INSIDE}.{name}" for name in keep_digital]
    found = trace_network(whole, input_shape, keep_digital=kept)
    prefix = f"{INSIDE}."
    return NetworkTrace(
        tuple(
            replace(layer, name=layer.name.removeprefix(prefix), mvms=-(-layer.mvms // batch))
            for layer in found.layers
        ),
        tuple(
            replace(
                work, name=work.name.removeprefix(prefix), operations=-(-work.operations // batch)
            )
            for work in found.digital
        ),
    )


def place_source(
    network: nn.Module,
    input_shape: Sequence[int],
    chip: ChipSpec,
    *,
    batch: int | None,
    keep_digital: Sequence[str] = (),
) -> Placement:
    """Lay a network onto the cores of a chip.

    Raises:
        ValueError: It does not fit, or cannot be run.
    """
    found = trace(network, input_shape, batch=batch, keep_digital=keep_digital)
    return place_layers(found.layers, chip, digital=found.digital)
