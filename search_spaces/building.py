"""Turn an architecture into a PyTorch module.

Every convolution has no bias and is followed by batch norm; ReLU follows every batch norm, but at
the end of a residual branch it comes after the addition. Then global average pooling and one linear
layer with bias. Weights come from
the given generator alone: modules are made without storage, so that no global random state is
touched.
"""

import math
from collections import OrderedDict

import torch
from torch import Tensor, nn

from analognas.search_spaces.architecture import Architecture
from analognas.search_spaces.layers import HEAD, LayerSpec, block_name, layer_specs


class ResidualBlock(nn.Module):
    """Parallel branches and, after them, a shortcut, added up, then ReLU."""

    def __init__(self, branches: list[nn.Sequential], shortcut: nn.Module) -> None:
        super().__init__()
        self.branch_names = [f"branch{number}" for number in range(1, len(branches) + 1)]
        for name, branch in zip(self.branch_names, branches, strict=True):
            self.add_module(name, branch)
        self.shortcut = shortcut
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Map `(B, channels, height, width)` to the same or a smaller map."""
        outputs = [self.get_submodule(name)(x) for name in self.branch_names]
        activated: Tensor = self.relu(sum(outputs, start=self.shortcut(x)))
        return activated


def build_network(
    architecture: Architecture, n_classes: int, *, generator: torch.Generator
) -> nn.Sequential:
    """Build the network that maps `(B, *input_shape)` to logits `(B, n_classes)`.

    It is made on the device of the generator. The names of its layers are those of `layer_specs`.
    Convolutions are initialised after He et al. (2015), the head with standard deviation
    `1 / sqrt(inputs)`.
    """
    specs = layer_specs(architecture, n_classes)
    modules: OrderedDict[str, nn.Module] = OrderedDict()
    with torch.device("meta"):
        for index, block in enumerate(architecture.choices):
            inside = [spec for spec in specs if spec.block == index]
            modules[block_name(index)] = _make_block(inside, residual=block.shortcut != "none")
        modules["pool"] = nn.AdaptiveAvgPool2d(1)
        modules["flatten"] = nn.Flatten()
        modules[HEAD] = nn.Linear(specs[-1].in_channels, n_classes)
    network = nn.Sequential(modules).to_empty(device=generator.device)
    initialise_(network, generator=generator)
    return network


def initialise_(network: nn.Module, *, generator: torch.Generator) -> None:
    """Draw all weights anew, in the order of the modules."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            fan_in = module.in_channels // module.groups * math.prod(module.kernel_size)
            nn.init.normal_(module.weight, std=math.sqrt(2 / fan_in), generator=generator)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(
                module.weight, std=1 / math.sqrt(module.in_features), generator=generator
            )
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()


def _make_block(specs: list[LayerSpec], *, residual: bool) -> nn.Module:
    if not residual:
        return _make_branch(specs, last_relu=True)
    branches = [
        _make_branch([spec for spec in specs if spec.branch == number], last_relu=False)
        for number in range(1, 1 + max(spec.branch for spec in specs))
    ]
    projections = [spec for spec in specs if spec.branch == 0]
    shortcut = _make_branch(projections, last_relu=False) if projections else nn.Identity()
    return ResidualBlock(branches, shortcut)


def _make_branch(specs: list[LayerSpec], *, last_relu: bool) -> nn.Sequential:
    modules: OrderedDict[str, nn.Module] = OrderedDict()
    for spec in specs:
        name = spec.name.rpartition(".")[2]
        modules[name] = nn.Conv2d(
            spec.in_channels,
            spec.out_channels,
            spec.kernel,
            stride=spec.stride,
            padding=spec.padding,
            groups=spec.groups,
            bias=False,
        )
        modules[f"{name}_norm"] = nn.BatchNorm2d(spec.out_channels)
        if last_relu or spec is not specs[-1]:
            modules[f"{name}_relu"] = nn.ReLU()
    return nn.Sequential(modules)
