import pytest
import torch

from analognas.simulator.kernels import linear
from analognas.simulator.streams import spawn_generator


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(80,), (5, 80), (3, 4, 80), (0, 80), (5, 7)])
def test_product_and_gradients_are_those_of_torch(
    dtype: torch.dtype, shape: tuple[int, ...]
) -> None:
    generator = spawn_generator(0, "linear")
    size, outputs = shape[-1], 70
    wide = torch.randn(*shape[:-1], size + 2, generator=generator, dtype=dtype)
    weight = torch.randn(outputs, size, generator=generator, dtype=dtype)
    results = []
    for multiply in (linear, torch.nn.functional.linear):
        x = wide.clone().requires_grad_()
        w = weight.clone().requires_grad_()
        y = multiply(x[..., 1 : size + 1], w)
        y.square().sum().backward()  # type: ignore[no-untyped-call]
        results.append((y.detach(), x.grad, w.grad))
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    for ours, torchs in zip(*results, strict=True):
        largest = torchs.abs().max().item() if torchs.numel() else 0.0
        torch.testing.assert_close(ours, torchs, rtol=0, atol=tolerance * largest)


def test_without_gradient_nothing_is_recorded() -> None:
    x, weight = torch.ones(2, 3), torch.ones(4, 3, requires_grad=True)
    with torch.no_grad():
        assert not linear(x, weight).requires_grad
    assert linear(x, weight).requires_grad
