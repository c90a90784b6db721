"""Variants of the hardware: a Latin hypercube, dealt out equally often."""

from collections import Counter

import pytest

from analognas.hardware_variants import (
    BITS,
    COMPENSATIONS,
    SCALES,
    TILE_ROWS,
    HardwareVariant,
    assign_variants,
    sample_variants,
)
from analognas.simulator import HARDWARE, HERMES_DEFAULT
from analognas.simulator.devices import PcmHermes


def test_every_setting_is_met_in_proportion() -> None:
    variants = sample_variants(HERMES_DEFAULT, 40, 0)
    assert len({variant.id for variant in variants}) == 40
    hardware = [variant.hardware for variant in variants]
    assert Counter(h.converters.adc_bits for h in hardware) == dict.fromkeys(BITS, 8)
    assert Counter(h.converters.dac_bits for h in hardware) == dict.fromkeys(BITS, 8)
    assert Counter(h.tile.rows for h in hardware) == dict.fromkeys(TILE_ROWS, 10)
    share = {name: COMPENSATIONS.count(name) * 10 for name in set(COMPENSATIONS)}
    assert sum(variant.recalibrated for variant in variants) == share["adabs"]
    assert Counter(h.compensation for h in hardware)["gdc"] == share["gdc"]
    assert sum(h.ir_drop.strength > 0 for h in hardware) == 16
    for h in hardware:
        assert isinstance(h.device, PcmHermes)
        scale = h.device.read_noise_scale
        assert SCALES[0] <= scale <= SCALES[1]
        assert h.weight_read_noise == pytest.approx(HERMES_DEFAULT.weight_read_noise * scale, 1e-3)
    drifts = sorted(h.device.drift_scale for h in hardware if isinstance(h.device, PcmHermes))
    below = sum(scale < 1 for scale in drifts)  # uniform in the logarithm
    assert below == 20


def test_the_seed_decides() -> None:
    one, same = (sample_variants(HERMES_DEFAULT, 8, 3) for _ in range(2))
    assert one == same
    assert one != sample_variants(HERMES_DEFAULT, 8, 4)


def test_a_variant_is_read_back() -> None:
    for variant in sample_variants(HERMES_DEFAULT, 12, 0):
        assert HardwareVariant.from_dict(variant.to_dict()) == variant


def test_a_changed_record_is_refused() -> None:
    record = sample_variants(HERMES_DEFAULT, 2, 0)[0].to_dict()
    record["hardware_toml"] = record["hardware_toml"].replace("rows = ", "rows = 1")
    with pytest.raises(ValueError, match="must follow from its settings"):
        HardwareVariant.from_dict(record)


def test_cells_without_scales_are_refused() -> None:
    with pytest.raises(ValueError, match="pcm_hermes"):
        sample_variants(HARDWARE["pcm_2019"], 4, 0)


def test_dealing_is_fair_and_does_not_depend_on_the_order_of_the_keys() -> None:
    keys = [f"{index:02d}" for index in range(22)]
    dealt = assign_variants(keys, 12, 3, 5)
    assert dealt == assign_variants(keys[::-1], 12, 3, 5)
    assert all(len(set(hand)) == 3 for hand in dealt.values())
    met = Counter(place for hand in dealt.values() for place in hand)
    assert max(met.values()) - min(met.values()) <= 1
    pairs = set(dealt.values())
    assert len(pairs) > 12  # packs are shuffled anew
