"""Service life, yield and optimism of winners: on the terminal, as JSON and on the page."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from analognas.cli.report import report
from analognas.deployment.bundle import FoundAccuracy, read_bundles
from analognas.records import ONE_DAY_S
from analognas.reporting import write_report
from analognas.reporting.tables import (
    accuracy_records,
    network_records,
    optimism_of_winners,
    optimism_sentences,
    terminal_formats,
)
from analognas.reporting.wording import duration
from analognas.searching.run_directory import RunDirectory

DAY_S, YEAR_S = 86_400.0, 31_536_000.0


@pytest.fixture
def demanding(run_folder: Path, tmp_path: Path) -> Path:
    """A run with an accuracy that is enough for some of its networks only."""
    path = tmp_path / "run"
    shutil.copytree(run_folder, path)
    run = RunDirectory(path)
    run.config_path.write_text(replace(run.config(), min_accuracy=0.91).to_json())
    return path


def test_winners_say_how_long_they_are_good_enough(
    demanding: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report(demanding, json=True)
    rows = {row["network"]: row for row in json.loads(capsys.readouterr().out)}
    best, worst = rows["accuracy pick"], rows["energy pick"]
    assert best["accuracy that is enough"] == 0.91
    assert best["service life (simulated), mean"] == "1 year or more"
    assert best["service life (simulated), mean, s"] == YEAR_S
    assert worst["service life (simulated), mean, s"] < YEAR_S
    low = worst["service life (simulated), mean - 1.645 sd, s"]
    assert low <= worst["service life (simulated), mean, s"]
    assert best["yield (simulated), 1 day"] > worst["yield (simulated), 1 day"]
    report(demanding, json=False)
    table = capsys.readouterr().out
    assert "service life (simulated), mean " in table
    assert "1 year or more" in table
    assert "31536000" not in table
    page = write_report(demanding).read_text(encoding="utf-8")
    assert "Service life and yield" in page
    assert "at or above 91 %" in page


def test_without_an_accuracy_that_is_enough_there_is_no_service_life(run_folder: Path) -> None:
    records = network_records(read_bundles(run_folder / "winners"))
    assert not any("service life" in column for record in records for column in record)
    assert "Service life and yield" not in write_report(run_folder).read_text(encoding="utf-8")


def test_the_optimism_of_a_prediction_is_told_for_every_winner_and_on_average(
    run_folder: Path,
) -> None:
    bundles = read_bundles(run_folder / "winners")
    found = optimism_of_winners(bundles)
    assert found is not None
    picks = {b.key: b for b in bundles if not b.origin.baseline}
    gaps = found["networks"]
    assert isinstance(gaps, dict)
    assert gaps.keys() == picks.keys()
    for key, bundle in picks.items():
        said = bundle.origin.predicted_at(ONE_DAY_S)
        assert said is not None
        assert gaps[key] == pytest.approx(said.mean - bundle.evaluation.analog.at(ONE_DAY_S))
    assert found["mean"] == pytest.approx(sum(gaps.values()) / 3)
    (sentence,) = optimism_sentences(bundles)
    assert "predicted minus simulated" in sentence
    assert "over 3 winners" in sentence
    assert sentence in write_report(run_folder).read_text(encoding="utf-8")
    assert "1 day (predicted minus simulated)" in terminal_formats(network_records(bundles))
    assert optimism_of_winners(bundles[3:]) is None  # baselines: nobody chose them


def test_what_a_search_has_simulated_is_never_called_a_prediction(run_folder: Path) -> None:
    bundles = [
        replace(
            bundle,
            origin=replace(bundle.origin, predicted=(), found=(FoundAccuracy(ONE_DAY_S, 0.99),)),
        )
        for bundle in read_bundles(run_folder / "winners")[:1]
    ]
    (record,) = network_records(bundles)
    assert record["1 day (found, validation part)"] == 0.99
    assert record["1 day (found minus test part)"] == pytest.approx(
        0.99 - bundles[0].evaluation.analog.at(ONE_DAY_S)
    )
    at_a_day = accuracy_records(bundles[0])[2]
    assert (at_a_day["time"], at_a_day["found (validation)"]) == ("1 day", 0.99)
    assert "predicted" not in at_a_day
    (sentence,) = optimism_sentences(bundles)
    assert "validation part" in sentence
    assert not any("predict" in text for text in (*record, sentence))
    stored = bundles[0].origin.to_dict()
    assert stored["label"] == "simulated, validation part"
    assert type(bundles[0].origin).from_dict(json.loads(json.dumps(stored))) == bundles[0].origin


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (59.4, "59.4 s"),
        (7_200.0, "2 hours"),
        (5.25 * DAY_S, "5.25 days"),
        (66 * DAY_S, "2.2 months"),
        (YEAR_S, "1 year or more"),
    ],
)
def test_lives_are_written_in_their_natural_unit(seconds: float, text: str) -> None:
    assert duration(seconds) == text
