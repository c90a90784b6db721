import json
from dataclasses import replace
from pathlib import Path

import pytest

from analognas.benchmarks.chip_cost import (
    MODES,
    ChipCostReport,
    HeldOut,
    run_chip_cost,
    write_page,
)
from analognas.benchmarks.chip_cost_tables import to_markdown, verdict
from analognas.benchmarks.chip_figures import (
    EFFICIENCIES_TOPS_PER_W,
    KEYWORDS,
    PERSONS,
    PRINTED,
    Printed,
    StandIn,
    keyword_stand_in,
    person_stand_in,
)
from analognas.errors import UserError
from analognas.simulator.chip import load_chip, place


@pytest.fixture(scope="module")
def report() -> ChipCostReport:
    return run_chip_cost()


def held_out(report: ChipCostReport, fitted_on: str) -> dict[int, HeldOut]:
    return {
        one.bits: one
        for one in report.held_out
        if one.source == "IEEE Micro" and one.fitted_on == fitted_on
    }


def test_every_printed_figure_follows_from_the_chip_files(report: ChipCostReport) -> None:
    assert report.failures == []
    assert len(report.printed) == len(PRINTED) == 2 * 8 + 3
    assert all(abs(one.error_fraction) < 0.0125 for one in report.printed)


def test_a_printed_figure_may_differ_by_half_of_its_last_digit() -> None:
    def tolerance(text: str) -> float:
        return Printed("chip", "mode", "peak_TOPS", "peak", text, "published").tolerance

    assert tolerance("0.40") == pytest.approx(0.005)
    assert tolerance("40.7") == pytest.approx(0.407)
    assert tolerance("521") == pytest.approx(5.21)


def test_a_figure_that_does_not_follow_is_a_failure(report: ChipCostReport) -> None:
    wrong = Printed("hermes", "1-phase", "peak_TOPS", "peak", "64.1", "published")
    comparison = replace(report.printed[0], printed=wrong)
    assert not comparison.is_met
    changed = replace(report, printed=(comparison,))
    assert changed.failures == ["hermes 1-phase peak_TOPS"]
    assert "Deviates: hermes 1-phase peak_TOPS." in verdict(changed)


@pytest.mark.parametrize(("fitted_on", "predicted"), [(KEYWORDS, PERSONS), (PERSONS, KEYWORDS)])
def test_each_network_is_predicted_from_the_other(
    fitted_on: str, predicted: str, report: ChipCostReport
) -> None:
    found = held_out(report, fitted_on)
    assert set(found) == set(MODES) == {8, 6, 4}
    for bits, one in found.items():
        assert one.predicted == predicted
        published = EFFICIENCIES_TOPS_PER_W["IEEE Micro"][predicted][bits]
        assert one.published_TOPS_per_W == published
        assert one.model_TOPS_per_W == pytest.approx(published, rel=0.15)
        assert one.error_fraction == pytest.approx(one.model_TOPS_per_W / published - 1)


def test_the_fit_on_either_network_is_the_same_but_for_the_error(report: ChipCostReport) -> None:
    keywords, persons = held_out(report, KEYWORDS), held_out(report, PERSONS)
    for bits in MODES:
        ratio = persons[bits].energy_scale / keywords[bits].energy_scale
        assert ratio == pytest.approx(1 + keywords[bits].error_fraction)


def test_the_factors_in_the_chip_file_are_those_of_the_fit(report: ChipCostReport) -> None:
    chip = load_chip("aon-cim")
    for bits, one in held_out(report, KEYWORDS).items():
        figure = chip.performance[MODES[bits]].energy_scale
        assert figure is not None
        assert figure.trust == "fitted"
        assert figure.value == pytest.approx(one.energy_scale, rel=1e-3)


def test_the_published_networks_meet_their_figures_with_the_chip_file(
    report: ChipCostReport,
) -> None:
    (keywords, persons) = report.stand_ins
    for bits, published in EFFICIENCIES_TOPS_PER_W["IEEE Micro"][KEYWORDS].items():
        macs = sum(layer.weights * layer.mvms for layer in keywords.placement.layers)
        efficiency = 2e-3 * macs / keywords.costs[bits].energy_nJ
        assert efficiency == pytest.approx(published, rel=1e-6)
        assert efficiency < load_chip("aon-cim").read_modes[MODES[bits]].efficiency_TOPS_per_W
    assert persons.costs[8].cores == 1


@pytest.mark.parametrize(
    ("stand_in", "weights", "share"),
    [(keyword_stand_in(), 300_720, 0.574), (person_stand_in(), 347_408, 0.663)],
)
def test_a_stand_in_fits_the_array_with_about_the_published_share(
    stand_in: StandIn, weights: int, share: float
) -> None:
    placement = place(stand_in.network, stand_in.input_shape, load_chip("aon-cim"))
    assert sum(layer.weights for layer in placement.layers) == weights
    assert placement.used_cores == 1
    assert placement.utilisation_fraction == pytest.approx(share, abs=0.001)
    assert all(layer.groups == 1 for layer in placement.layers)


def test_every_assumption_is_varied_and_as_assumed_is_the_prediction(
    report: ChipCostReport,
) -> None:
    first, *varied = report.sensitivities
    predicted = {bits: one.error_fraction for bits, one in held_out(report, KEYWORDS).items()}
    assert first.error_fractions == pytest.approx(predicted)
    assert len(varied) == 1 + 2 * 5
    for one in varied:
        assert one.error_fractions != pytest.approx(predicted)


def test_page_and_data_say_what_is_fitted_recalled_and_predicted(
    report: ChipCostReport, tmp_path: Path
) -> None:
    page = tmp_path / "cost.md"
    data = write_page(report, page)
    text = page.read_text(encoding="utf-8")
    assert verdict(report) in text
    for words in ("recalled, not verified", "(fitted)", "not known", "Consistency, not prediction"):
        assert words in text
    content = json.loads(data.read_text(encoding="utf-8"))
    assert content["label"] == "modelled"
    assert len(content["held_out"]) == 10
    assert to_markdown(report, data_file=data.name) == text


def test_a_page_must_be_markdown() -> None:
    with pytest.raises(UserError, match=r"ends in \.md, but got cost\.txt"):
        run_chip_cost(Path("cost.txt"))
