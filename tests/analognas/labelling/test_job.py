"""Tests of a real job: train, round, measure, and measure again from the file."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from analognas.hardware_variants import sample_variants
from analognas.labelling import Job
from analognas.labelling.job import MeasureAgain, Setting, TaskChoice, TrainAndMeasure
from analognas.labelling.weights import pack_weights
from analognas.search_spaces import make_space
from analognas.simulator import HERMES_DEFAULT, hardware_with
from analognas.simulator.chip import load_chip
from analognas.training import TrainingRecipe

RECIPE = TrainingRecipe(epochs=2).to_dict()


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
        variants=sample_variants(HERMES_DEFAULT, 4, 0),
        variant_chips=1,
        variant_clips=50,
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
        variants=(0, 3),
    )


def test_kept_weights_give_the_same_label_again_and_another_on_other_hardware(
    setting: Setting, job: Job, tmp_path: Path
) -> None:
    found = TrainAndMeasure(setting, RECIPE)()(job)
    evaluation, state = found.evaluation, found.state
    assert (evaluation.key, evaluation.seed) == (job.key, job.seed)
    assert evaluation.part == "validation"
    assert evaluation.analog.chips == 2
    assert evaluation.training_seconds > 0
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / f"{job.id}.safetensors").write_bytes(pack_weights(state))
    seconds = {job.id: evaluation.training_seconds}

    repeated = MeasureAgain(setting, tmp_path, RECIPE, seconds)()(job)
    again = repeated.evaluation
    assert again.analog == evaluation.analog
    assert not repeated.state
    assert [measured.analog for measured in repeated.further] == [
        measured.analog for measured in found.further if measured.epoch is None
    ]
    assert replace(again, evaluation_seconds=0.0) == replace(evaluation, evaluation_seconds=0.0)

    coarse = replace(setting, hardware=hardware_with(HERMES_DEFAULT, {"converters.adc_bits": "3"}))
    other = MeasureAgain(coarse, tmp_path, RECIPE, seconds)()(job).evaluation
    assert other.analog != evaluation.analog
    assert other.hardware_hash != evaluation.hardware_hash
    assert other.digital_accuracy == evaluation.digital_accuracy


def test_looking_at_a_training_does_not_change_it(setting: Setting, job: Job) -> None:
    watched = TrainAndMeasure(setting, RECIPE)()(job)
    unwatched = TrainAndMeasure(replace(setting, variants=()), RECIPE)()(replace(job, variants=()))
    assert not unwatched.further
    assert watched.evaluation.analog == unwatched.evaluation.analog
    assert all(torch.equal(watched.state[name], unwatched.state[name]) for name in watched.state)
    on_the_way, *on_variants = watched.further
    assert on_the_way.epoch == 1
    assert on_the_way.training_seconds is not None
    assert 0 < on_the_way.training_seconds < watched.evaluation.training_seconds
    assert [measured.variant for measured in on_variants] == [
        setting.variants[place].id for place in job.variants
    ]
