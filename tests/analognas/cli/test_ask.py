"""`analognas ask` as a user calls it."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from analognas.cli.app import build_app
from analognas.search_spaces import make_space
from analognas.surrogate_fitting import fit_surrogate
from analognas.surrogates import LabelTable

RUNNER = CliRunner()


@pytest.fixture(scope="module")
def varied(varied_labels: LabelTable, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A surrogate that has learned from variants of the hardware."""
    path = tmp_path_factory.mktemp("surrogate") / "varied.json"
    path.write_text(fit_surrogate(varied_labels).to_json())
    return str(path)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small trained network."""
    folder = tmp_path_factory.mktemp("network")
    space = make_space("tinyml", input_shape=(1, 8, 8), n_classes=10)
    codes = dict(space.codes(space.named["analognet-like"]))
    codes |= {"conv.stages": 2, "conv.width_1": 8, "conv.width_2": 8}
    arch = space.decode(codes)
    assert arch is not None
    (folder / "arch.json").write_text(json.dumps(arch.to_dict()))
    out = folder / "bundle"
    arguments = ["--task", "digits", "--epochs", "1", "--chips", "2", "--out", str(out)]
    result = RUNNER.invoke(build_app(), ["evaluate", str(folder / "arch.json"), *arguments])
    assert result.exit_code == 0, result.output
    return out


def ask(*arguments: str) -> Any:
    result = RUNNER.invoke(build_app(), ["ask", *arguments, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refused(*arguments: str) -> str:
    result = RUNNER.invoke(build_app(), ["ask", *arguments])
    assert result.exit_code == 2, result.output
    return " ".join(result.stderr.split())


def test_fewer_bits_are_predicted_to_be_worse(varied: str) -> None:
    content = ask("ds-cnn", "adc bits 5", "adc bits 2", "--task", "digits", "--surrogate", varied)
    nominal, five, two = content["answers"]
    assert nominal["question"] == "as it is"
    assert {answer["kind"] for answer in content["answers"]} == {"predicted"}
    assert [at["t_s"] for at in nominal["at"]] == [at["t_s"] for at in five["at"]]
    for before, after in zip(nominal["at"], five["at"], strict=True):
        assert before["mean"] - after["mean"] > 0.03  # the law of the labels: 0.12
        assert after["lower"] <= after["mean"] <= after["upper"]
        assert after["low"] <= after["mean"]
    assert (nominal["within_labels"], two["within_labels"]) == (True, False)
    assert "adc_bits is 2" in two["beyond"]


def test_a_table_shows_changes_and_who_knows_nothing_of_them() -> None:
    arguments = ["ask", "ds-cnn", "drift x2 at 1 day", "adc bits 6 at 1 month"]
    result = RUNNER.invoke(build_app(), [*arguments, "--task", "digits"])
    assert result.exit_code == 0, result.output
    assert "all labels are of hermes alone" in result.stdout
    assert "1 day" in result.stdout
    assert "1 month" in result.stdout
    assert "1 year" not in result.stdout
    assert "band" in result.stdout


def test_stored_weights_are_simulated_beside_the_prediction(bundle: Path, varied: str) -> None:
    content = ask(
        str(bundle),
        "bits 3 at 1 day",
        "compensation adabs at 1 day",
        *("--simulate", "--chips", "2", "--inputs", "100", "--surrogate", varied),
    )
    answers = {(one["question"], one["kind"]): one for one in content["answers"]}
    assert len(answers) == 6
    (nominal,) = answers["as it is", "simulated"]["at"]
    (coarse,) = answers["bits 3 at 1 day", "simulated"]["at"]
    assert coarse["mean"] < nominal["mean"]
    assert nominal["sd"] is not None
    assert nominal["lower"] is None
    assert answers["compensation adabs at 1 day", "simulated"]["recalibrated"]
    assert content["simulated_with"] == "its trained weights"


def test_a_network_without_weights_is_trained_first(bundle: Path) -> None:
    arch = bundle / "architecture.json"
    content = ask(
        str(arch),
        "--task",
        "digits",
        "--simulate",
        "--epochs",
        "1",
        "--chips",
        "1",
        "--inputs",
        "50",
    )
    assert [answer["kind"] for answer in content["answers"]] == ["predicted", "simulated"]
    assert content["simulated_with"].startswith("weights trained for 1 epoch on hermes")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ds-cnn", "acd bits 5"], "What can be said"),
        (["nothing", "adc bits 5"], "no network of that name"),
        (["adc bits 5"], "The first argument must be a network"),
        (["ds-cnn", "drift x2 at 20 years"], "Times must lie between"),
        (["ds-cnn", "drift x2", "--pick", "knee"], "not the folder of a run"),
        (["ds-cnn", "drift x2", "--surrogate", "none.json"], "no surrogate 'none.json'"),
        (["ds-cnn", "drift x2", "--task", "imu"], "No surrogate is fitted for the task 'imu'"),
        (["ds-cnn", "drift x2", "--hardware", "nix"], "Unknown hardware 'nix'"),
    ],
)
def test_bad_questions_are_answered_with_the_remedy(arguments: list[str], message: str) -> None:
    assert message in refused(*["--task", "digits"], *arguments)


def test_a_folder_says_itself_what_it_is_about(bundle: Path, tmp_path: Path) -> None:
    assert "Leave it out" in refused(str(bundle), "drift x2", "--task", "kws")
    assert "neither the folder of a run" in refused(str(tmp_path), "drift x2")


def test_the_help_names_everything_that_can_be_changed() -> None:
    from analognas.asking.quantities import QUANTITIES
    from analognas.cli.ask import ask as command

    text = " ".join((command.__doc__ or "").split())
    assert not [quantity.name for quantity in QUANTITIES if quantity.name not in text]
