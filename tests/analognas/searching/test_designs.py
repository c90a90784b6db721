"""Networks with hardware of their own: genes, choices, costs and features."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analognas.errors import UserError
from analognas.hardware_choice import hardware_for_chip
from analognas.search_spaces import make_space
from analognas.searching.design_scoring import (
    design_cost,
    design_features,
    design_fits,
    design_rows,
)
from analognas.searching.designs import PLAIN, Design, HardwareChoice
from analognas.searching.hardware_genes import hardware_genes
from analognas.searching.hardware_names import (
    ADC_BITS,
    DEVICES,
    DIGITAL_LAYERS,
    NOISE,
    READ_MODE,
    in_words,
    shown,
)
from analognas.searching.joint_space import JointSpace
from analognas.searching.spaces import Decoder
from analognas.searching.strategies.drawing import random_codes
from analognas.searching.workshop import Workshop, with_multiplications
from analognas.simulator import HARDWARE, spawn_generator
from analognas.simulator.chip import cost_scope, estimate_cost, load_chip, place
from analognas.simulator.chip.datasheet import datasheet
from analognas.simulator.chip.spec import ChipSpec
from analognas.surrogate_features import architecture_features, candidate_rows
from analognas.tasks import Limits

SHAPE = (1, 49, 10)
SPACE = make_space("tinyml", input_shape=SHAPE, n_classes=12)
ARCH = SPACE.named["ds-cnn"]
TIMES_S = (1.0, 86_400.0)
EVERY_CHOICE = HardwareChoice("both", 2, 6, "6-bit", 1.5)


def workshop(chip: str) -> Workshop:
    loaded = load_chip(chip)
    return Workshop(loaded, hardware_for_chip(None, (), loaded))


GENERIC = workshop("generic")


def joint(chip: str, *, trained: bool = True) -> JointSpace:
    shop = workshop(chip)
    return JointSpace(SPACE, hardware_genes(("all",), shop, trained=trained), shop)


@pytest.mark.parametrize("chip", ["generic", "hermes", "aon-cim"])
def test_genotypes_and_designs_are_in_bijection(chip: str) -> None:
    space = joint(chip)
    decoder = Decoder(space)
    rng = np.random.default_rng(1)
    keys: dict[str, Design] = {}
    for _ in range(60):
        found = decoder.realise(random_codes(space.genes, rng))
        assert found is not None
        design: Design = found.arch
        again = decoder.realise(found.codes)
        assert again is not None
        assert again.arch == design
        assert Design.from_dict(json.loads(json.dumps(design.to_dict()))) == design
        assert keys.setdefault(design.key, design) == design
    assert len(keys) > 50
    assert space.count() % SPACE.count() == 0


@pytest.mark.parametrize("chip", ["generic", "hermes", "aon-cim"])
def test_the_hardware_of_the_start_leaves_a_network_as_it_was(chip: str) -> None:
    space = joint(chip)
    values = {gene: value for gene, value in space.workshop.values().items() if value is not None}
    codes = {**SPACE.codes(ARCH), **{gene: values[gene] for gene in space.hardware.values}}
    design = space.decode(codes)
    assert design == Design(ARCH)
    assert design.key == ARCH.key
    assert design.to_dict() == ARCH.to_dict()
    made = space.workshop.made(design.choice)
    assert (made.chip, made.hardware) == (space.workshop.chip, space.workshop.hardware)


def test_every_part_of_a_choice_makes_another_design() -> None:
    changes = [
        PLAIN,
        HardwareChoice(digital_layers="first"),
        HardwareChoice(digital_layers="both"),
        HardwareChoice(devices=2),
        HardwareChoice(adc_bits=6),
        HardwareChoice(read_mode="6-bit"),
        HardwareChoice(noise=0.5),
    ]
    assert len({Design(ARCH, choice).key for choice in changes}) == len(changes)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"hardware": {"colour": "red"}}, "no colour"),
        ({"hardware": {"digital_layers": "middle"}}, "digital_layers 'middle'"),
        ({"format_version": 9}, "must be 1"),
        ({"architecture": {"format": "soup"}}, "architecture record"),
    ],
)
def test_a_damaged_design_is_refused(change: dict[str, object], words: str) -> None:
    record = Design(ARCH, EVERY_CHOICE).to_dict()
    with pytest.raises(ValueError, match=words):
        Design.from_dict(record | change)


def test_hardware_and_chip_follow_a_choice() -> None:
    made = GENERIC.made(EVERY_CHOICE)
    assert made.hardware.converters.adc_bits == 6
    assert made.hardware.converters.dac_bits == 6
    assert getattr(made.hardware.device, "cells_per_polarity", None) == 2
    assert made.chip.default_read_mode == "6-bit"
    assert made.chip.geometry.cells_per_weight.value == 4
    assert made.noise == 1.5
    assert "2 devices" in made.hardware.name


def test_fewer_bits_and_cells_cost_less() -> None:
    def energy(choice: HardwareChoice) -> float:
        return design_cost(SPACE, GENERIC, Design(ARCH, choice)).energy_nJ

    assert energy(HardwareChoice(adc_bits=6)) < energy(HardwareChoice(adc_bits=7)) < energy(PLAIN)
    assert energy(HardwareChoice(devices=2)) > energy(PLAIN)
    assert energy(HardwareChoice(read_mode="6-bit")) < energy(PLAIN)


def test_a_chip_of_a_design_can_be_written_down(tmp_path: Path) -> None:
    for shop in (GENERIC, workshop("hermes"), workshop("aon-cim")):
        mode = next(iter(shop.chip.read_modes))
        chip = shop.made(HardwareChoice(digital_layers="first", read_mode=mode)).chip
        path = tmp_path / "chip.toml"
        path.write_text(chip.to_toml())
        assert ChipSpec.from_toml(path).hash == chip.hash != shop.chip.hash


@pytest.mark.parametrize("chip", ["generic", "hermes", "aon-cim"])
@pytest.mark.parametrize("which", ["first", "last", "both"])
def test_layers_kept_digital_are_on_no_core_and_are_charged(chip: str, which: str) -> None:
    shop = workshop(chip)
    design = Design(ARCH, HardwareChoice.from_dict({"digital_layers": which}))
    cost = design_cost(SPACE, shop, design)
    layers = SPACE.layers(ARCH)
    names = design.choice.kept_digital([layer.name for layer in layers])
    network = SPACE.build(ARCH, generator=spawn_generator(0, "build"))
    made = shop.made(design.choice).chip
    built = estimate_cost(place(network, SHAPE, made, keep_digital=names), made)
    assert (cost.energy_nJ, cost.latency_us) == (built.energy_nJ, built.latency_us)
    assert not {layer.layer for layer in cost.layers} & set(names)
    steps = {step.name: step for step in cost.digital if step.kind == "matrix"}
    assert set(steps) == set(names)
    digital = made.digital
    assert digital is not None
    assert digital.multiplication_pJ is not None
    for layer in layers:
        if layer.name in names:
            step = steps[layer.name]
            assert step.operations == layer.multiplications
            expected = layer.multiplications * digital.multiplication_pJ.value * 1e-3
            assert step.energy_nJ == pytest.approx(expected)
            assert step.latency_us > 0


def test_what_a_digital_multiplication_takes_is_an_assumption_that_is_said() -> None:
    own, lent = with_multiplications(GENERIC.chip), with_multiplications(load_chip("hermes"))
    for chip in (own, lent):
        assert chip.digital is not None
        assert chip.digital.multiplication_pJ is not None
        assert chip.digital.multiplication_pJ.trust == "assumed"
        # 0.5 pJ of an operation and 8 bits of 0.05 pJ, the figures of the template
        assert chip.digital.multiplication_pJ.value == pytest.approx(0.9)
        assert "0.9 pJ per multiplication (assumed" in cost_scope(chip)
        assert with_multiplications(chip) is chip
    assert "template generic" in cost_scope(lent)
    assert "template generic" not in cost_scope(own)
    plain = estimate_cost(
        place(SPACE.build(ARCH, generator=spawn_generator(0, "x")), SHAPE, lent), lent
    )
    assert plain.energy_nJ == design_cost(SPACE, workshop("hermes"), ARCH).energy_nJ


def test_a_chip_file_gives_multiplications_only_where_it_does_them(tmp_path: Path) -> None:
    text = with_multiplications(GENERIC.chip).to_toml()
    path = tmp_path / "chip.toml"
    path.write_text(text.replace('    "matrix",\n', ""))
    with pytest.raises(ValueError, match=r'multiplication_pJ.*"matrix" in on_chip'):
        ChipSpec.from_toml(path)
    path.write_text(text)
    rows = {row.quantity: row.value for row in datasheet(ChipSpec.from_toml(path))}
    assert rows["energy of a multiplication"] == pytest.approx(0.9)


def test_a_network_fits_on_its_own_hardware() -> None:
    shop = workshop("hermes")
    cost = design_cost(SPACE, shop, ARCH)
    fits = design_fits(SPACE, Limits(cost.cores - 1, 10**6, 10**8), shop)
    assert not fits(ARCH)
    assert fits(Design(ARCH, HardwareChoice(digital_layers="both")))
    cheap = design_fits(SPACE, Limits(64, 10**6, 10**8), shop, max_energy_nJ=cost.energy_nJ / 2)
    assert not cheap(ARCH)
    assert cheap(Design(ARCH, HardwareChoice(read_mode="1-phase")))


def test_features_of_designs_are_those_of_each_on_its_hardware() -> None:
    other = SPACE.named["analognet-like"]
    choices = [PLAIN, HardwareChoice(adc_bits=5), HardwareChoice(devices=2, noise=2.0), PLAIN]
    designs = [
        Design(arch, c) for arch, c in zip([ARCH, other, other, other], choices, strict=True)
    ]
    together = design_rows(SPACE, GENERIC, designs, TIMES_S)
    one_by_one = [
        candidate_rows(
            architecture_features(SPACE, [design.arch], GENERIC.chip),
            GENERIC.made(design.choice).hardware,
            TIMES_S,
        )
        for design in designs
    ]
    expected = pd.concat(one_by_one)
    pd.testing.assert_frame_equal(together.reset_index(drop=True), expected.reset_index(drop=True))
    assert list(together.index) == [design.key for design in designs for _ in TIMES_S]


def test_layers_kept_digital_leave_the_errors_of_products() -> None:
    designs = [Design(ARCH), Design(ARCH, HardwareChoice(digital_layers="both"))]
    analog, partly = design_rows(SPACE, GENERIC, designs, (86_400.0,)).to_dict("records")
    assert partly["joint_log10_error"] < analog["joint_log10_error"]
    assert partly["log10_tile_reads"] < analog["log10_tile_reads"]
    assert partly["log10_parameters"] == analog["log10_parameters"]
    likeness = [name for name in analog if str(name).startswith("layers_like_")]
    assert sum(partly[n] for n in likeness) == pytest.approx(sum(analog[n] for n in likeness) - 2)


def test_strategies_that_learn_see_what_was_chosen() -> None:
    plain = design_features(SPACE, GENERIC, [ARCH])
    designs = design_features(SPACE, GENERIC, [Design(ARCH), Design(ARCH, EVERY_CHOICE)])
    added = [name for name in designs.columns if name not in plain.columns]
    assert len(added) >= 6
    assert (designs[added].nunique() == 2).all()


def test_all_leaves_out_what_cannot_be_searched_and_says_why() -> None:
    genes = hardware_genes(("all",), workshop("hermes"), trained=False)
    assert set(genes.values) == {DIGITAL_LAYERS, READ_MODE}
    cells, noise = genes.left_out
    assert cells.startswith("`devices` and `adc-bits` are not searched")
    assert "energy of whole cores" in cells
    assert noise.startswith("`noise` is not searched")
    everything = hardware_genes(("all",), GENERIC, trained=True)
    assert set(everything.values) == {DIGITAL_LAYERS, DEVICES, ADC_BITS, READ_MODE, NOISE}
    assert not everything.left_out


@pytest.mark.parametrize(
    ("chip", "name", "words"),
    [
        ("hermes", "adc-bits", "hermes gives the energy of whole cores.*generic or aon-cim"),
        ("hermes", "devices", "hermes gives the energy of whole cores"),
        ("aon-cim", "devices", "pcm_2019"),
        ("generic", "noise", "one strength of noise.*--evaluator training"),
    ],
)
def test_a_gene_that_was_named_and_cannot_be_searched_is_an_error(
    chip: str, name: str, words: str
) -> None:
    with pytest.raises(UserError, match=words):
        hardware_genes((name,), workshop(chip), trained=False)


def test_ideal_converters_have_no_bits_to_choose() -> None:
    ideal = replace(HARDWARE["ideal"], tile=GENERIC.hardware.tile)
    with pytest.raises(UserError, match="ADCs without steps"):
        hardware_genes(("adc-bits",), Workshop(GENERIC.chip, ideal), trained=False)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("adc",), "Unknown hardware to search 'adc'.*adc-bits"),
        (("all", "devices"), "must be all, or some of"),
        (("devices", "devices"), "each once"),
    ],
)
def test_names_of_hardware_are_checked(names: tuple[str, ...], words: str) -> None:
    with pytest.raises(UserError, match=words):
        hardware_genes(names, GENERIC, trained=True)


def test_a_design_in_words() -> None:
    codes = {"depth": 3, DIGITAL_LAYERS: "first", DEVICES: 1, ADC_BITS: 6, NOISE: "1.5"}
    assert in_words(codes) == "first digital, 1 device, 6-bit ADC, noise x1.5"
    assert list(shown(codes)) == [
        "layers kept digital",
        "devices per polarity",
        "ADC bits",
        "training noise (x recipe)",
    ]
    assert shown({"depth": 3}) == {}
