import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from analognas.cli.chips import chips
from analognas.errors import UserError

app = typer.Typer()
app.command()(chips)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_without_a_name_the_known_chips_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    chips()
    output = capsys.readouterr().out
    assert "hermes" in output
    assert "4-phase" in output


def test_the_list_is_also_json() -> None:
    (chip,) = json.loads(run("--json"))
    assert chip["chip"] == "hermes"
    assert (chip["cores"], chip["rows"], chip["columns"]) == (64, 256, 256)


def test_a_chip_is_shown_with_the_provenance_of_every_figure() -> None:
    figures = json.loads(run("hermes", "--json"))
    found = {(f["part"], f["quantity"], f["provenance"]): f["value"] for f in figures}
    assert found["1-phase", "peak throughput", "published"] == 63.1
    assert found["4-phase", "energy efficiency", "derived"] == pytest.approx(2.48, rel=0.01)
    assert found["1-phase", "throughput density", "second-hand"] == 1.55


def test_a_shown_chip_says_what_its_energy_covers(capsys: pytest.CaptureFixture[str]) -> None:
    chips("hermes")
    output = " ".join(capsys.readouterr().out.split())
    assert "crossbar array, ADC and PWM input only" in output
    assert "second-hand" in output


def test_an_unknown_chip_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"Unknown chip 'hermse'.*hermes"):
        chips("hermse")


def test_a_chip_file_with_a_misspelt_key_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('nmae = "mine"\n', encoding="utf-8")
    with pytest.raises(UserError, match=r"nmae: unknown key\. Did you mean 'name'"):
        chips(str(path))
