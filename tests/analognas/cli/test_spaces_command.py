import json

import pytest
import typer
from typer.testing import CliRunner

from analognas.cli.spaces import spaces
from analognas.errors import UserError

app = typer.Typer()
app.command()(spaces)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_all_spaces_are_listed_with_exact_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    spaces()
    output = capsys.readouterr().out
    for known in ("conv", "resnet", "tinyml", "ds-cnn", "analognet-like", "resnet-small"):
        assert known in output
    assert "networks, exactly" in output


def test_the_list_is_also_json() -> None:
    listed = {space["space"]: space for space in json.loads(run("--json"))}
    assert list(listed) == ["conv", "resnet", "tinyml"]
    assert listed["tinyml"]["networks"] == (
        listed["conv"]["networks"] + listed["resnet"]["networks"]
    )
    named = {network["name"]: network for network in listed["tinyml"]["named"]}
    assert named["ds-cnn"]["parameters"] == 64 * 40 + 4 * 64 * (9 + 64) + 650 + 9 * 128


def test_one_space_shows_its_genes(capsys: pytest.CaptureFixture[str]) -> None:
    spaces("conv", task="digits")
    output = capsys.readouterr().out
    assert "kernel_1 ... kernel_8" in output
    assert "10x4" not in output  # larger than the 8x8 images
    assert json.loads(run("conv", "--task", "digits", "--json"))["input"] == [1, 8, 8]


def test_an_unknown_space_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"Unknown search space 'vit'.*conv, resnet, tinyml"):
        spaces("vit")


def test_an_unknown_task_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"Unknown task 'chess'.*digits, imu, kws"):
        spaces(task="chess")
