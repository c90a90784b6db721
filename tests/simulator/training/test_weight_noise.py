"""Every law of the weight noise against its closed form."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from analognas.simulator import spawn_generator
from analognas.simulator.training import (
    AdditiveNoise,
    AnyWeightNoise,
    CellNoise,
    DiscretizeNoise,
    DorefaNoise,
    MultiplicativeNoise,
    PcmNoise,
    PolynomialNoise,
    drop_connect,
    noisy_weight,
)
from analognas.simulator.training.noise import PCM_POLYNOMIAL
from analognas.simulator.training.weight_noise import transformed_weight

MomentCheck = Callable[[Tensor, float, float], None]

TABLE = torch.linspace(0.01, 0.2, 257)  # a width that grows with the weight
LAWS: dict[str, AnyWeightNoise] = {
    "cell": CellNoise(),
    "additive": AdditiveNoise(sigma=0.05),
    "multiplicative": MultiplicativeNoise(sigma=0.1),
    "polynomial": PolynomialNoise(),
    "folded": PolynomialNoise(keep_sign=True),
    "pcm": PcmNoise(stuck_at_reset=0.01, stuck_at_g_max=0.01, stuck_at_random=0.01),
    "dorefa": DorefaNoise(bits=4),
    "discretize": DiscretizeNoise(bits=4),
    "discretize and add": DiscretizeNoise(bits=4, sigma=0.05),
}
RANDOM = [name for name in LAWS if name not in ("dorefa", "discretize")]


def generator(name: str = "noise") -> torch.Generator:
    return spawn_generator(0, name)


def weights(r: float, *, largest: float = 2.0, count: int = 200_000) -> Tensor:
    """Two columns, all at the fraction `r` of their largest weight, which stands first."""
    weight = torch.full((2, count // 2 + 1), r * largest)
    weight[:, 0] = largest
    return weight


def draw(weight: Tensor, noise: AnyWeightNoise, strength: float = 1.0) -> Tensor:
    return noisy_weight(weight, noise, strength=strength, generator=generator(), table=TABLE)


def folded(mean: float, sigma: float) -> tuple[float, float]:
    """Mean and standard deviation of `|mean + sigma xi|`."""
    first = sigma * math.sqrt(2 / math.pi) * math.exp(-0.5 * (mean / sigma) ** 2)
    first += mean * math.erf(mean / (sigma * math.sqrt(2)))
    return first, math.sqrt(mean**2 + sigma**2 - first**2)


def polynomial(r: float) -> float:
    return sum(c * r**power for power, c in enumerate(PCM_POLYNOMIAL))


@pytest.mark.parametrize("strength", [0.5, 3.0])
@pytest.mark.parametrize("r", [0.0, 0.3, -0.75])
@pytest.mark.parametrize(
    ("noise", "width"),
    [
        (CellNoise(), lambda r: float(TABLE[round(256 * abs(r))])),
        (AdditiveNoise(sigma=0.05), lambda r: 0.05),
        (PolynomialNoise(), lambda r: polynomial(abs(r))),
        (PolynomialNoise(coefficients=(0.02, 0.0, 0.1)), lambda r: 0.02 + 0.1 * r * r),
    ],
    ids=["cell", "additive", "polynomial", "another polynomial"],
)
def test_gaussian_laws_have_their_mean_and_width(
    noise: AnyWeightNoise,
    width: Callable[[float], float],
    r: float,
    strength: float,
    moments_are: MomentCheck,
) -> None:
    noisy = draw(weights(r), noise, strength)[:, 1:]
    moments_are(noisy, 2.0 * r, 2.0 * strength * width(r))


@pytest.mark.parametrize("r", [0.1, -1.0])
def test_multiplicative_noise_is_relative_to_the_weight(r: float, moments_are: MomentCheck) -> None:
    noisy = draw(weights(r), MultiplicativeNoise(sigma=0.1), 2.0)[:, 1:]
    moments_are(noisy, 2.0 * r, 0.1 * 2.0 * 2.0 * abs(r))


def test_multiplicative_noise_leaves_zeros() -> None:
    assert not draw(weights(0.0), MultiplicativeNoise(sigma=0.1))[:, 1:].any()


@pytest.mark.parametrize("r", [0.01, -0.01, 0.2])
def test_noise_that_keeps_the_sign_is_folded(r: float, moments_are: MomentCheck) -> None:
    """The width 3 p(r) exceeds the smaller weights: half of their draws are reflected."""
    noisy = draw(weights(r), PolynomialNoise(keep_sign=True), 3.0)[:, 1:]
    assert bool((noisy * math.copysign(1, r) >= 0).all())
    mean, sigma = folded(2.0 * abs(r), 2.0 * 3.0 * polynomial(abs(r)))
    moments_are(noisy, math.copysign(mean, r), sigma)


def test_a_polynomial_below_zero_is_no_noise() -> None:
    noise = PolynomialNoise(coefficients=(-0.1, 0.2))  # positive above r = 0.5
    assert torch.equal(draw(weights(0.4), noise)[:, 1:], weights(0.4)[:, 1:])
    assert not torch.equal(draw(weights(0.6), noise)[:, 1:], weights(0.6)[:, 1:])


def test_the_table_is_looked_up_at_the_nearest_level() -> None:
    weight = torch.empty(7, 5, 3, 3).normal_(generator=generator("w"))
    flat = weight.flatten(1)
    largest = flat.abs().amax(dim=1, keepdim=True)
    level = (flat.abs() / largest * 256).round().long()
    xi = torch.empty(weight.numel()).normal_(generator=generator()).view_as(flat)
    expected = flat + xi * (TABLE[level] * largest) * 2.0
    assert torch.equal(draw(weight, CellNoise(), 2.0), expected.view_as(weight))


def test_relative_to_the_layer_all_columns_feel_the_same(moments_are: MomentCheck) -> None:
    weight = torch.zeros(2, 100_001)
    weight[0, 0], weight[1, 0] = 4.0, 0.5
    for noise in (
        AdditiveNoise(sigma=0.05, relative_to="layer"),
        PolynomialNoise(coefficients=(0.05,), relative_to="layer"),
        CellNoise(relative_to="layer"),
    ):
        width = float(TABLE[0]) if isinstance(noise, CellNoise) else 0.05
        for column in (0, 1):
            moments_are(draw(weight, noise)[column, 1:], 0.0, 4.0 * width)


@pytest.mark.parametrize("name", [name for name in LAWS if name != "dorefa"])
def test_a_column_ten_times_larger_feels_ten_times_the_noise(name: str) -> None:
    """Channel-wise remapping without a state: every column uses the whole range by itself."""
    weight = torch.empty(3, 400, dtype=torch.float64).normal_(generator=generator("w"))
    factors = torch.tensor([1.0, 10.0, 0.1], dtype=torch.float64)
    x = torch.empty(8, 400, dtype=torch.float64).normal_(generator=generator("x"))
    table = TABLE.double()
    plain, scaled = (
        noisy_weight(w, LAWS[name], strength=1.0, generator=generator(), table=table)
        for w in (weight, weight * factors[:, None])
    )
    assert not torch.equal(plain, weight)
    torch.testing.assert_close(scaled, plain * factors[:, None])
    torch.testing.assert_close(x @ scaled.T, (x @ plain.T) * factors)


def test_discretisation_is_a_grid_over_the_largest_weight() -> None:
    weight = torch.empty(4, 1000).uniform_(-1, 1, generator=generator("w"))
    rounded = draw(weight, DiscretizeNoise(bits=3))
    step = weight.abs().amax(dim=1, keepdim=True) / 3  # 2^3 - 2 steps over both signs
    assert torch.allclose((rounded / step).round() * step, rounded)
    assert float(((rounded - weight).abs() / step).max()) <= 0.5 + 1e-5
    assert all(len(column.unique()) == 7 for column in rounded)


def test_discretisation_adds_its_noise_behind_the_grid(moments_are: MomentCheck) -> None:
    noisy = draw(weights(0.3), DiscretizeNoise(bits=3, sigma=0.05), 2.0)[:, 1:]
    moments_are(noisy, 2.0 / 3, 2.0 * 2.0 * 0.05)  # 0.3 rounds to 1/3 of the largest weight


def test_dorefa_is_the_published_formula() -> None:
    weight = torch.empty(4, 1000).normal_(generator=generator("w"))
    transformed = draw(weight, DorefaNoise(bits=4))
    step = 2 * 0.6 / 14
    scale = abs(0.6 / math.tanh(float(weight.abs().max())))
    expected = torch.round(torch.tanh(weight) * scale / step) * step
    torch.testing.assert_close(transformed, expected)
    assert float(transformed.abs().max()) == pytest.approx(0.6)


@pytest.mark.parametrize("name", LAWS)
def test_strength_zero_leaves_what_is_not_gaussian(name: str) -> None:
    weight = torch.empty(4, 1000).normal_(generator=generator("w"))
    noisy = draw(weight, LAWS[name], 0.0)
    if name == "pcm":
        assert 0.95 < float(torch.isclose(noisy, weight).float().mean()) < 0.99  # 3 % are stuck
    else:
        torch.testing.assert_close(noisy, transformed_weight(weight, LAWS[name]))


@pytest.mark.parametrize("samples", [None, 6])
@pytest.mark.parametrize("name", LAWS)
def test_the_gradient_goes_to_the_clean_weights(name: str, samples: int | None) -> None:
    weight = torch.empty(3, 2, 5, 5).normal_(generator=generator("w")).requires_grad_()
    noisy = noisy_weight(
        weight, LAWS[name], strength=1.0, generator=generator(), table=TABLE, samples=samples
    )
    gradient = torch.empty(noisy.shape).normal_(generator=generator("gradient"))
    noisy.backward(gradient)  # type: ignore[no-untyped-call]
    assert weight.grad is not None
    expected = gradient if samples is None else gradient.sum(dim=0)
    torch.testing.assert_close(weight.grad, expected)


@pytest.mark.parametrize("name", RANDOM)
def test_samples_are_independent_draws_of_the_same_law(name: str) -> None:
    weight = torch.empty(3, 2000).normal_(generator=generator("w"))
    noisy = noisy_weight(
        weight, LAWS[name], strength=1.0, generator=generator(), table=TABLE, samples=50
    )
    assert noisy.shape == (50, 3, 2000)
    level = transformed_weight(weight, LAWS[name])
    first, second = (noisy[0] - level).flatten(), (noisy[1] - level).flatten()
    assert abs(float(torch.corrcoef(torch.stack([first, second]))[0, 1])) < 0.2
    one = draw(weight, LAWS[name]) - level
    together = noisy - level
    assert float(together.std()) == pytest.approx(float(one.std()), rel=0.15)


@pytest.mark.parametrize("name", RANDOM)
def test_one_seed_repeats_and_two_differ(name: str) -> None:
    weight = torch.empty(3, 50).normal_(generator=generator("w"))
    first, again, other = (
        noisy_weight(weight, LAWS[name], strength=1.0, generator=generator(seed), table=TABLE)
        for seed in ("a", "a", "b")
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("name", LAWS)
def test_columns_of_zeros_stay_finite_in_every_precision(name: str, dtype: torch.dtype) -> None:
    weight = torch.zeros(2, 8, dtype=dtype)
    weight[1, 3] = 1.0
    table = TABLE.to(dtype)
    noisy = noisy_weight(weight, LAWS[name], strength=1.0, generator=generator(), table=table)
    assert noisy.dtype == dtype
    assert bool(noisy.isfinite().all())


def test_diverged_weights_stay_diverged() -> None:
    weight = torch.ones(2, 8)
    weight[0, 3] = math.nan
    noisy = draw(weight, CellNoise())
    assert bool(noisy[0].isnan().all())
    assert bool(noisy[1].isfinite().all())


@pytest.mark.parametrize("name", LAWS)
def test_laws_work_where_the_weights_are(name: str, device: torch.device) -> None:
    weight = torch.ones(2, 8, device=device)
    noisy = noisy_weight(
        weight,
        LAWS[name],
        strength=1.0,
        generator=spawn_generator(0, "noise", device=device),
        table=TABLE.to(device),
    )
    assert noisy.device.type == device.type


@pytest.mark.parametrize("probability", [0.01, 0.4])
def test_drop_connect_zeroes_its_share_and_spares_the_rest(probability: float) -> None:
    weight = torch.empty(100, 2000).uniform_(0.5, 1.0, generator=generator("w")).requires_grad_()
    kept = drop_connect(weight, probability, generator=generator())
    dropped = kept.detach() == 0
    assert torch.equal(kept.detach()[~dropped], weight.detach()[~dropped])
    error = math.sqrt(probability * (1 - probability) / weight.numel())
    assert abs(float(dropped.double().mean()) - probability) < 5 * error
    kept.sum().backward()  # type: ignore[no-untyped-call]
    assert weight.grad is not None
    assert torch.equal(weight.grad, torch.ones_like(weight))
