import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import typer
from PIL import Image
from typer.testing import CliRunner

from analognas.cli.app import app as main_app
from analognas.cli.tasks import tasks
from analognas.errors import UserError

app = typer.Typer()
app.command()(tasks)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_without_a_name_all_tasks_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    tasks()
    output = capsys.readouterr().out
    assert "spoken digits, split by recording" in output
    assert "1 x 8 x 8" in output
    assert output.count("needs --data") == 2


def test_the_list_is_also_json() -> None:
    tasks = {task["task"]: task for task in json.loads(run("--json"))}
    assert list(tasks) == ["kws", "digits", "imu", "cifar10", "vww"]
    assert "cifar-10-binary.tar.gz" in tasks["cifar10"]["bring"]


def test_one_task_says_its_split_limits_and_provenance() -> None:
    task = json.loads(run("kws", "--split", "speaker:theo", "--json"))
    assert task["split"] == "speaker:theo"
    assert task["input"] == [1, 49, 10]
    assert (task["train"], task["validation"], task["test"]) == (2000, 500, 500)
    assert task["limit of parameters"] == 300_000
    assert "CC BY-SA 4.0" in task["provenance"]


def test_a_folder_is_described_without_counting_silence_as_a_speaker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANALOGNAS_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "words"
    rng = np.random.default_rng(0)
    for word in ("yes", "zoom in"):
        (root / word).mkdir(parents=True)
        for speaker in "abc":
            file = root / word / f"{speaker}_nohash_0.wav"
            soundfile.write(file, rng.uniform(-0.5, 0.5, 16_000), 16_000)
    (root / "_background_noise_").mkdir()
    hum = rng.uniform(-0.5, 0.5, 80_000)
    soundfile.write(root / "_background_noise_" / "hum.wav", hum, 16_000)
    for name, speaker in (("validation", "b"), ("testing", "c")):
        lines = [f"{word}/{speaker}_nohash_0.wav" for word in ("yes", "zoom in")]
        (root / f"{name}_list.txt").write_text("\n".join(lines))
    task = json.loads(run("kws", "--data", str(root), "--words", "yes,zoom in", "--json"))
    assert task["classes"] == ["yes", "zoom in", "_silence_"]
    assert task["train speakers"] == task["test speakers"] == 1
    assert "so no class for unknown words" in task["notes"][0]


@pytest.mark.parametrize(("name", "where"), [("cifar10", "kriz/cifar.html"), ("vww", "cocodata")])
def test_tasks_without_data_say_what_to_bring(name: str, where: str) -> None:
    result = CliRunner().invoke(main_app, ["tasks", name])
    assert result.exit_code == 2
    assert "Name by --data one of" in " ".join(result.stderr.split())
    assert where in result.stderr.replace("\n", "")


def test_images_are_described_by_what_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANALOGNAS_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for part, count in (("train", 5), ("test", 1)):
        for label in ("person", "non_person"):
            (tmp_path / "mine" / part / label).mkdir(parents=True)
            for index in range(count):
                image = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
                image.save(tmp_path / "mine" / part / label / f"{part}{index}.png")
    task = json.loads(run("vww", "--data", str(tmp_path / "mine"), "--split", "images:4", "--json"))
    assert task["data"] == "person-crops:mine"
    assert (task["train"], task["validation"], task["test"]) == (4, 2, 2)
    assert task["input"] == [3, 96, 96]


def test_choices_without_a_task_are_refused() -> None:
    with pytest.raises(UserError, match="name it, such as kws"):
        tasks(words="yes,no")
