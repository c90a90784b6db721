import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest
from safetensors.numpy import load_file

from analognas.deployment import (
    Deployment,
    NamedNetwork,
    deploy_winners,
    named_baselines,
    read_bundles,
)
from analognas.deployment import bundle as files
from analognas.deployment.network import write_checked_onnx
from analognas.reporting.shown import network_entries, shown_networks
from analognas.simulator.chip import Placement, cost_scope, load_chip


def test_every_network_gets_a_bundle_that_reads_back(
    tmp_path: Path, setting: Deployment, picks: list[NamedNetwork]
) -> None:
    folders = deploy_winners(tmp_path, setting, picks, workers=1)
    assert [folder.name for folder in folders] == [
        f"{pick.name}-{pick.architecture.key}" for pick in picks
    ]
    for folder in folders:
        assert {entry.name for entry in folder.iterdir()} == set(files.FILES)
    first, second = read_bundles(tmp_path / "winners")
    assert (first.title, second.title) == ("accuracy pick", "knee/energy pick")
    said = first.origin.predicted_at(86_400.0)
    assert said is not None
    assert (said.mean, said.lower, said.upper) == (0.9, 0.85, 0.95)


def test_the_tables_of_a_bundle_agree_with_its_evaluation(
    tmp_path: Path, setting: Deployment, picks: list[NamedNetwork]
) -> None:
    (folder,) = deploy_winners(tmp_path, setting, picks[:1])
    evaluation = read_bundles(tmp_path / "winners")[0].evaluation
    with (folder / files.ACCURACY).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["time"] for row in rows] == ["1 s", "1 hour", "1 day", "1 month", "1 year"]
    assert [float(row["mean"]) for row in rows] == list(evaluation.analog.mean())
    assert float(rows[2]["chip_3"]) == evaluation.analog.accuracy[2][3]
    assert "low (mean - 1.645 sd)" in rows[0]
    with (folder / files.COST).open(newline="") as stream:
        *layers, total = csv.DictReader(stream)
    assert total["layer"] == "total"
    assert sum(float(row["energy_nJ"]) for row in layers) == pytest.approx(
        float(total["energy_nJ"])
    )
    assert float(total["energy_nJ"]) == evaluation.cost.energy_nJ
    assert "digital units, links, buffers" in total["scope"]
    weights = load_file(folder / files.WEIGHTS)
    assert {str(value.dtype) for value in weights.values()} == {"float32", "int64"}


def test_what_is_finished_is_not_done_again(
    tmp_path: Path, setting: Deployment, picks: list[NamedNetwork], methods: Any
) -> None:
    folders = deploy_winners(tmp_path, setting, picks[:1])
    leftover = tmp_path / "winners" / ".knee-abc.123.unfinished"
    leftover.mkdir()
    told: list[tuple[int, int]] = []
    deploy_winners(
        tmp_path,
        setting,
        picks,
        workers=1,
        progress=lambda done, total, _: told.append((done, total)),
    )
    assert [pick.architecture.key for pick in picks] == methods.TRAINED
    assert not leftover.exists()
    assert told[0][0] >= 100
    assert told == sorted(told)
    assert told[-1] == (200, 200)
    (folders[0] / files.EVALUATION).write_text("{")
    deploy_winners(tmp_path, setting, picks, workers=1)
    assert methods.TRAINED[2:] == [picks[0].architecture.key]
    deploy_winners(tmp_path, replace(setting, chips=5), picks[1:])
    assert methods.TRAINED[3:] == [picks[1].architecture.key]


def test_a_network_that_is_picked_and_a_baseline_is_trained_once(
    tmp_path: Path, setting: Deployment, picks: list[NamedNetwork], methods: Any
) -> None:
    same = NamedNetwork("ds-cnn", picks[0].architecture)
    folders = deploy_winners(tmp_path, setting, picks[:1], baselines=[same])
    assert len(folders) == len(methods.TRAINED) == 1
    assert not read_bundles(tmp_path / "winners")[0].origin.baseline


def test_a_failure_leaves_no_half_bundle(
    tmp_path: Path, setting: Deployment, picks: list[NamedNetwork], methods: Any
) -> None:
    in_vain = replace(setting.methods, train=methods.train_in_vain)
    with pytest.raises(RuntimeError, match="no training of"):
        deploy_winners(tmp_path, replace(setting, methods=in_vain), picks, workers=1)
    full = replace(setting.methods, write_onnx=methods.write_onnx_on_a_full_disk)
    with pytest.raises(OSError, match="No space"):
        deploy_winners(tmp_path, replace(setting, methods=full), picks, workers=1)
    assert list((tmp_path / "winners").iterdir()) == []


def test_the_onnx_file_of_a_bundle_is_checked_on_inputs_of_the_test_part(
    tmp_path: Path, setting: Deployment, picks: list[NamedNetwork]
) -> None:
    real = replace(setting, methods=replace(setting.methods, write_onnx=write_checked_onnx))
    (folder,) = deploy_winners(tmp_path, real, picks[:1])
    properties = onnx.load(folder / files.NETWORK).metadata_props
    said = {entry.key: entry.value for entry in properties}
    assert said["key"] == picks[0].architecture.key
    assert said["classes"] == "a,b,c"
    assert said["task"] == "invented images"


@pytest.mark.slow
def test_results_do_not_depend_on_the_number_of_workers(
    tmp_path: Path, setting: Deployment, picks: list[NamedNetwork]
) -> None:
    told: list[tuple[int, int]] = []
    alone = deploy_winners(tmp_path / "alone", setting, picks, workers=1)
    shared = deploy_winners(
        tmp_path / "shared",
        setting,
        picks,
        workers=2,
        progress=lambda done, total, _: told.append((done, total)),
    )
    for first, second in zip(alone, shared, strict=True):
        assert first.name == second.name
        for name in files.FILES:
            assert (first / name).read_bytes() == (second / name).read_bytes(), name
    assert told[-1] == (200, 200)


def test_a_chip_that_charges_digital_steps_has_a_row_for_them(
    tmp_path: Path, setting: Deployment, picks: list[NamedNetwork]
) -> None:
    chip = load_chip("generic")
    (folder,) = deploy_winners(tmp_path, replace(setting, chip=chip), picks[:1])
    (bundle,) = read_bundles(tmp_path / "winners")
    *layers, steps, total = bundle.layers
    assert (steps["layer"], total["layer"]) == (files.DIGITAL, files.TOTAL)
    for column in ("energy_nJ", "latency_us"):
        parts = sum(float(row[column]) for row in (*layers, steps))
        assert parts == pytest.approx(float(total[column]))
    assert float(steps["energy_nJ"]) > 0
    assert bundle.scope == cost_scope(chip)
    readme = (folder / files.README).read_text()
    assert bundle.scope in readme
    assert Placement.from_dict(bundle.placement).summary() in readme
    (entry,) = network_entries([bundle], shown_networks([bundle]))
    assert entry["digital_steps"]["latency_us"] == f"{float(steps['latency_us']):.2f}"
    assert (entry["square"], entry["shared"], entry["replicated"]) == (True, True, False)


def test_the_named_networks_of_the_space_are_baselines(setting: Deployment) -> None:
    baselines = named_baselines(setting)
    assert {"ds-cnn", "analognet-like", "resnet-small"} <= {pick.name for pick in baselines}
    assert all(pick.predicted == {} for pick in baselines)


def test_an_evaluation_names_its_part(
    tmp_path: Path, setting: Deployment, picks: list[NamedNetwork]
) -> None:
    (folder,) = deploy_winners(tmp_path, setting, picks[:1])
    content = json.loads((folder / files.EVALUATION).read_text())
    assert content["part"] == "test"
    assert "Accuracy on the test part, 4 simulated chips" in (folder / files.README).read_text()
