"""Tests of the label set that a run ends with."""

import json
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from analognas.errors import UserError
from analognas.labelling import Job, open_folder, read_folder
from analognas.labelling.table import write_label_set
from analognas.surrogates.label_table import LabelTable

Settings = dict[str, Any]


@pytest.fixture
def finished(
    tmp_path: Path, settings: Settings, jobs: tuple[Job, ...], fakes: ModuleType
) -> LabelTable:
    with open_folder(tmp_path, settings, lambda: jobs) as folder:
        for job in jobs:
            folder.record_done(job, fakes.make_evaluation(job), None)
        return LabelTable.read(write_label_set(folder))


def test_every_chip_at_every_time_is_a_row(finished: LabelTable, jobs: tuple[Job, ...]) -> None:
    assert len(finished.labels) == len(jobs) * 5 * 3
    assert len(finished.networks) == len(jobs)


def test_accuracies_stay_with_their_chip_and_time(
    finished: LabelTable, jobs: tuple[Job, ...], fakes: ModuleType
) -> None:
    analog = fakes.make_evaluation(jobs[0]).analog
    rows = finished.labels.set_index(["key", "seed", "chip", "t_s"])["accuracy"]
    for t_s, accuracies in zip(analog.times_s, analog.accuracy, strict=True):
        for chip, accuracy in enumerate(accuracies):
            assert rows[jobs[0].key, jobs[0].seed, chip, t_s] == accuracy


def test_architecture_and_recipe_are_json(finished: LabelTable) -> None:
    row = finished.networks.iloc[0]
    assert "index" in json.loads(row["architecture"])
    assert json.loads(row["recipe"]) == {"epochs": 3}


def test_the_card_says_how_the_labels_were_made(finished: LabelTable) -> None:
    for told in (
        "handwritten digits",
        "`sklearn-digits`",
        "**validation** part",
        "6 networks",
        "2 of them trained under 3 seeds",
        "3 simulated chips",
        "1 s, 1 hour, 1 day, 1 month, 1 year",
        "mean - 1.645 sd",
        "`hhhhhhhhhhhh`",
        "20 s in total, 2.0 s per label",
        "analognas label --task digits",
    ):
        assert told in finished.card


def test_an_unfinished_run_says_what_is_missing(
    tmp_path: Path, settings: Settings, jobs: tuple[Job, ...], fakes: ModuleType
) -> None:
    with open_folder(tmp_path, settings, lambda: jobs) as folder:
        with pytest.raises(UserError, match="no finished label"):
            write_label_set(folder)
        for job in jobs[:4]:
            folder.record_done(job, fakes.make_evaluation(job), None)
    table = LabelTable.read(write_label_set(read_folder(tmp_path)))
    assert "6 of 10 planned trainings are missing" in table.card


def test_variants_and_states_on_the_way_are_tables_of_their_own(
    tmp_path: Path, settings: Settings, jobs: tuple[Job, ...], fakes: ModuleType
) -> None:
    with open_folder(tmp_path, settings, lambda: jobs) as folder:
        for job in jobs:
            folder.record_done(job, fakes.make_evaluation(job), None, fakes.make_further(job))
    table = LabelTable.read(write_label_set(read_folder(tmp_path)))
    assert table.variants is not None
    assert table.curves is not None
    assert table.hardware is not None
    rows = table.variants.groupby(["key", "seed"])["variant"].unique()
    for job in jobs:
        assert sorted(rows[job.key, job.seed]) == [f"variant{p}" for p in sorted(job.variants)]
    assert (table.variants["clips"] == 50).all()
    expected = np.sqrt((6 / 52) * (46 / 52) / 50)  # 5 right answers of 50
    low = table.variants.query("seed == 0 and chip == 1")
    np.testing.assert_allclose(low["sampling_sd"], np.sqrt((3.5 / 52) * (48.5 / 52) / 50))
    np.testing.assert_allclose(
        table.variants.query("seed == 0 and chip == 0")["sampling_sd"], expected
    )
    assert set(table.curves["fidelity"]) == {1 / 3}
    assert set(table.curves["training_seconds"]) == {0.7}
    assert len(table.hardware) == 8
    assert "`variants.parquet`" in table.card


def test_variants_are_dealt_equally_often(jobs: tuple[Job, ...]) -> None:
    first = {job.key: job.variants for job in jobs}
    assert all(job.variants == first[job.key] for job in jobs)  # whatever the seed of the training
    assert all(len(set(places)) == 2 for places in first.values())
    met = Counter(place for places in first.values() for place in places)
    assert set(met) == set(range(8))
    assert max(met.values()) - min(met.values()) <= 1
