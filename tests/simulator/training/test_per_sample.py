"""Products with weights of its own for every sample, against one layer per sample."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from analognas.simulator import spawn_generator
from analognas.simulator.training import product_per_sample

KINDS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d)
LAYERS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "linear": (nn.Linear(6, 4, bias=False), (5, 6)),
    "linear in time": (nn.Linear(6, 4, bias=False), (5, 7, 3, 6)),
    "conv1d": (nn.Conv1d(4, 6, 3, padding=1, bias=False), (5, 4, 9)),
    "conv2d": (nn.Conv2d(4, 6, (3, 2), stride=2, padding=1, bias=False), (5, 4, 9, 8)),
    "same": (nn.Conv2d(4, 6, 3, padding="same", dilation=2, bias=False), (5, 4, 9, 8)),
    "depthwise": (nn.Conv2d(4, 8, 3, groups=4, bias=False), (5, 4, 9, 8)),
    "reflected": (
        nn.Conv2d(4, 6, 3, padding=2, padding_mode="reflect", bias=False),
        (5, 4, 9, 8),
    ),
    "conv3d": (nn.Conv3d(2, 3, 2, bias=False), (5, 2, 4, 4, 4)),
    "transposed": (
        nn.ConvTranspose2d(4, 6, 3, stride=2, output_padding=1, groups=2, bias=False),
        (5, 4, 4, 5),
    ),
}


def normal(shape: Any, name: str) -> Tensor:
    return torch.empty(shape).normal_(generator=spawn_generator(0, name))


@pytest.mark.parametrize("name", LAYERS)
def test_it_is_the_layer_with_those_weights_on_every_sample(name: str) -> None:
    layer, shape = LAYERS[name]
    assert isinstance(layer, KINDS)
    x = normal(shape, "x")
    weights = normal((5, *layer.weight.shape), "weights")
    expected = []
    for sample, weight in zip(x, weights, strict=True):
        one = copy.deepcopy(layer)
        one.weight.data.copy_(weight)
        expected.append(one(sample[None]).detach())
    torch.testing.assert_close(product_per_sample(x, weights, layer), torch.cat(expected))


def test_gradients_reach_inputs_and_every_samples_weights() -> None:
    x = normal((3, 4, 6, 6), "x").double().requires_grad_()
    weights = normal((3, 2, 4, 3, 3), "weights").double().requires_grad_()
    layer = nn.Conv2d(4, 2, 3)
    assert torch.autograd.gradcheck(lambda a, b: product_per_sample(a, b, layer), (x, weights))


def test_another_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="got 2 samples for 3 sets"):
        product_per_sample(torch.ones(2, 6), torch.ones(3, 4, 6), nn.Linear(6, 4))


@pytest.mark.parametrize("layer", [nn.Linear(3, 4), nn.Conv2d(3, 4, 1)])
def test_a_single_sample_without_a_batch_is_refused(layer: nn.Linear | nn.Conv2d) -> None:
    x = torch.ones(3, 5, 5) if isinstance(layer, nn.Conv2d) else torch.ones(3)
    with pytest.raises(ValueError, match="must be a batch"):
        product_per_sample(x, torch.ones(3, *layer.weight.shape), layer)
