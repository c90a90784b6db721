"""What every task promises."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from analognas.errors import UserError
from analognas.tasks import NEEDS_DATA, TASKS, Task, load_task
from analognas.tasks.cifar10 import CLASSES as CIFAR10_CLASSES
from analognas.tasks.vww import CLASSES as VWW_CLASSES

# Class folders of the tasks without data of their own, and the side of their images in pixels.
FOLDERS: Mapping[str, tuple[tuple[str, ...], int]] = {
    "cifar10": (CIFAR10_CLASSES, 32),
    "vww": (VWW_CLASSES, 40),
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Made-up images for every task that needs some."""
    made = {}
    rng = np.random.default_rng(0)
    for name, (classes, side) in FOLDERS.items():
        made[name] = tmp_path_factory.mktemp(name)
        for part, count in (("train", 20), ("test", 2)):
            for label in classes:
                (made[name] / part / label).mkdir(parents=True)
                for index in range(count):
                    pixels = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
                    path = made[name] / part / label / f"{part}{index}.png"
                    Image.fromarray(pixels).save(path)
    return made


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module", params=sorted(TASKS))
def task(request: pytest.FixtureRequest, folders: Mapping[str, Path], cache: Path) -> Task:
    return load_task(request.param, data=folders.get(request.param), cache=cache)


def test_parts_have_the_announced_shape(task: Task) -> None:
    for part in task.parts.values():
        assert part.inputs.shape == (len(part), *task.input_shape)
        assert part.inputs.dtype == np.float32
        assert np.isfinite(part.inputs).all()
        assert part.labels.shape == (len(part),)
        assert part.labels.dtype == np.int64
        assert part.speakers is None or len(part.speakers) == len(part)


def test_every_class_is_in_every_part(task: Task) -> None:
    assert task.n_classes == len(set(task.classes))
    for part in task.parts.values():
        assert set(part.labels.tolist()) == set(range(task.n_classes))


def test_no_input_is_in_two_parts(task: Task) -> None:
    seen = [{sample.tobytes() for sample in part.inputs} for part in task.parts.values()]
    assert len(set.union(*seen)) == sum(map(len, seen))


def test_it_says_what_it_is(task: Task) -> None:
    assert task.name in TASKS
    for text in (task.title, task.data_name, task.split, task.data_key, task.provenance):
        assert text
    assert task.metric == "accuracy"
    assert min(vars(task.limits).values()) > 0


def test_loading_again_gives_the_same(task: Task, folders: Mapping[str, Path], cache: Path) -> None:
    again = load_task(task.name, split=task.split, data=folders.get(task.name), cache=cache)
    assert again.data_key == task.data_key
    for part, same in zip(task.parts.values(), again.parts.values(), strict=True):
        np.testing.assert_array_equal(part.inputs, same.inputs)
        np.testing.assert_array_equal(part.labels, same.labels)
        assert part.speakers == same.speakers


def test_arrays_become_tensors_without_a_warning(task: Task) -> None:
    assert torch.from_numpy(task.train.inputs).shape == task.train.inputs.shape


def test_augmentation_gives_changed_copies(task: Task, device: torch.device) -> None:
    inputs = torch.tensor(task.train.inputs[:64], device=device)
    before = inputs.clone()
    first, same = (task.augment(inputs, torch.Generator(device).manual_seed(3)) for _ in range(2))
    assert first.shape == inputs.shape
    assert first.dtype == inputs.dtype
    assert first.device == inputs.device
    assert torch.equal(first, same)
    assert not torch.equal(first, inputs)
    assert torch.equal(inputs, before)


def test_unknown_splits_are_refused(task: Task, folders: Mapping[str, Path]) -> None:
    with pytest.raises(UserError, match="'no such split'"):
        load_task(task.name, split="no such split", data=folders.get(task.name))


@pytest.mark.parametrize("name", sorted(NEEDS_DATA))
def test_missing_data_are_answered_with_what_to_bring(name: str) -> None:
    with pytest.raises(UserError) as caught:
        load_task(name)
    assert NEEDS_DATA[name] in str(caught.value)


def test_unknown_tasks_are_answered_with_the_known_ones() -> None:
    with pytest.raises(UserError, match="Choose one of: cifar10, digits, imu, kws, vww"):
        load_task("imagenet")


def test_digits_take_no_folder() -> None:
    with pytest.raises(UserError, match="choose the task 'kws'"):
        load_task("digits", data="somewhere")
