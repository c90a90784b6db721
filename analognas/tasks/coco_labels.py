"""Labels of Visual Wake Words, from COCO's annotations (Chowdhery 2019, arXiv:1906.05721).

An image shows a person if one of its annotations of the category `person` has an area of more than
0.5 % of the image's. Three details follow the program that its authors published (TensorFlow
Models, `research/slim/datasets`), where the paper says less: the area is the annotation's own
`area`, which COCO measures inside the outline, not in the box around it; groups of people
(`iscrowd`) count like single ones; exactly 0.5 % is not enough.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from analognas.errors import UserError
from analognas.tasks.image_files import ImageFiles

SMALLEST_SHARE = 0.005  # of the image's area
PERSON = "person"
FOLDERS = (".", "annotations")
PREFIX = "instances_"
# The paper's parts, made of COCO 2014 by programs of others; preferred where they are.
PAPER_PARTS = ("maxitrain", "minival")


@dataclass(frozen=True)
class CocoFiles:
    """The annotation files of both parts."""

    train: Path
    test: Path

    @property
    def name(self) -> str:
        """What they are of, such as train2017+val2017."""
        return "+".join(path.stem.removeprefix(PREFIX) for path in (self.train, self.test))


@dataclass(frozen=True)
class CocoImage:
    """An image and what is known of it."""

    name: str  # below the source
    shows_person: bool
    in_test: bool


def find_coco(root: Path) -> CocoFiles | None:
    """Find the annotation files in a folder of COCO; None if there are none.

    Raises:
        UserError: There are more than one, or only those of one part.
    """
    found = [path for name in FOLDERS for path in sorted((root / name).glob(f"{PREFIX}*.json"))]
    if not found:
        return None
    train = [path for path in found if "train" in path.stem]
    test = [path for path in found if "val" in path.stem]
    for paths, preferred in zip((train, test), PAPER_PARTS, strict=True):
        paths[:] = [path for path in paths if preferred in path.stem] or paths
    if len(train) != 1 or len(test) != 1 or train == test:
        raise UserError(
            f"COCO needs one {PREFIX}train*.json and one {PREFIX}val*.json, but {root} has "
            f"{', '.join(path.name for path in found)}. Add the missing one, or move those of "
            "other years away."
        )
    return CocoFiles(train[0], test[0])


def hash_coco(annotations: CocoFiles, files: ImageFiles) -> bytes:
    """Hash the annotations, and names and sizes of the images (their content takes minutes)."""
    total = hashlib.blake2b(digest_size=32)
    for path in (annotations.train, annotations.test):
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "blake2b").digest())
    for name in files.names:
        size = (files.source / name).stat().st_size
        total.update(f"{name}\0{size}\0".encode("utf-8", "surrogateescape"))
    return total.digest()


def label_images(annotations: CocoFiles, files: ImageFiles) -> list[CocoImage]:
    """Label every image in the annotations.

    Raises:
        UserError: An annotation file is damaged, or names images that are not there.
    """
    by_name = {PurePosixPath(name).name: name for name in files.names}
    images: list[CocoImage] = []
    for path, in_test in ((annotations.train, False), (annotations.test, True)):
        labels = _read_labels(path)
        missing = [name for name in labels if name not in by_name]
        if missing:
            raise UserError(
                f"All images that {path} names must lie below {files.source}, but {len(missing)} "
                f"of {len(labels)} do not, such as {missing[0]!r}. Add them."
            )
        images += [CocoImage(by_name[name], shown, in_test) for name, shown in labels.items()]
    return images


def _read_labels(path: Path) -> dict[str, bool]:
    """Read which images show a person, by file name."""
    try:
        content = json.loads(path.read_bytes())
        persons = {entry["id"] for entry in content["categories"] if entry["name"] == PERSON}
        if not persons:
            raise UserError(f"{path} has no category {PERSON!r}. Use COCO's own annotations.")
        images = {entry["id"]: entry for entry in content["images"]}
        shown = {
            entry["image_id"]
            for entry in content["annotations"]
            if entry["category_id"] in persons and _is_large(entry, images[entry["image_id"]])
        }
        return {
            PurePosixPath(entry["file_name"]).name: number in shown
            for number, entry in images.items()
        }
    except UserError:
        raise
    except (OSError, ValueError, KeyError, TypeError, ArithmeticError, RecursionError) as error:
        raise UserError(
            f"{path} must be annotations in the format of COCO's instances_*.json, but it is not "
            f"({type(error).__name__}: {error}). Download it again."
        ) from error


def _is_large(annotation: Mapping[str, Any], image: Mapping[str, Any]) -> bool:
    """Whether an annotation covers more than 0.5 % of its image."""
    share: float = annotation["area"] / (image["width"] * image["height"])
    return share > SMALLEST_SHARE
