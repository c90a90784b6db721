import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from analognas.cli.chips import chips_app
from analognas.errors import UserError
from analognas.simulator.chip import CHIPS


def run(*arguments: str) -> str:
    result = CliRunner().invoke(chips_app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def shown(*arguments: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(run(*arguments, "--json"))
    return content


@pytest.mark.parametrize("arguments", [(), ("list",)])
def test_the_known_chips_are_listed(arguments: tuple[str, ...]) -> None:
    output = run(*arguments)
    for name in CHIPS:
        assert name in output
    assert "4-phase" in output


@pytest.mark.parametrize("arguments", [(), ("list",)])
def test_the_list_is_also_json(arguments: tuple[str, ...]) -> None:
    chips = {chip["chip"]: chip for chip in json.loads(run(*arguments, "--json"))}
    assert set(chips) == set(CHIPS)
    hermes = chips["hermes"]
    assert (hermes["cores"], hermes["rows"], hermes["columns"]) == (64, 256, 256)


@pytest.mark.parametrize("arguments", [("hermes",), ("show", "hermes")])
def test_a_chip_is_shown_with_its_peak_figures(arguments: tuple[str, ...]) -> None:
    modes = {mode["read mode"]: mode for mode in shown(*arguments)["read_modes"]}
    one_phase = modes["1-phase"]
    assert one_phase["peak TOPS"] == 63.1
    assert one_phase["TOPS/W"] == pytest.approx(9.76, rel=0.01)
    assert one_phase["TOPS/mm2"] == pytest.approx(1.55)
    assert one_phase["MVM time, ns"] == pytest.approx(132.9, rel=0.01)
    assert modes["4-phase"]["MVM energy, nJ"] == pytest.approx(52.8, rel=0.01)
    assert modes["4-phase"]["rests on figures"] == "published, second-hand"


def test_a_chip_is_shown_per_bit_width_with_what_its_figures_rest_on() -> None:
    modes = {mode["bits"]: mode for mode in shown("show", "aon-cim")["read_modes"]}
    assert {bits: mode["MVM time, ns"] for bits, mode in modes.items()} == {8: 520, 6: 136, 4: 40}
    assert modes[4]["peak TOPS"] == pytest.approx(26.21, rel=0.01)
    assert all("recalled" in mode["rests on figures"] for mode in modes.values())


def test_every_figure_is_shown_with_its_provenance() -> None:
    figures = shown("show", "hermes")["figures"]
    found = {(f["part"], f["quantity"], f["provenance"]): f["value"] for f in figures}
    assert found["1-phase", "peak throughput", "published"] == 63.1
    assert found["4-phase", "energy efficiency", "derived"] == pytest.approx(2.48, rel=0.01)
    assert found["1-phase", "throughput density", "second-hand"] == 1.55
    assert found["digital", "off chip", "second-hand"] == "max_pool, embedding"


def test_a_shown_chip_says_what_its_energy_covers_and_what_its_words_mean() -> None:
    output = " ".join(run("show", "hermes").split())
    assert "crossbar array, ADC and PWM input only" in output
    assert "digital, off chip: max_pool, embedding (second-hand" in output
    assert "recalled: from memory of a paper, not verified" in output


def test_an_unknown_chip_is_an_error_that_lists_the_known_ones() -> None:
    for arguments in (["hermse"], ["show", "hermse"], ["copy", "hermse", "my.toml"]):
        with pytest.raises(UserError, match=r"Unknown chip 'hermse'.*hermes"):
            run(*arguments)


def test_a_chip_file_with_a_misspelt_key_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('nmae = "mine"\n', encoding="utf-8")
    with pytest.raises(UserError, match=r"nmae: unknown key\. Did you mean 'name'"):
        run("show", str(path))


@pytest.mark.parametrize("name", CHIPS)
def test_a_copied_chip_is_the_same_with_its_comments(name: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    run("copy", name, str(path))
    assert path.read_text(encoding="utf-8").startswith("#")
    assert shown(str(path)) == shown(name)


def test_a_copy_overwrites_nothing_and_is_a_chip_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("precious", encoding="utf-8")
    with pytest.raises(UserError, match=r"mine\.toml must not exist yet, but it does"):
        run("copy", "generic", str(path))
    assert path.read_text(encoding="utf-8") == "precious"
    with pytest.raises(UserError, match=r"must end in \.toml, but got .*mine\.txt"):
        run("copy", "generic", str(tmp_path / "mine.txt"))
