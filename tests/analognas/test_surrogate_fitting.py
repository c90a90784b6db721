"""From label folders to fitted and judged surrogates, on the command line too."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from analognas.cli.surrogate import surrogate_app
from analognas.errors import UserError
from analognas.limits import make_fits
from analognas.search_spaces import make_space
from analognas.simulator.chip import load_chip
from analognas.surrogate_fitting import fit_surrogate, label_features, read_labels
from analognas.surrogates import LabelTable, read_surrogate
from analognas.tasks import Limits

CHIP = load_chip("hermes")
TIMES_S = (1.0, 86_400.0)


@pytest.fixture(scope="module")
def table() -> LabelTable:
    """Real architectures with made-up accuracies: wider is better."""
    space = make_space("tinyml", input_shape=(1, 8, 8), n_classes=10)
    fits = make_fits(space, Limits(64, 300_000, 12_000_000), CHIP)
    rng = np.random.default_rng(0)
    archs = {(arch := space.sample(rng, fits)).key: arch for _ in range(24)}
    labels, networks = [], []
    for index, (key, arch) in enumerate(archs.items()):
        for seed in range(3 if index < 5 else 1):
            mean = 0.15 * np.log10(space.parameters(arch)) + 0.02 * rng.standard_normal()
            networks.append(
                {
                    "key": key,
                    "seed": seed,
                    "architecture": json.dumps(arch.to_dict()),
                    "parameters": space.parameters(arch),
                    "multiplications": space.multiplications(arch),
                    "recipe": "{}",
                    "hardware": "hermes-default",
                    "hardware_hash": "0123456789ab",
                    "simulator_version": "1",
                    "task": "digits",
                    "data_name": "sklearn-digits",
                    "data_key": "fedcba",
                    "split": "random",
                    "part": "validation",
                    "cores": 4,
                    "chips": 2,
                    **dict.fromkeys(("digital_accuracy", "energy_nJ", "latency_us"), 0.9),
                    **dict.fromkeys(("training_seconds", "evaluation_seconds"), 1.0),
                }
            )
            labels += [
                {
                    "key": key,
                    "seed": seed,
                    "chip": chip,
                    "t_s": t_s,
                    "accuracy": mean - 0.01 * chip,
                    "clips": 100,
                    "sampling_sd": 0.01,
                }
                for chip in range(2)
                for t_s in TIMES_S
            ]
    return LabelTable(pd.DataFrame(labels), pd.DataFrame(networks), card="# Made up\n")


@pytest.fixture(scope="module")
def folder(table: LabelTable, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("labels")
    table.write(path)
    return path


def test_features_are_found_from_the_architectures_alone(table: LabelTable) -> None:
    features = label_features(table, CHIP)
    assert set(features.index) == set(table.networks["key"])
    parameters = table.networks.drop_duplicates("key").set_index("key")["parameters"]
    np.testing.assert_allclose(10 ** features["log10_parameters"], parameters[features.index])


def test_a_network_under_a_foreign_key_is_refused(table: LabelTable) -> None:
    renamed = {table.networks["key"][0]: "0" * 12}
    foreign = LabelTable(table.labels.replace(renamed), table.networks.replace(renamed))
    with pytest.raises(UserError, match="hash of its architecture"):
        label_features(foreign, CHIP)


def test_parameter_counts_of_other_networks_are_refused(table: LabelTable) -> None:
    wrong = LabelTable(
        table.labels, table.networks.assign(parameters=table.networks["parameters"] + 1)
    )
    with pytest.raises(UserError, match="parameter counts"):
        label_features(wrong, CHIP)


def test_an_unknown_label_set_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="comes with the package"):
        read_labels(str(tmp_path / "nothing"))


def test_too_few_networks_are_refused(table: LabelTable) -> None:
    first = table.networks["key"][0]
    one = LabelTable(
        table.labels[table.labels["key"] == first], table.networks[table.networks["key"] == first]
    )
    with pytest.raises(UserError, match="Label more networks"):
        fit_surrogate(one, CHIP)


def test_fit_writes_a_model_that_says_what_it_was_fitted_on(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "model.json"
    arguments = ["fit", "--labels", str(folder), "--out", str(out)]
    result = CliRunner().invoke(surrogate_app, arguments)
    assert result.exit_code == 0, result.output
    for word in ("digits", "sklearn-digits", "random", "0123456789ab"):
        assert word in result.output
    model = read_surrogate(out.read_text())
    assert model.description == LabelTable.read(folder).description()
    again = CliRunner().invoke(surrogate_app, arguments)
    assert isinstance(again.exception, UserError)
    assert "--force" in str(again.exception)
    before = out.read_bytes()
    assert CliRunner().invoke(surrogate_app, [*arguments, "--force"]).exit_code == 0
    assert out.read_bytes() == before


def test_evaluate_prints_every_score_beside_baselines_and_ceiling(folder: Path) -> None:
    arguments = ["evaluate", "--labels", str(folder)]
    table = CliRunner().invoke(surrogate_app, arguments)
    assert table.exit_code == 0, table.output
    for word in (
        *("digits", "sklearn-digits", "random", "0123456789ab", "1 day"),
        *("xgboost", "parameter-count", "mean", "noise ceiling"),
        *("Kendall", "Spearman", "top quarter", "regret", "RMSE", "coverage"),
    ):
        assert word in table.output
    assert "1 s" not in table.stdout.split("accuracy after")[1].split("Predicted")[0]


def test_evaluate_as_json_gives_one_object_per_score(folder: Path) -> None:
    result = CliRunner().invoke(surrogate_app, ["evaluate", "--labels", str(folder), "--json"])
    rows = json.loads(result.stdout)
    assert {row["surrogate"] for row in rows} == {"xgboost", "parameter-count", "mean"}
    assert {row["t_s"] for row in rows} == {*TIMES_S, None}
    assert {row["hardware_hash"] for row in rows} == {"0123456789ab"}
    constant = [r for r in rows if r["surrogate"] == "mean" and r["quantity"] == "Kendall tau-b"]
    assert [row["value"] for row in constant] == [None, None]
