"""From label folders to fitted and judged surrogates, on the command line too."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from analognas import surrogate_adapting, surrogate_fitting
from analognas.benchmarks import surrogate_report
from analognas.cli.surrogate import surrogate_app
from analognas.errors import UserError
from analognas.hardware_variants import HardwareVariant
from analognas.simulator import HERMES_DEFAULT, PCM_2019
from analognas.surrogate_features import TILE_COLUMNS
from analognas.surrogate_fitting import (
    column_groups,
    fit_surrogate,
    judge_surrogates,
    label_features,
    nominal_hardware,
    read_labels,
)
from analognas.surrogates import (
    NOMINAL,
    SURROGATES,
    LabelTable,
    TreeSettings,
    XGBoostSurrogate,
    evaluation,
    read_surrogate,
)
from analognas.surrogates.boosting import BoostingSettings

MakeLabels = Callable[..., LabelTable]
TIMES_S = (1.0, 86_400.0)


SMALL = partial(
    XGBoostSurrogate,
    TreeSettings(mean=BoostingSettings(trees=30), calibration_folds=2, calibration_rows=200),
)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer trees, fewer fits."""
    monkeypatch.setitem(cast("dict[str, object]", SURROGATES), "xgboost", SMALL)
    monkeypatch.setattr(evaluation, "LEARNING_COUNTS", (12,))
    monkeypatch.setattr(evaluation, "uncalibrated", SMALL)
    monkeypatch.setattr(surrogate_adapting, "uncalibrated", SMALL)
    monkeypatch.setattr(surrogate_report, "MANY_ROWS", 2_000)
    monkeypatch.setattr(
        surrogate_fitting, "column_groups", lambda features: {"tiles": [*TILE_COLUMNS]}
    )


@pytest.fixture(scope="module")
def folder(nominal_labels: LabelTable, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("labels")
    nominal_labels.write(path)
    return path


@pytest.fixture(scope="module")
def unreplicated(
    make_surrogate_labels: MakeLabels, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Without a noise ceiling, which takes time."""
    path = tmp_path_factory.mktemp("unreplicated")
    make_surrogate_labels(replicated=0).write(path)
    return path


@pytest.fixture(scope="module")
def varied_folder(
    make_surrogate_labels: MakeLabels, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("varied")
    make_surrogate_labels(25, variants=1).write(path)
    return path


def test_features_are_found_from_the_architectures_alone(nominal_labels: LabelTable) -> None:
    features, targets = label_features(nominal_labels), nominal_labels.targets()
    assert len(features) == len(targets)
    unique = nominal_labels.networks.drop_duplicates("key").set_index("key")
    parameters = unique["parameters"][targets["key"]].to_numpy()
    np.testing.assert_allclose(10 ** features["log10_parameters"], parameters)
    np.testing.assert_allclose(10 ** features["log10_t_s"], targets["t_s"])


def test_every_row_has_the_hardware_and_tiles_of_its_variant(varied_labels: LabelTable) -> None:
    features, targets = label_features(varied_labels), varied_labels.targets()
    assert varied_labels.hardware is not None
    by_id = {
        str(row["variant"]): HardwareVariant.from_dict({str(k): v for k, v in row.items()})
        for row in varied_labels.hardware.to_dict("records")
    } | {NOMINAL: HardwareVariant(HERMES_DEFAULT)}
    for name in set(targets["variant"]):
        rows = features[(targets["variant"] == name).to_numpy()]
        hardware = by_id[name].hardware
        assert set(rows["hardware_adc_bits"]) == {float(hardware.converters.adc_bits or 16)}
        assert set(rows["hardware_log2_tile_rows"]) == {np.log2(hardware.tile.rows)}
        assert set(rows["hardware_recalibrated"]) == {float(by_id[name].recalibrated)}
    tiles = features.groupby(targets["key"].to_numpy())["tiles"].nunique()
    assert tiles.max() > 1
    assert set(column_groups(features)) >= {"settings of the hardware", "architecture", "tiles"}


def test_a_network_under_a_foreign_key_is_refused(nominal_labels: LabelTable) -> None:
    renamed = {nominal_labels.networks["key"][0]: "0" * 12}
    foreign = LabelTable(
        nominal_labels.labels.replace(renamed), nominal_labels.networks.replace(renamed)
    )
    with pytest.raises(UserError, match="hash of its architecture"):
        label_features(foreign)


def test_parameter_counts_of_other_networks_are_refused(nominal_labels: LabelTable) -> None:
    networks = nominal_labels.networks
    wrong = LabelTable(
        nominal_labels.labels, networks.assign(parameters=networks["parameters"] + 1)
    )
    with pytest.raises(UserError, match="parameter counts"):
        label_features(wrong)


def test_hardware_that_is_no_preset_has_to_be_given(make_surrogate_labels: MakeLabels) -> None:
    own = replace(HERMES_DEFAULT, name="own", weight_read_noise=0.02)
    table = make_surrogate_labels(8, hardware=own)
    with pytest.raises(UserError, match="--hardware"):
        nominal_hardware(table)
    features = label_features(table, own)
    assert set(features["hardware_read_noise"]) == {0.02}
    with pytest.raises(UserError, match="must be that of the labels"):
        label_features(table, PCM_2019)


def test_an_unknown_label_set_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="comes with the package"):
        read_labels(str(tmp_path / "nothing"))


def test_too_few_networks_are_refused(nominal_labels: LabelTable) -> None:
    networks = nominal_labels.networks
    first = networks["key"][0]
    labels = nominal_labels.labels
    one = LabelTable(labels[labels["key"] == first], networks[networks["key"] == first])
    with pytest.raises(UserError, match="Label more networks"):
        fit_surrogate(one)


def test_fit_writes_a_model_that_says_what_it_was_fitted_on(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "model.json"
    arguments = ["fit", "--labels", str(folder), "--out", str(out)]
    result = CliRunner().invoke(surrogate_app, arguments)
    assert result.exit_code == 0, result.output
    for word in ("digits", "sklearn-digits", "random", HERMES_DEFAULT.hash, "one hardware"):
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
    table = CliRunner().invoke(surrogate_app, ["evaluate", "--labels", str(folder)])
    assert table.exit_code == 0, table.output
    for word in (
        *("digits", "sklearn-digits", "random", HERMES_DEFAULT.hash, "1 day"),
        *("xgboost", "parameter-count", "mean", "noise ceiling"),
        *("Kendall", "Spearman", "top quarter", "regret", "RMSE", "coverage", "recall"),
    ):
        assert word in table.output
    assert "1 hour" not in table.output


def test_evaluate_as_json_gives_one_object_per_score(unreplicated: Path) -> None:
    arguments = ["evaluate", "--labels", str(unreplicated), "--json"]
    result = CliRunner().invoke(surrogate_app, arguments)
    rows = json.loads(result.stdout)
    assert {row["surrogate"] for row in rows} == {"xgboost", "parameter-count", "mean"}
    assert {row["t_s"] for row in rows} == {*TIMES_S, None}
    assert {row["hardware_hash"] for row in rows} == {HERMES_DEFAULT.hash}
    constant = [
        row
        for row in rows
        if (row["surrogate"], row["quantity"]) == ("mean", "Kendall tau-b")
        and row["split"] == "unseen networks"
    ]
    assert [row["value"] for row in constant] == [None, None]


def test_predictions_are_kept_and_not_mixed_with_others(
    unreplicated: Path, varied_labels: LabelTable, tmp_path: Path
) -> None:
    table = LabelTable.read(unreplicated)
    first = judge_surrogates(table, folder=tmp_path)
    files = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.parquet")}
    assert len(files) == 3 * 6  # five folds and the largest networks for three surrogates
    again = judge_surrogates(table, folder=tmp_path)
    assert files == {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.parquet")}
    pd.testing.assert_frame_equal(first.scores, again.scores)
    with pytest.raises(UserError, match="of other labels"):
        judge_surrogates(varied_labels, folder=tmp_path)


def test_the_page_has_verdicts_regions_curve_and_adaptation(
    varied_folder: Path, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "surrogate.md"
    result = CliRunner().invoke(
        surrogate_app,
        [
            *("evaluate", "--labels", str(varied_folder), "--report", str(out)),
            *("--adapt-to", str(folder)),
        ],
    )
    assert result.exit_code == 0, result.output
    page = out.read_text()
    for word in (
        *("Made by `analognas", "the aim of", "of the noise ceiling", "## Regions"),
        *("ADC of at most 5 bits", "Largest fifth", "## Learning curve", "(surrogate.png)"),
        *("## Without a group of features", "all columns", "## Adaptation", "fitted anew"),
        *("not adapted", "predictions a second", "## What if", "(surrogate_what_if.png)"),
    ):
        assert word in page
    content = json.loads(out.with_suffix(".json").read_text())
    assert {row["split"] for row in content["scores"]} >= {"unseen networks", "largest networks"}
    assert {row["networks"] for row in next(iter(content["adaptation"].values()))} == {10}
    assert content["learning"]
    assert content["ablation"]
    assert content["speed"]["many_rows"] == 2_000
    assert content["what_if"]["changes"] > 0
    for name in ("surrogate.png", "surrogate_what_if.png"):
        assert (tmp_path / name).stat().st_size > 10_000


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--report", "page.md"], "one label set"),
        (["--labels", "digits-8x8", "--adapt-to", "kws-arabic"], "--report"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: list[str], words: str) -> None:
    result = CliRunner().invoke(surrogate_app, ["evaluate", *options])
    assert isinstance(result.exception, UserError)
    assert words in str(result.exception)


def test_adapt_writes_a_surrogate_for_another_device(
    folder: Path, make_surrogate_labels: MakeLabels, tmp_path: Path
) -> None:
    model, out = tmp_path / "model.json", tmp_path / "adapted.json"
    arguments = ["fit", "--labels", str(folder), "--out", str(model)]
    assert CliRunner().invoke(surrogate_app, arguments).exit_code == 0
    new = make_surrogate_labels(10, seed=3, replicated=0, hardware=PCM_2019, worse=0.2)
    new.write(tmp_path / "new")
    arguments = ["adapt", "--model", str(model), "--labels", str(tmp_path / "new")]
    result = CliRunner().invoke(surrogate_app, [*arguments, "--out", str(out)])
    assert result.exit_code == 0, result.output
    for word in ("Adapted to", PCM_2019.hash, "points without the correction"):
        assert word in result.output
    adapted = read_surrogate(out.read_text())
    assert adapted.description == new.description()
    features, targets = label_features(new), new.targets()
    base = read_surrogate(model.read_text())
    errors = [
        np.abs(one.predict(features).mean - targets["mean"]).mean() for one in (base, adapted)
    ]
    assert errors[1] < 0.4 * errors[0]
    again = CliRunner().invoke(
        surrogate_app,
        ["adapt", "--model", str(out), "--labels", str(folder), "--out", str(tmp_path / "x.json")],
    )
    assert isinstance(again.exception, UserError)
    assert "Adapt the one that it was made from" in str(again.exception)
