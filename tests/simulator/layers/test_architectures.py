"""Networks of the families that people bring, written as their libraries write them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from analognas.simulator import (
    HERMES_DEFAULT,
    IDEAL,
    HwaRecipe,
    TileConfig,
    analog_layers,
    calibrate_input_ranges,
    noisy_training,
    program,
    set_time,
    spawn_generator,
    to_analog,
    to_digital,
)

QUIET = HwaRecipe(weight_noise=0.0, output_noise=0.0, clip_sigma=None)


class SqueezeExcite(nn.Module):
    """Channel weights from the pooled image, by two pointwise convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, channels // 4, 1)
        self.expand = nn.Conv2d(channels // 4, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        weights = self.expand(F.silu(self.reduce(x.mean((2, 3), keepdim=True))))
        return x * torch.sigmoid(weights)


class InvertedResidual(nn.Module):
    """Wide, depthwise, narrow: the block of MobileNetV2."""

    def __init__(self, channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        wide = 3 * channels
        self.skips = stride == 1 and channels == out_channels
        self.conv = nn.Sequential(
            nn.Sequential(
                nn.Conv2d(channels, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU6()
            ),
            nn.Sequential(
                nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False),
                nn.BatchNorm2d(wide),
                nn.ReLU6(),
            ),
            nn.Conv2d(wide, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return x + y if self.skips else y


class ResidualBlock(nn.Module):
    """Two convolutions, squeeze and excite, and a projected shortcut."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out_channels, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.se = SqueezeExcite(out_channels)
        self.downsample = nn.Sequential(
            nn.AvgPool2d(2, 2, ceil_mode=True), nn.Conv2d(channels, out_channels, 1, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(self.se(y) + self.downsample(x))


class ConvNeXtBlock(nn.Module):
    """A wide depthwise convolution, then a network per pixel, channels last."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_dw = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.fc1 = nn.Linear(channels, 4 * channels)
        self.fc2 = nn.Linear(4 * channels, channels)
        self.gamma = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.conv_dw(x).permute(0, 2, 3, 1))
        y = self.fc2(F.gelu(self.fc1(y))) * self.gamma
        result: Tensor = x + y.permute(0, 3, 1, 2)
        return result


class PackedAttention(nn.Module):
    """Queries, keys and values from one linear layer."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, times, width = x.shape
        qkv = self.qkv(x).reshape(batch, times, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        y = F.scaled_dot_product_attention(q, k, v)
        result: Tensor = self.proj(y.transpose(1, 2).reshape(batch, times, width))
        return result


class VisionTransformer(nn.Module):
    def __init__(self, width: int = 12) -> None:
        super().__init__()
        self.patch_embed = nn.Conv2d(3, width, 4, 4)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 5, width))
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = PackedAttention(width, 3)
        self.mlp = nn.Sequential(nn.Linear(width, 24), nn.GELU(), nn.Linear(24, width))
        self.head = nn.Linear(width, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch_embed(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1) + self.pos_embed
        x = x + self.attn(self.norm1(x))
        x = x + self.mlp(self.norm2(x))
        result: Tensor = self.head(x[:, 0])
        return result


class UNet(nn.Module):
    """Down, up by a transposed convolution, and a skip."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Conv2d(3, 6, 3, padding=1, padding_mode="reflect")
        self.down = nn.Conv2d(6, 8, 3, 2, 1)
        self.up = nn.ConvTranspose2d(8, 6, 2, 2)
        self.out = nn.Conv2d(12, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        outer = F.relu(self.inner(x))
        result: Tensor = self.out(torch.cat([outer, self.up(F.relu(self.down(outer)))], dim=1))
        return result


class ConvLstm(nn.Module):
    """Convolutions over time, then an LSTM: sounds and sensor data."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(24, 10, 3, padding="same", groups=2)
        self.lstm = nn.LSTM(10, 7, num_layers=2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(14, 4)

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.lstm(F.relu(self.conv(x.flatten(1, 2))).transpose(1, 2))
        result: Tensor = self.head(y[:, -1])
        return result


def classifier(*blocks: nn.Module, channels: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        *blocks,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(channels, 5),
    )


MODELS: dict[str, Callable[[], nn.Module]] = {
    "residual": lambda: classifier(ResidualBlock(8, 12), channels=12),
    "inverted residual": lambda: classifier(
        InvertedResidual(8, 8, 1), InvertedResidual(8, 10, 2), channels=10
    ),
    "convnext": lambda: classifier(ConvNeXtBlock(8), channels=8),
    "vision transformer": VisionTransformer,
    "u-net": UNet,
    "conv-lstm": ConvLstm,
}
ANALOG_LAYERS = {
    "residual": 7,
    "inverted residual": 8,
    "convnext": 5,
    "vision transformer": 6,
    "u-net": 4,
    "conv-lstm": 10,
}


def generator(name: str = "architectures") -> torch.Generator:
    return spawn_generator(0, name)


def made(kind: str, filled: Any, normal: Any, dtype: torch.dtype) -> tuple[nn.Module, Tensor]:
    return filled(MODELS[kind]().to(dtype)).eval(), normal(4, 3, 8, 8, dtype=dtype)


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_ideal_crossbars_compute_the_network(
    kind: str, dtype: torch.dtype, tolerance: float, filled: Any, normal: Any, assert_close: Any
) -> None:
    model, x = made(kind, filled, normal, dtype)
    analog = to_analog(model, replace(IDEAL, tile=TileConfig(rows=16, columns=5)))
    assert len(list(analog_layers(analog))) == ANALOG_LAYERS[kind]
    program(analog, chips=1, generator=generator())
    with torch.no_grad():
        assert_close(analog(x)[0], model(x), tolerance)


@pytest.mark.parametrize("kind", MODELS)
def test_training_without_noise_has_the_gradient_of_the_network(
    kind: str, filled: Any, normal: Any, assert_close: Any
) -> None:
    model, x = made(kind, filled, normal, torch.float64)
    analog = to_analog(model, IDEAL)
    model.train()
    inputs = [x.clone().requires_grad_(), x.clone().requires_grad_()]
    model(inputs[0]).square().sum().backward()
    with noisy_training(analog, QUIET, generator=generator()):
        analog(inputs[1]).square().sum().backward()
    assert inputs[0].grad is not None
    assert_close(inputs[1].grad, inputs[0].grad, 1e-10)


@pytest.mark.parametrize("kind", MODELS)
def test_networks_go_onto_two_unequal_chips_and_age(kind: str, filled: Any, normal: Any) -> None:
    model, x = made(kind, filled, normal, torch.float32)
    analog = to_analog(model, HERMES_DEFAULT)
    calibrate_input_ranges(analog, x)
    program(analog, chips=2, generator=generator())
    set_time(analog, t_s=86_400.0, generator=generator("later"))
    with torch.no_grad():
        exact, y = model(x), analog(x)
    assert not torch.equal(y[0], y[1])
    for chip in y:
        assert 1e-3 < (chip - exact).norm() / exact.norm() < 1.0


@pytest.mark.parametrize("kind", MODELS)
def test_the_network_comes_back_bit_for_bit(kind: str, filled: Any, normal: Any) -> None:
    model, x = made(kind, filled, normal, torch.float32)
    back = to_digital(to_analog(model, HERMES_DEFAULT))
    assert str(back) == str(model)
    assert back.state_dict().keys() == model.state_dict().keys()
    for name, value in back.state_dict().items():
        assert torch.equal(value, model.state_dict()[name])
    with torch.no_grad():
        assert torch.equal(back(x), model(x))
