"""Weights become conductances and come back."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from analognas.simulator.conductance_mapping import (
    ConductanceMapping,
    ConductanceTable,
    from_conductances,
    to_conductances,
)
from analognas.simulator.devices import DEVICES, Device, Pcm2019, PcmHermes, ReramCmo

# Both cells rise from the middle; the difference is the weight.
DIFFERENTIAL = ConductanceTable(weights=(-1.0, 1.0), relative=((0.2, 0.8), (0.8, 0.2)))
# The second cell stays high at first; unevenly spaced points.
BENT = ConductanceTable(
    weights=(-1.0, -0.5, 0.0, 0.25, 1.0),
    relative=((0.0, 0.1, 0.3, 0.4, 0.8), (0.8, 0.5, 0.3, 0.2, 0.0)),
)
PART_OF_THE_RANGE = ConductanceTable(weights=(-1.0, 1.0), relative=((0.1, 0.7),))

MAPPINGS: Mapping[str, ConductanceMapping] = {
    "pair": ConductanceMapping(),
    "weighted pair": ConductanceMapping(significances=(0.5,)),
    "two pairs": ConductanceMapping(significances=(4.0, 1.0)),
    "three pairs": ConductanceMapping(significances=(1.0, 8.0, 2.5)),
    "equal pairs": ConductanceMapping(significances=(1.0, 1.0)),
    "single": ConductanceMapping(layout="single"),
    "differential": ConductanceMapping(table=DIFFERENTIAL),
    "bent": ConductanceMapping(table=BENT),
    "part": ConductanceMapping(layout="single", table=PART_OF_THE_RANGE),
}
RANGES = [Pcm2019(), PcmHermes(), ReramCmo()]

weights = arrays("float64", (3, 5), elements=st.floats(-1, 1)).map(torch.from_numpy)


@pytest.mark.parametrize("name", MAPPINGS)
@pytest.mark.parametrize("device", RANGES, ids=lambda d: d.kind)
@given(weight=weights)
def test_the_crossbar_reads_what_was_written(name: str, device: Device, weight: Tensor) -> None:
    mapping = MAPPINGS[name]
    g = to_conductances(weight, device, mapping)
    assert g.shape == (mapping.cells_per_weight, *weight.shape)
    assert g.min() >= device.g_min_uS
    assert g.max() <= device.g_max_uS * (1 + 1e-12)
    torch.testing.assert_close(from_conductances(g, device, mapping), weight, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", MAPPINGS)
@given(weight=weights, amount=st.floats(-3, 3))
def test_reading_back_is_linear(name: str, weight: Tensor, amount: float) -> None:
    mapping, device = MAPPINGS[name], ReramCmo()
    g = to_conductances(weight, device, mapping)
    start = from_conductances(g, device, mapping)
    step = torch.linspace(0, 1, g.numel(), dtype=g.dtype).view_as(g)
    once = from_conductances(g + step, device, mapping) - start
    many = from_conductances(g + amount * step, device, mapping) - start
    torch.testing.assert_close(many, amount * once, rtol=0, atol=1e-11)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", ["pcm_2019", "pcm_hermes", "ideal"])
def test_a_pair_is_bit_for_bit_the_differential_pair(kind: str, dtype: torch.dtype) -> None:
    device: Device = DEVICES[kind]()
    weight = torch.rand(33, 65, dtype=dtype, generator=torch.Generator().manual_seed(1)) * 2 - 1
    weight[0] = 0.0
    by_hand = device.g_max_uS * torch.stack([weight, -weight]).clamp_min_(0.0)
    g = to_conductances(weight, device, ConductanceMapping())
    assert torch.equal(g, by_hand)
    noisy = g + 0.3
    noisy[1] *= 0.7
    expected = (noisy[0] - noisy[1]) / device.g_max_uS
    assert torch.equal(from_conductances(noisy, device, ConductanceMapping()), expected)


def test_chips_keep_their_axis() -> None:
    mapping, device = ConductanceMapping(significances=(2.0, 1.0)), Pcm2019()
    weight = torch.linspace(-1, 1, 12, dtype=torch.float64).view(3, 4)
    g = to_conductances(weight, device, mapping)
    chips = torch.stack([g, g + torch.tensor([3.0, 0, 0, 0], dtype=g.dtype).view(4, 1, 1)])
    read = from_conductances(chips, device, mapping)
    torch.testing.assert_close(read[0], weight, rtol=0, atol=1e-12)
    # Three microsiemens in g+ of the pair that counts twice; all pairs together: 3 x 25 uS.
    torch.testing.assert_close(read[1], weight + 2 * 3 / 75, rtol=0, atol=1e-12)


def test_the_pair_that_counts_least_is_filled_first() -> None:
    mapping, device = ConductanceMapping(significances=(4.0, 1.0)), Pcm2019()
    weight = torch.tensor([[0.0, 0.1, 0.2, 0.6, 1.0, -0.6]], dtype=torch.float64)
    g = to_conductances(weight, device, mapping)[:, 0] / 25.0
    # The weight 1 is 5 units: 1 in the small pair, 4 in the large one.
    large, small = [0.0, 0.0, 0.0, 0.5, 1.0], [0.0, 0.5, 1.0, 1.0, 1.0]
    expected = torch.tensor(
        [[*large, 0.0], [0.0] * 5 + [0.5], [*small, 0.0], [0.0] * 5 + [1.0]], dtype=torch.float64
    )
    torch.testing.assert_close(g, expected, rtol=0, atol=1e-12)


def test_equal_pairs_are_filled_in_their_order() -> None:
    mapping = ConductanceMapping(significances=(1.0, 1.0))
    g = to_conductances(torch.tensor([[0.25]]), Pcm2019(), mapping).flatten()
    torch.testing.assert_close(g, torch.tensor([12.5, 0.0, 0.0, 0.0]))


def test_a_single_cell_runs_over_its_range() -> None:
    mapping = ConductanceMapping(layout="single")
    g = to_conductances(torch.tensor([[-1.0, 0.0, 0.5, 1.0]]), ReramCmo(), mapping)
    torch.testing.assert_close(g, torch.tensor([[[9.0, 48.6, 68.4, 88.2]]]))


def test_a_table_is_linear_between_its_points() -> None:
    weight = torch.tensor([[-1.0, -0.75, -0.45, 0.0, 0.125, 0.25, 0.28, 0.625, 1.0]])
    g = to_conductances(weight, Pcm2019(), ConductanceMapping(table=BENT))[:, 0] / 25.0
    expected = torch.tensor(
        [
            [0.0, 0.05, 0.12, 0.3, 0.35, 0.4, 0.416, 0.6, 0.8],
            [0.8, 0.65, 0.48, 0.3, 0.25, 0.2, 0.192, 0.1, 0.0],
        ]
    )
    torch.testing.assert_close(g, expected)


@pytest.mark.parametrize("name", MAPPINGS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_runs_where_its_tensors_are(name: str, dtype: torch.dtype, device: torch.device) -> None:
    weight = torch.linspace(-1, 1, 12, dtype=dtype, device=device).view(3, 4)
    before = weight.clone()
    g = to_conductances(weight, ReramCmo(), MAPPINGS[name])
    back = from_conductances(g, ReramCmo(), MAPPINGS[name])
    assert (g.dtype, back.dtype) == (dtype, dtype)
    assert g.device.type == back.device.type == device.type
    torch.testing.assert_close(back, weight, rtol=0, atol=2e-6)
    assert torch.equal(weight, before)


@pytest.mark.parametrize("name", MAPPINGS)
def test_json_keeps_a_mapping(name: str) -> None:
    adapter = TypeAdapter(ConductanceMapping)
    mapping = MAPPINGS[name]
    again = adapter.validate_json(adapter.dump_json(mapping))
    assert again == mapping
    assert hash(again) == hash(mapping)


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"significances": ()}, "at least 1 item"),
        ({"significances": (1.0, 0.0)}, "greater than 0"),
        ({"layout": "single", "significances": (2.0, 1.0)}, "must have `significances`"),
        ({"layout": "single", "table": DIFFERENTIAL}, "a row for each of the 1 cells"),
        ({"significances": (2.0, 1.0), "table": DIFFERENTIAL}, "each of the 4 cells"),
        (
            {"table": {"weights": (-1.0, 1.0), "relative": ((1.0, 0.0), (0.0, 1.0))}},
            "must grow with the weight",
        ),
        (
            {"table": {"weights": (-1.0, 1.0), "relative": ((0.5, 0.5), (0.5, 0.5))}},
            "must grow with the weight",
        ),
        (
            {"table": {"weights": (-1.0, 0.0, 1.0), "relative": ((0, 0.1, 1), (1, 0, 0))}},
            "the weight 0 reads as 0.1",
        ),
        (
            {"table": {"weights": (-1.0, 1.0), "relative": ((0.0, 1.0), (0.5, 0.0))}},
            "must be proportional to the weight",
        ),
        (
            {
                "layout": "single",
                "table": {"weights": (-1.0, 0.0, 1.0), "relative": ((0.0, 0.1, 1.0),)},
            },
            "must be proportional to the weight",
        ),
        ({"table": {"weights": (-1.0, 0.5), "relative": ((0, 1), (1, 0))}}, "from -1 to 1"),
        (
            {"table": {"weights": (-1, 0, 0, 1), "relative": ((0, 0, 0, 1), (1, 0, 0, 0))}},
            "must increase",
        ),
        ({"table": {"weights": (-1, 1), "relative": ((0, 1), (1, 0, 0))}}, "Every row"),
        ({"table": {"weights": (-1, 1), "relative": ((0, 1.1), (1, 0))}}, "less than or equal"),
    ],
)
def test_a_mapping_that_cannot_be_read_back_is_refused(settings: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        ConductanceMapping(**settings)
