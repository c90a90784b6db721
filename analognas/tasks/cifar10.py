"""CIFAR-10: small photographs of ten classes (Krizhevsky 2009), brought by the user."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analognas.errors import UserError
from analognas.tasks import feature_cache
from analognas.tasks.augmentation import RandomShift, ShiftAndFlip
from analognas.tasks.base import IntArray, Limits, Task, TaskRequest, content_key
from analognas.tasks.cifar10_batches import (
    SIDE,
    BatchFolder,
    BoolArray,
    CifarImages,
    find_batch_folder,
    read_batch_archive,
    read_batch_folder,
)
from analognas.tasks.feature_cache import Arrays
from analognas.tasks.image_files import (
    LAYOUT,
    ImageFiles,
    is_zip,
    open_image_files,
    sort_by_folders,
    source_name,
)
from analognas.tasks.image_parts import (
    cut_training,
    hashes_of,
    parse_split,
    refuse_missing_classes,
    standardised,
)
from analognas.tasks.image_pixels import decode_all

CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
LIMITS = Limits(max_cores=64, max_parameters=300_000, max_multiplications=4_000_000)
# Krizhevsky 2009 and, for instance, He 2016 (arXiv:1512.03385): four pixels each way, and mirrored.
AUGMENTATION = ShiftAndFlip(RandomShift(height=4, width=4))
OFFICIAL_COUNTS = (50_000, 10_000)  # training and test part
PROVENANCE = "Alex Krizhevsky, Learning Multiple Layers of Features from Tiny Images (2009)"
MOST_SHOWN = 10  # names in a message
STORED = ("pixels", "labels", "in_test", "hashes", "form")
VERSION = 1
WHAT_TO_BRING = (
    "The task 'cifar10' has no data of its own. Name by --data one of: cifar-10-binary.tar.gz or "
    "cifar-10-python.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html (the first also by "
    "`analognas data fetch cifar10`), the folder unpacked from it, or a folder, or a zip of it, "
    "with train/<class>/<image> and test/<class>/<image>, 32x32 pixels, .png or .jpg"
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Named:
    """What to call the images: only the published files are CIFAR-10."""

    data_name: str
    title: str
    provenance: str
    notes: tuple[str, ...]


def load_cifar10(request: TaskRequest) -> Task:
    """Load the published archives, class folders or a zip of them."""
    if request.words is not None:
        raise UserError("The task 'cifar10' has fixed classes and takes no words. Leave them out.")
    if request.data is None:
        raise UserError(f"{WHAT_TO_BRING}.")
    split = parse_split(request.split, "cifar10")
    arrays = _read(request.data, request.cache or feature_cache.default_folder())
    labels, in_test = arrays["labels"].astype(np.int64), arrays["in_test"].astype(np.bool_)
    hashes = [row.tobytes() for row in arrays["hashes"]]

    outside_test = np.flatnonzero(~in_test)
    training, validation = cut_training(
        [hashes[index] for index in outside_test], labels[outside_test], split
    )
    parts: tuple[IntArray, IntArray, IntArray] = (
        outside_test[training],
        outside_test[validation],
        np.flatnonzero(in_test),
    )
    refuse_missing_classes(labels, parts, CLASSES, request.data)
    train, validation_part, test = standardised(
        arrays["pixels"].astype(np.uint8, copy=False), labels, parts
    )
    named = _name(request.data, str(arrays["form"]), len(outside_test), len(test))
    content = arrays["hashes"].tobytes() + labels.tobytes() + in_test.tobytes()
    return Task(
        name="cifar10",
        title=f"{named.title}, {len(train):,} training images",
        data_name=named.data_name,
        split=split.name,
        data_key=content_key(content, {"split": split.name, "version": VERSION}),
        classes=CLASSES,
        limits=LIMITS,
        train=train,
        validation=validation_part,
        test=test,
        augment=AUGMENTATION,
        provenance=named.provenance,
        notes=(*named.notes, *_note_repeated(hashes, in_test)),
    )


def _read(source: Path, cache: Path) -> Arrays:
    """Read all images, in the order of their hashes, from the source or the cache."""
    if not source.exists():
        raise UserError(f"{source} does not exist. {WHAT_TO_BRING}.")
    batches = find_batch_folder(source) if source.is_dir() else None
    key = content_key(_hash(source, batches), {"version": VERSION})
    cached = cache / f"cifar10-{key}.npz"
    arrays = feature_cache.load(cached, STORED)
    if arrays is None:
        logger.info("reading the images in %s", source)
        arrays = _in_order(_read_images(source, batches))
        feature_cache.save(cached, arrays)
    return arrays


def _hash(source: Path, batches: BatchFolder | None) -> bytes:
    """Hash the files whose content matters."""
    if batches is not None:
        return feature_cache.hash_files(batches.folder, batches.files)
    if source.is_dir():
        with open_image_files(source) as files:
            return files.hash()
    return feature_cache.hash_files(source.parent, [source])


def _read_images(source: Path, batches: BatchFolder | None) -> CifarImages:
    if batches is not None:
        return read_batch_folder(batches)
    if source.is_dir() or is_zip(source):
        with open_image_files(source) as files:
            return _read_class_folders(files)
    return read_batch_archive(source)


def _read_class_folders(files: ImageFiles) -> CifarImages:
    found = sort_by_folders(files)
    if {file.part for file in found} != {"train", "test"}:
        raise UserError(
            f"{files.source} must have the parts train and test, and no other. {LAYOUT}"
        )
    wrong = sorted({file.label for file in found} ^ set(CLASSES))
    if wrong:
        raise UserError(
            f"The class folders must be {', '.join(CLASSES)}, but in {files.source} these are "
            f"missing or too many: {', '.join(wrong[:MOST_SHOWN])}. Rename, add or remove them."
        )
    pixels = decode_all(files, [file.name for file in found], (SIDE, SIDE), resize=False)
    labels = np.array([CLASSES.index(file.label) for file in found], dtype=np.int64)
    return CifarImages("folder", pixels, labels, np.array([file.part == "test" for file in found]))


def _in_order(images: CifarImages) -> Arrays:
    """Sort by the hashes of the images, so that it does not matter what they were packed in."""
    hashes = hashes_of(images.pixels)
    order = sorted(
        range(len(hashes)), key=lambda i: (images.in_test[i], hashes[i], images.labels[i])
    )
    return {
        "pixels": images.pixels[order],
        "labels": images.labels[order],
        "in_test": images.in_test[order],
        "hashes": np.frombuffer(b"".join(hashes), np.uint8).reshape(len(hashes), -1)[order],
        "form": np.array(images.form, dtype=np.str_),
    }


def _name(source: Path, form: str, training: int, test: int) -> _Named:
    """Name the images; `training` and `test` are all there are."""
    name = source_name(source)
    counts = f"{training:,} + {test:,} images"
    if form == "folder":
        return _Named(
            f"cifar10-folder:{name}",
            f"32x32 photographs of ten classes, folder {name}",
            f"image files in {name}, under their own licence",
            (
                f"Image files ({counts}), not the published CIFAR-10: figures on them cannot be "
                "compared with published ones.",
            ),
        )
    if (training, test) == OFFICIAL_COUNTS:
        return _Named("cifar10", "CIFAR-10", PROVENANCE, ())
    return _Named(
        f"cifar10-{form}:{name}",
        f"32x32 photographs of ten classes, {form} batches in {name}",
        f"batches in {name}, under their own licence",
        (f"Not the published CIFAR-10 (50,000 + 10,000 images), but {counts}.",),
    )


def _note_repeated(hashes: Sequence[bytes], in_test: BoolArray) -> tuple[str, ...]:
    outside: set[bytes] = set()
    test: set[bytes] = set()
    for image, tested in zip(hashes, in_test.tolist(), strict=True):
        (test if tested else outside).add(image)
    repeated = len(outside & test)
    if not repeated:
        return ()
    return (f"{repeated} images of the training part are in the test part too.",)
