"""Products that are repeated with a smaller drive where the converter clips."""

import pytest
import torch

from analognas.simulator.bound_management import largest_reduction, multiply_within_bound
from analognas.simulator.quantizer import quantize_
from analognas.simulator.streams import spawn_generator

BOUND = 10.0


class Crossbar:
    """A product with its two converters, which counts the vectors it has multiplied."""

    def __init__(self, weight: torch.Tensor, *, dac_bits: int | None = 8) -> None:
        self.weight = weight
        self.dac_bits = dac_bits
        self.sizes: list[int] = []

    def __call__(self, drive: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.sizes.append(len(drive))
        drive = quantize_(drive.clone(), bits=self.dac_bits, bound=1.0)
        y = quantize_(drive @ self.weight.T, bits=8, bound=BOUND)
        return y, y.abs().amax(dim=-1)


def columns(rows: int, device: torch.device | str = "cpu") -> torch.Tensor:
    generator = spawn_generator(0, "columns", device=device)
    weight = torch.empty(6, rows, dtype=torch.float64, device=device)
    return weight.uniform_(-1, 1, generator=generator)


@pytest.mark.parametrize(("bits", "expected"), [(7, 16), (8, 32), (2, 1), (None, 1024)])
def test_drives_are_halved_until_little_of_them_is_left(bits: int | None, expected: int) -> None:
    assert largest_reduction(bits) == expected


def test_vectors_that_do_not_clip_take_one_pass() -> None:
    crossbar = Crossbar(columns(16))
    drive = torch.full((5, 16), 0.1, dtype=torch.float64)
    managed = multiply_within_bound(crossbar, drive, output_bound=BOUND, dac_bits=8)
    assert crossbar.sizes == [5]
    assert torch.equal(managed.y, Crossbar(columns(16))(drive)[0])
    assert managed.reduction.tolist() == [1.0] * 5


def test_a_vector_that_clips_is_halved_until_it_fits(device: torch.device) -> None:
    weight = torch.ones(1, 64, dtype=torch.float64, device=device)
    amplitude = torch.tensor([0.1, 0.2, 0.5, 1.0], dtype=torch.float64, device=device)
    drive = amplitude[:, None].expand(4, 64).clone()
    crossbar = Crossbar(weight, dac_bits=None)
    managed = multiply_within_bound(crossbar, drive, output_bound=BOUND, dac_bits=8)
    # Products of 6.4, 12.8, 32 and 64 under a bound of 10.
    assert managed.reduction.tolist() == [1, 2, 4, 8]
    assert crossbar.sizes == [4, 3, 2, 1]
    lsb = 2 * BOUND / 254
    error = (managed.y[:, 0] - 64 * amplitude).abs()
    assert (error <= lsb / 2 * managed.reduction * (1 + 1e-9)).all()


def test_negative_outputs_clip_too() -> None:
    crossbar = Crossbar(torch.full((1, 64), -1.0), dac_bits=None)
    managed = multiply_within_bound(
        crossbar, torch.full((1, 64), 0.5), output_bound=BOUND, dac_bits=8
    )
    assert managed.y.item() == pytest.approx(-32, abs=4 * BOUND / 254)


def test_a_vector_gets_the_same_result_alone_and_among_others() -> None:
    generator = spawn_generator(1, "drives")
    drive = torch.empty(20, 100, dtype=torch.float64).uniform_(-1, 1, generator=generator)
    drive *= torch.linspace(0.01, 3, 20)[:, None]
    together = multiply_within_bound(Crossbar(columns(100)), drive, output_bound=BOUND, dac_bits=8)
    for index in range(20):
        alone = multiply_within_bound(
            Crossbar(columns(100)), drive[index : index + 1], output_bound=BOUND, dac_bits=8
        )
        torch.testing.assert_close(alone.y[0], together.y[index])
        assert alone.reduction[0] == together.reduction[index]
    assert len(set(together.reduction.tolist())) > 1


@pytest.mark.parametrize(("bits", "passes"), [(7, 5), (8, 6), (2, 1)])
def test_a_hopeless_vector_stops_at_the_step_of_the_drive(bits: int, passes: int) -> None:
    crossbar = Crossbar(torch.full((1, 8), 1e6), dac_bits=None)
    managed = multiply_within_bound(crossbar, torch.ones(1, 8), output_bound=BOUND, dac_bits=bits)
    assert len(crossbar.sizes) == passes
    assert managed.y.item() == pytest.approx(BOUND * 2 ** (passes - 1))


def test_gradients_reach_drives_that_were_repeated() -> None:
    weight = torch.ones(1, 64, dtype=torch.float64)
    drive = torch.tensor([[0.1], [0.9]], dtype=torch.float64).expand(2, 64).clone()
    drive.requires_grad_()

    def multiply(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y = (x @ weight.T).clamp(-BOUND, BOUND)
        return y, y.detach().abs().amax(dim=-1)

    managed = multiply_within_bound(multiply, drive, output_bound=BOUND, dac_bits=8)
    (gradient,) = torch.autograd.grad(managed.y.sum(), drive)
    torch.testing.assert_close(gradient, torch.ones_like(drive))
