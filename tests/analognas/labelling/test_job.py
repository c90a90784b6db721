"""Tests of a real job: train, round, measure, and measure again from the file."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from analognas.labelling import Job
from analognas.labelling.job import MeasureAgain, Setting, TaskChoice, TrainAndMeasure
from analognas.labelling.weights import pack_weights
from analognas.search_spaces import make_space
from analognas.simulator import HERMES_DEFAULT, hardware_with
from analognas.simulator.chip import load_chip
from analognas.training import TrainingRecipe

RECIPE = TrainingRecipe(epochs=1).to_dict()


@pytest.fixture
def setting() -> Iterator[Setting]:
    threads = torch.get_num_threads()
    yield Setting(
        task=TaskChoice("digits"),
        space="tinyml",
        hardware=HERMES_DEFAULT,
        chip=load_chip("hermes"),
        chips=2,
        device="cpu",
    )
    torch.set_num_threads(threads)


@pytest.fixture
def job() -> Job:
    """The smallest of a few random networks."""
    space = make_space("tinyml", input_shape=(1, 8, 8), n_classes=10)
    rng = np.random.default_rng(3)
    arch = min((space.sample(rng) for _ in range(30)), key=space.multiplications)
    return Job(
        arch.key,
        1,
        arch.to_dict(),
        space.parameters(arch),
        space.multiplications(arch),
        keep_weights=True,
    )


def test_kept_weights_give_the_same_label_again_and_another_on_other_hardware(
    setting: Setting, job: Job, tmp_path: Path
) -> None:
    evaluation, state = TrainAndMeasure(setting, RECIPE)()(job)
    assert (evaluation.key, evaluation.seed) == (job.key, job.seed)
    assert evaluation.part == "validation"
    assert evaluation.analog.chips == 2
    assert evaluation.training_seconds > 0
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / f"{job.id}.safetensors").write_bytes(pack_weights(state))
    seconds = {job.id: evaluation.training_seconds}

    again, nothing = MeasureAgain(setting, tmp_path, RECIPE, seconds)()(job)
    assert again.analog == evaluation.analog
    assert not nothing
    assert replace(again, evaluation_seconds=0.0) == replace(evaluation, evaluation_seconds=0.0)

    coarse = replace(setting, hardware=hardware_with(HERMES_DEFAULT, {"converters.adc_bits": "3"}))
    other, _ = MeasureAgain(coarse, tmp_path, RECIPE, seconds)()(job)
    assert other.analog != evaluation.analog
    assert other.hardware_hash != evaluation.hardware_hash
    assert other.digital_accuracy == evaluation.digital_accuracy
