"""Is there a person in it? COCO by the rule of Visual Wake Words, or folders of one's own."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from analognas.errors import UserError
from analognas.tasks import feature_cache
from analognas.tasks.augmentation import RandomShift, ShiftAndFlip
from analognas.tasks.base import IntArray, Limits, Task, TaskRequest, content_key
from analognas.tasks.coco_labels import CocoFiles, find_coco, hash_coco, label_images
from analognas.tasks.feature_cache import Arrays
from analognas.tasks.image_files import (
    LAYOUT,
    ImageFiles,
    open_image_files,
    sort_by_folders,
    source_name,
)
from analognas.tasks.image_parts import (
    ImageSplit,
    cut_test,
    cut_training,
    hashes_of,
    parse_split,
    refuse_missing_classes,
    standardised,
)
from analognas.tasks.image_pixels import decode_all

CLASSES = ("non_person", "person")
SIZE = (96, 96)  # as in MLPerf Tiny (Banbury 2021, arXiv:2106.07597)
LIMITS = Limits(max_cores=64, max_parameters=300_000, max_multiplications=12_000_000)
AUGMENTATION = ShiftAndFlip(RandomShift(height=8, width=8))
STORED = ("pixels", "labels", "parts", "hashes", "notes")
VERSION = 1
WHAT_TO_BRING = (
    "The task 'vww' has no data of its own. Name by --data one of: a folder of COCO "
    "(https://cocodataset.org) with its images and annotations/instances_train*.json and "
    "instances_val*.json, labelled by the rule of Visual Wake Words, or a folder, or a zip of it, "
    "with train/person, train/non_person, test/person and test/non_person, or with person and "
    "non_person alone; .png or .jpg, which are brought to 96x96 pixels"
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _Listed:
    """Images that are not yet read."""

    names: Sequence[str]
    labels: IntArray  # (N,)
    groups: Sequence[bytes]  # N hashes; images of one photograph have the same
    in_test: NDArray[np.bool_]  # (N,)
    notes: tuple[str, ...] = ()


def load_vww(request: TaskRequest) -> Task:
    """Load COCO by the rule of Visual Wake Words, or folders of images with and without people."""
    if request.words is not None:
        raise UserError("The task 'vww' has fixed classes and takes no words. Leave them out.")
    source = request.data
    if source is None:
        raise UserError(f"{WHAT_TO_BRING}.")
    if not source.exists():
        raise UserError(f"{source} does not exist. {WHAT_TO_BRING}.")
    split = parse_split(request.split, "vww")
    coco = find_coco(source) if source.is_dir() else None
    arrays = _read(source, coco, split, request.cache or feature_cache.default_folder())
    labels, numbers = arrays["labels"].astype(np.int64), arrays["parts"]
    pixels = arrays["pixels"].astype(np.uint8, copy=False)
    train, validation, test = standardised(
        pixels, labels, [np.flatnonzero(numbers == number) for number in range(3)]
    )
    name = source_name(source)
    return Task(
        name="vww",
        title=f"{_title(name, coco)}, {len(train):,} training images",
        data_name=f"visual-wake-words:{coco.name}" if coco else f"person-crops:{name}",
        split=split.name,
        data_key=content_key(
            arrays["hashes"].tobytes() + labels.tobytes() + numbers.tobytes(),
            {"split": split.name, "size": SIZE, "version": VERSION},
        ),
        classes=CLASSES,
        limits=LIMITS,
        train=train,
        validation=validation,
        test=test,
        augment=AUGMENTATION,
        provenance=_provenance(name, coco),
        notes=(*_notes(coco), *arrays["notes"].tolist()),
    )


def _title(name: str, coco: CocoFiles | None) -> str:
    if coco is None:
        return f"person crops 96x96, {name}, split by photograph"
    return f"Visual Wake Words 96x96, COCO {coco.name}"


def _provenance(name: str, coco: CocoFiles | None) -> str:
    if coco is None:
        return f"image files in {name}, under their own licence"
    return (
        "COCO (Lin 2014, arXiv:1405.0312; annotations CC BY 4.0, photographs under their own "
        "terms), labelled by the rule of Chowdhery 2019 (arXiv:1906.05721)"
    )


def _notes(coco: CocoFiles | None) -> tuple[str, ...]:
    if coco is None:
        return (
            "Not Visual Wake Words, which is COCO labelled by the area of people: figures cannot "
            "be compared with those on it.",
        )
    if "minival" in coco.name:
        return ()
    return (f"The paper tests on COCO's minival of 2014, not on {coco.test.stem}.",)


def _read(source: Path, coco: CocoFiles | None, split: ImageSplit, cache: Path) -> Arrays:
    """Read the images of all parts, from the source or the cache."""
    with open_image_files(source) as files:
        content = hash_coco(coco, files) if coco else files.hash()
        key = content_key(content, {"split": split.name, "size": SIZE, "version": VERSION})
        cached = cache / f"vww-{key}.npz"
        arrays = feature_cache.load(cached, STORED)
        if arrays is None:
            listed = _list_coco(files, coco) if coco else _list_folders(files)
            arrays = _decode(files, listed, split)
            feature_cache.save(cached, arrays)
    return arrays


def _list_folders(files: ImageFiles) -> _Listed:
    """List images by their folders; files of the same name are of the same photograph."""
    found = sort_by_folders(files)
    parts = {file.part for file in found}
    if len(parts) == 1 and parts != {""}:
        raise UserError(f"{files.source} must have both train and test, or neither. {LAYOUT}")
    wrong = sorted({file.label for file in found} ^ set(CLASSES))
    if wrong:
        raise UserError(
            f"The class folders must be {' and '.join(CLASSES)}, but in {files.source} these are "
            f"missing or too many: {', '.join(wrong[:10])}. Rename, add or remove them."
        )
    labels = np.array([CLASSES.index(file.label) for file in found], dtype=np.int64)
    groups = [_hash(file.stem) for file in found]
    if parts == {""}:
        in_test = cut_test(groups, labels)
        notes: tuple[str, ...] = ("No test folder: a fifth of the images, by hash, is the test.",)
    else:
        in_test = np.array([file.part == "test" for file in found])
        notes = _note_shared(groups, in_test)
    return _Listed([file.name for file in found], labels, groups, in_test, notes)


def _list_coco(files: ImageFiles, coco: CocoFiles) -> _Listed:
    images = label_images(coco, files)
    return _Listed(
        [image.name for image in images],
        np.array([image.shows_person for image in images], dtype=np.int64),
        [_hash(PurePosixPath(image.name).stem) for image in images],
        np.array([image.in_test for image in images], dtype=np.bool_),
    )


def _decode(files: ImageFiles, listed: _Listed, split: ImageSplit) -> Arrays:
    """Choose the images of all parts, then read these alone."""
    outside_test = np.flatnonzero(~listed.in_test)
    training, validation = cut_training(
        [listed.groups[index] for index in outside_test.tolist()],
        listed.labels[outside_test],
        split,
    )
    by_hash = sorted(np.flatnonzero(listed.in_test).tolist(), key=lambda i: listed.groups[i])
    parts = (
        outside_test[training],
        outside_test[validation],
        np.array(by_hash, dtype=np.int64),
    )
    refuse_missing_classes(listed.labels, parts, CLASSES, files.source)
    chosen = np.concatenate(parts)
    logger.info("reading %d images in %s", len(chosen), files.source)
    pixels = decode_all(files, [listed.names[i] for i in chosen.tolist()], SIZE, resize=True)
    return {
        "pixels": pixels,
        "labels": listed.labels[chosen],
        "parts": np.repeat(np.arange(3, dtype=np.uint8), [len(part) for part in parts]),
        "hashes": np.frombuffer(b"".join(hashes_of(pixels)), np.uint8),
        "notes": np.array(listed.notes, dtype=np.str_),
    }


def _note_shared(groups: Sequence[bytes], in_test: NDArray[np.bool_]) -> tuple[str, ...]:
    test = {groups[index] for index in np.flatnonzero(in_test).tolist()}
    outside = {groups[index] for index in np.flatnonzero(~in_test).tolist()}
    if not test & outside:
        return ()
    return (
        f"{len(test & outside)} file names are in the training and in the test part: if they are "
        "of the same photographs, the test is not independent.",
    )


def _hash(name: str) -> bytes:
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
