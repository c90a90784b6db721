import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from analognas.deployment import Deployment, NamedNetwork, PredictedAccuracy, deploy_winners
from analognas.deployment.bundle import FILES
from analognas.deployment.exporting import export_pick
from analognas.errors import UserError
from analognas.searching.candidates import Candidate
from analognas.searching.config import SearchConfig
from analognas.searching.journal import Batch, Journal
from analognas.searching.objectives import OBJECTIVES
from analognas.training import FULL_RECIPE

SCORED = "0123456789ab"  # a network that was never trained


@pytest.fixture
def run(tmp_path: Path, setting: Deployment, picks: list[NamedNetwork]) -> Path:
    """Return a run with two trained networks and one that was only scored."""
    path = tmp_path / "run"
    path.mkdir()
    (path / "config.json").write_text(SearchConfig(task="digits").to_json())
    scores = dict.fromkeys(OBJECTIVES, 0.5)
    keys = (picks[0].architecture.key, picks[1].architecture.key, SCORED)
    candidates = tuple(Candidate(key, 0, {"gene": 1}, {"key": key}, scores) for key in keys)
    journal = Journal(path / "journal.jsonl")
    journal.create()
    journal.append(Batch(0, 1.0, ({"gene": 1},) * 3, keys, candidates))
    (path / "front.csv").write_text(f"key,picked for\n{keys[0]},accuracy\n{SCORED},\n")
    deploy_winners(path, setting, picks, workers=1)
    return path


@pytest.mark.parametrize("choice", ["accuracy", "knee", "energy", "key", "short key"])
def test_a_trained_network_is_copied_with_a_readme(
    tmp_path: Path, run: Path, picks: list[NamedNetwork], choice: str
) -> None:
    pick = picks[1] if choice in ("knee", "energy") else picks[0]
    key = pick.architecture.key
    choice = {"key": key, "short key": key[:5]}.get(choice, choice)
    out = tmp_path / "exported"
    out.mkdir()  # an empty folder may be used
    bundle = export_pick(run, choice, out)
    assert bundle.key == key
    assert {entry.name for entry in out.iterdir()} == set(FILES)
    readme = (out / "README.txt").read_text()
    mean = f"{bundle.evaluation.analog.mean()[2]:.4f}"
    assert mean in readme
    assert "0.9000" in readme  # predicted
    assert "modelled" in readme


def test_damaged_weights_are_not_exported(
    tmp_path: Path, run: Path, picks: list[NamedNetwork]
) -> None:
    (weights,) = run.glob(f"winners/*{picks[0].architecture.key}/weights.safetensors")
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"weights\.safetensors is damaged.*analognas resume"):
        export_pick(run, "accuracy", tmp_path / "exported")
    assert not (tmp_path / "exported").exists()


def test_a_scored_network_is_answered_with_the_way_to_train_it(tmp_path: Path, run: Path) -> None:
    with pytest.raises(UserError, match="scored but not trained") as error:
        export_pick(run, SCORED, tmp_path / "out")
    assert "--train" in str(error.value)
    assert "analognas evaluate ARCH.json" in str(error.value)
    assert not (tmp_path / "out").exists()


def test_a_used_folder_is_never_overwritten(tmp_path: Path, run: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="nothing is overwritten"):
        export_pick(run, "accuracy", out)
    assert (out / "mine.txt").read_text() == "mine"


def test_an_unknown_pick_is_answered_with_the_known_ones(tmp_path: Path, run: Path) -> None:
    with pytest.raises(UserError, match=r"Choose one of: accuracy, .*knee, energy"):
        export_pick(run, "fastest", tmp_path / "out")
    with pytest.raises(UserError, match="no run folder"):
        export_pick(tmp_path / "nothing", "knee", tmp_path / "out")


def test_the_exported_evaluation_is_that_of_the_run(
    tmp_path: Path, run: Path, picks: list[NamedNetwork], methods: Any
) -> None:
    export_pick(run, "accuracy", tmp_path / "out")
    name = f"accuracy-{picks[0].architecture.key}"
    original = json.loads((run / "winners" / name / "evaluation.json").read_text())
    assert json.loads((tmp_path / "out" / "evaluation.json").read_text()) == original
    assert len(methods.TRAINED) == 2


@pytest.mark.slow
def test_a_scored_network_can_be_trained_for_export(
    tmp_path: Path,
    run: Path,
    setting: Deployment,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arch = setting.space.sample(np.random.default_rng(1))
    journal = Journal(run / "journal.jsonl")
    scores = dict.fromkeys(OBJECTIVES, 0.5)
    candidate = Candidate(arch.key, 1, {"gene": 1}, arch.to_dict(), scores)
    journal.append(Batch(1, 1.0, ({"gene": 1},), (arch.key,), (candidate,)))
    said = PredictedAccuracy(1.0, 0.7, 0.6, 0.8)
    setup = SimpleNamespace(
        config=SearchConfig(task="digits"),
        hardware_genes=None,
        task=setting.task,
        space=setting.space,
        hardware=setting.hardware,
        chip=setting.chip,
        scorer=SimpleNamespace(intervals=lambda _: {1.0: said}),
    )
    monkeypatch.setattr("analognas.searching.setup.prepare", lambda *_, **__: setup)
    told: list[int] = []
    bundle = export_pick(
        run, arch.key, tmp_path / "out", train=True, progress=lambda done, *_: told.append(done)
    )
    assert bundle.key == bundle.title == arch.key
    assert bundle.origin.predicted == (said,)
    assert bundle.evaluation.analog.chips == 25
    assert bundle.evaluation.training["epochs"] == FULL_RECIPE.epochs
    assert told[-1] == 100
    assert {entry.name for entry in (tmp_path / "out").iterdir()} == set(FILES)
