"""Limits are kept by every candidate; impossible ones are explained."""

import re
from dataclasses import replace

import numpy as np
import pytest

from analognas.limits import fits_limits, make_fits, tightest_limit, usages
from analognas.search_spaces import make_space
from analognas.shapes import layer_shapes
from analognas.simulator.chip import load_chip
from analognas.tasks import Limits

SPACE = make_space("tinyml", input_shape=(1, 8, 8), n_classes=10)
CHIP = load_chip("hermes")
WIDE = Limits(max_cores=64, max_parameters=300_000, max_multiplications=12_000_000)
ARCH = SPACE.named["resnet-small"]


def test_sampled_networks_keep_every_limit() -> None:
    limits = Limits(max_cores=9, max_parameters=20_000, max_multiplications=400_000)
    fits = make_fits(SPACE, limits, CHIP, max_energy_nJ=20_000.0)
    rng = np.random.default_rng(0)
    for _ in range(20):
        used = usages(SPACE, SPACE.sample(rng, fits), limits, CHIP, max_energy_nJ=20_000.0)
        assert all(usage.used <= usage.limit for usage in used)


@pytest.mark.parametrize("index", range(4))
def test_a_limit_may_be_used_up_but_not_passed(index: int) -> None:
    used = [u.used for u in usages(SPACE, ARCH, WIDE, CHIP, max_energy_nJ=1e9)]
    for change, expected in ((0, True), (-1, False)):
        now = [value + (change if index == place else 0) for place, value in enumerate(used)]
        limits = Limits(
            max_parameters=int(now[0]), max_multiplications=int(now[1]), max_cores=int(now[2])
        )
        assert fits_limits(SPACE, ARCH, limits, CHIP, max_energy_nJ=now[3]) is expected


def test_the_cores_of_the_chip_are_a_limit_too() -> None:
    many = Limits(max_cores=10_000, max_parameters=10**9, max_multiplications=10**12)
    used = {usage.resource: usage for usage in usages(SPACE, ARCH, many, CHIP)}
    assert used["cores of the chip"].limit == 64


def test_a_chip_of_tiny_shared_cores_is_refused_without_packing_them() -> None:
    generic = load_chip("generic")
    geometry = generic.geometry
    small = replace(geometry.rows, value=4)
    tiny = replace(
        generic, geometry=replace(geometry, rows=small, columns=small, adcs_per_core=small)
    )
    limits = Limits(10_000, 10**9, 10**12)
    (cores,) = (u for u in usages(SPACE, ARCH, limits, tiny) if u.unit == "cores")
    shapes = layer_shapes(SPACE, ARCH)
    assert cores.used == -(-sum(shape.weights for shape in shapes) // 16)
    assert not fits_limits(SPACE, ARCH, limits, tiny)


@pytest.mark.parametrize(
    ("limits", "max_energy_nJ", "resource"),
    [
        (Limits(1, 300_000, 12_000_000), None, "max_cores"),
        (Limits(64, 50, 12_000_000), None, "max_parameters"),
        (Limits(64, 300_000, 100), None, "max_multiplications"),
        (WIDE, 1.0, "max_energy_nJ"),
    ],
)
def test_impossible_limits_are_answered_with_the_nearest_feasible_value(
    limits: Limits, max_energy_nJ: float | None, resource: str
) -> None:
    message = tightest_limit(
        SPACE,
        limits,
        CHIP,
        rng=np.random.default_rng(0),
        max_energy_nJ=max_energy_nJ,
        samples=40,
    )
    found = re.search(rf"tightest is `{resource} = .*must be at least (\S+?)\.$", message)
    assert found, message
    enough = float(found[1])
    names = ("max_cores", "max_parameters", "max_multiplications")
    raised = {name: getattr(limits, name) for name in names}
    if resource in raised:
        raised[resource] = int(enough)
    else:
        max_energy_nJ = enough
    fits = make_fits(SPACE, Limits(**raised), CHIP, max_energy_nJ)
    rng = np.random.default_rng(0)
    assert any(SPACE.decode(SPACE.random_codes(rng), fits) is not None for _ in range(40))


def test_all_broken_limits_are_named() -> None:
    message = tightest_limit(
        SPACE, Limits(1, 50, 100), CHIP, rng=np.random.default_rng(0), samples=20
    )
    assert all(name in message for name in ("max_cores", "max_parameters", "max_multiplications"))


def test_feasible_limits_are_not_blamed() -> None:
    message = tightest_limit(SPACE, WIDE, CHIP, rng=np.random.default_rng(0), samples=5)
    assert message.startswith("The limits can be kept")
