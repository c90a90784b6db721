import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analognas.errors import UserError
from analognas.tasks.coco_labels import CocoFiles, find_coco, label_images
from analognas.tasks.image_files import open_image_files

MakeImages = Callable[..., Path]

AREA = 100 * 80
PERSON, DOG = 1, 18


def annotation(image: int, area: float, category: int = PERSON, crowd: int = 0) -> dict[str, Any]:
    # The box is the whole image: what counts is the area inside the outline.
    return {
        "id": image * 10,
        "image_id": image,
        "category_id": category,
        "area": area,
        "bbox": [0, 0, 100, 80],
        "iscrowd": crowd,
    }


# One image for every case: name, its annotations, and whether it shows a person.
CASES: dict[str, tuple[list[dict[str, Any]], bool]] = {
    "nothing": ([], False),
    "large": ([annotation(1, 0.5 * AREA)], True),
    "just": ([annotation(2, 0.0051 * AREA)], True),
    "exactly": ([annotation(3, 0.005 * AREA)], False),
    "small": ([annotation(4, 0.0049 * AREA)], False),
    "two_small": ([annotation(5, 0.004 * AREA), annotation(5, 0.004 * AREA)], False),
    "crowd": ([annotation(6, 0.3 * AREA, crowd=1)], True),
    "dog": ([annotation(7, 0.9 * AREA, DOG)], False),
    "dog_and_person": ([annotation(8, 0.9 * AREA, DOG), annotation(8, 0.1 * AREA)], True),
}
CONTENT: dict[str, Any] = {
    "categories": [{"id": DOG, "name": "dog"}, {"id": PERSON, "name": "person"}],
    "images": [
        {"id": number, "file_name": f"{name}.jpg", "width": 100, "height": 80}
        for number, name in enumerate(CASES)
    ],
    "annotations": [one for annotations, _ in CASES.values() for one in annotations],
}


@pytest.fixture
def coco(make_images: MakeImages) -> Path:
    """Images and annotations of both parts; the test part is named otherwise."""
    test = json.loads(json.dumps(CONTENT).replace('.jpg"', '_test.jpg"'))
    return make_images(
        [
            *(f"train2017/{name}.jpg" for name in CASES),
            *(f"images/val2017/{name}_test.jpg" for name in CASES),
        ],
        name="coco",
        others={
            "annotations/instances_train2017.json": json.dumps(CONTENT).encode(),
            "annotations/instances_val2017.json": json.dumps(test).encode(),
        },
    )


def labels(root: Path) -> dict[str, tuple[bool, bool]]:
    """Whether the images show a person and are in the test part, by name."""
    found = find_coco(root)
    assert found is not None
    with open_image_files(root) as files:
        return {
            image.name: (image.shows_person, image.in_test) for image in label_images(found, files)
        }


def test_a_person_is_shown_if_one_covers_more_than_half_a_percent(coco: Path) -> None:
    expected = {}
    for name, (_, shown) in CASES.items():
        expected[f"train2017/{name}.jpg"] = (shown, False)
        expected[f"images/val2017/{name}_test.jpg"] = (shown, True)
    assert labels(coco) == expected


def test_the_parts_of_the_paper_are_preferred(coco: Path) -> None:
    folder = coco / "annotations"
    for name in ("instances_maxitrain2014.json", "instances_minival2014.json"):
        (folder / name).write_text("{}")
    assert find_coco(coco) == CocoFiles(
        folder / "instances_maxitrain2014.json", folder / "instances_minival2014.json"
    )
    assert CocoFiles(Path("instances_train2017.json"), Path("x.json")).name == "train2017+x"


def test_folders_without_annotations_are_not_coco(tmp_path: Path) -> None:
    assert find_coco(tmp_path) is None


def test_a_missing_or_a_second_annotation_file_is_refused(coco: Path) -> None:
    annotations = coco / "annotations"
    (annotations / "instances_train2014.json").write_text("{}")
    with pytest.raises(UserError, match=r"move those of other years away"):
        find_coco(coco)
    for name in ("instances_train2014.json", "instances_train2017.json"):
        (annotations / name).unlink()
    with pytest.raises(UserError, match=r"needs one instances_train\*.json"):
        find_coco(coco)


def test_images_that_are_not_there_are_counted(coco: Path) -> None:
    (coco / "train2017/crowd.jpg").unlink()
    with pytest.raises(UserError, match=r"1 of 9 do not, such as 'crowd.jpg'"):
        labels(coco)


def without_person(content: dict[str, Any]) -> None:
    content["categories"][1]["name"] = "human"


def without_area(content: dict[str, Any]) -> None:
    del content["annotations"][0]["area"]


def of_no_image(content: dict[str, Any]) -> None:
    content["annotations"][0]["image_id"] = 99


def of_no_size(content: dict[str, Any]) -> None:
    content["images"][1]["width"] = 0


def without_images(content: dict[str, Any]) -> None:
    content["images"] = 5


@pytest.mark.parametrize(
    "damage", [without_person, without_area, of_no_image, of_no_size, without_images]
)
def test_other_annotations_are_refused(
    coco: Path, damage: Callable[[dict[str, Any]], None]
) -> None:
    content = copy.deepcopy(CONTENT)
    damage(content)
    (coco / "annotations/instances_train2017.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"instances_train2017.json (must be|has no category)"):
        labels(coco)


@pytest.mark.parametrize("text", ["", "[]", '{"images": [', "[" * 100_000, "\xff"])
def test_what_is_no_such_json_is_refused(coco: Path, text: str) -> None:
    (coco / "annotations/instances_val2017.json").write_text(text)
    with pytest.raises(UserError, match=r"instances_val2017.json must be annotations"):
        labels(coco)


def test_names_in_the_annotations_cannot_lead_out_of_the_folder(coco: Path) -> None:
    content = copy.deepcopy(CONTENT)
    content["images"][0]["file_name"] = "../../../etc/passwd"
    (coco / "annotations/instances_train2017.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="'passwd'"):
        labels(coco)
