import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from analognas.errors import UserError
from analognas.tasks import Part, load_task
from analognas.tasks.vww import CLASSES

MakeImages = Callable[..., Path]

PHOTOGRAPHS = 30
PLAIN = tuple(f"{label}/photo_{n}.jpg" for label in CLASSES for n in range(PHOTOGRAPHS))
PARTS = tuple(
    f"{part}/{label}/{part}_{n}.jpg"
    for part, count in (("train", 20), ("test", 5))
    for label in CLASSES
    for n in range(count)
)


def sizes(parts: dict[str, Part]) -> list[int]:
    return [len(part) for part in parts.values()]


@pytest.mark.parametrize("name", ["crops", "crops.zip"])
def test_person_folders_are_crops_and_never_visual_wake_words(
    make_images: MakeImages, name: str
) -> None:
    task = load_task("vww", data=make_images(PARTS, side=20, name=name))
    assert task.classes == ("non_person", "person")
    assert task.input_shape == (3, 96, 96)
    assert task.data_name == "person-crops:crops"
    assert task.title == "person crops 96x96, crops, split by photograph, 32 training images"
    assert task.notes[0].startswith("Not Visual Wake Words")
    assert sizes(task.parts) == [32, 8, 10]
    for part in task.parts.values():
        assert part.labels.mean() == 0.5


@pytest.mark.parametrize("names", [PARTS, PLAIN])
def test_both_crops_of_a_photograph_are_in_one_part(
    make_images: MakeImages, names: tuple[str, ...]
) -> None:
    """They are neighbours in their part, in the order of the photographs' hashes."""
    source = make_images(names, side=96)
    for name in names:  # both crops are the same picture, so that they can be recognised
        if "non_person" in name:
            shutil.copy(source / name.replace("non_person", "person"), source / name)
    task = load_task("vww", data=source)
    for part in task.parts.values():
        pairs = part.inputs.reshape(-1, 2, *task.input_shape)
        np.testing.assert_array_equal(pairs[:, 0], pairs[:, 1])
        assert part.labels.reshape(-1, 2).sum(axis=1).tolist() == [1] * (len(part) // 2)
    seen = [{image.tobytes() for image in part.inputs} for part in task.parts.values()]
    assert len(set.union(*seen)) == sum(map(len, seen)) == len(names) // 2


def test_without_a_test_folder_a_fifth_is_the_test(make_images: MakeImages) -> None:
    task = load_task("vww", data=make_images(PLAIN, side=20))
    assert sizes(task.parts) == [38, 10, 12]
    assert "No test folder" in task.notes[1]


def test_names_in_both_parts_are_noted(make_images: MakeImages) -> None:
    source = make_images([*PARTS, "test/person/train_0.jpg"], side=20)
    assert (
        "1 file names are in the training and in the test part"
        in load_task("vww", data=source).notes[1]
    )


def test_fewer_images_can_be_trained_on_and_are_cached(
    make_images: MakeImages, cache_folder: Path
) -> None:
    source = make_images(PARTS, side=20)
    few = load_task("vww", data=source, split="images:10")
    assert sizes(few.parts) == [10, 8, 10]
    again = load_task("vww", data=source, split="images:10")
    assert len(list(cache_folder.iterdir())) == 1
    assert again.data_key == few.data_key != load_task("vww", data=source).data_key
    np.testing.assert_array_equal(again.train.inputs, few.train.inputs)


def test_coco_is_labelled_by_the_rule_of_visual_wake_words(make_images: MakeImages) -> None:
    others = {}
    for part in ("train2017", "val2017"):
        content = {
            "categories": [{"id": 1, "name": "person"}],
            "images": [
                {"id": n, "file_name": f"{part}_{n}.jpg", "width": 640, "height": 480}
                for n in range(20)
            ],
            "annotations": [
                {"image_id": n, "category_id": 1, "area": 640 * 480 * n / 1_000} for n in range(20)
            ],
        }
        others[f"annotations/instances_{part}.json"] = json.dumps(content).encode()
    names = [f"{part}/{part}_{n}.jpg" for part in ("train2017", "val2017") for n in range(20)]
    source = make_images(names, side=120, name="coco", others=others)
    task = load_task("vww", data=source)
    assert task.data_name == "visual-wake-words:train2017+val2017"
    assert task.title == "Visual Wake Words 96x96, COCO train2017+val2017, 16 training images"
    assert task.notes == ("The paper tests on COCO's minival of 2014, not on instances_val2017.",)
    assert sizes(task.parts) == [16, 4, 20]
    assert task.test.labels.sum() == 14  # 0.6 % to 1.9 %
    shutil.rmtree(source / "train2017")
    with pytest.raises(UserError, match=r"20 of 20 do not, such as 'train2017_0.jpg'"):
        load_task("vww", data=source)


def test_without_data_it_says_what_to_bring(tmp_path: Path) -> None:
    for source in (None, tmp_path / "nowhere"):
        with pytest.raises(UserError, match=r"folder of COCO .*train/person"):
            load_task("vww", data=source)
    with pytest.raises(UserError, match="takes no words"):
        load_task("vww", words="person")


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (["person/1.jpg", "person/2.jpg"], "missing or too many: non_person"),
        (["person/1.jpg", "human/2.jpg"], "missing or too many: human, non_person"),
        (["train/person/1.jpg", "train/non_person/1.jpg"], "must have both train and test"),
        (
            ["train/person/1.jpg", "test/non_person/2.jpg"],
            "training part .* none of non_person",
        ),
        (["person/1.jpg", "non_person/1.jpg"], "needs images in every part"),
    ],
)
def test_wrong_folders_are_refused(make_images: MakeImages, names: list[str], problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        load_task("vww", data=make_images(names, side=20))


def test_a_file_that_is_no_zip_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "crops.zip"
    source.write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(UserError, match="no complete zip archive"):
        load_task("vww", data=source)
