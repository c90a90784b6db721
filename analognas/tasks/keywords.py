"""Keyword spotting: the embedded spoken digits, or a folder of recordings."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from analognas.errors import UserError
from analognas.tasks import feature_cache, mfcc
from analognas.tasks.audio import BadFiles, read_clip
from analognas.tasks.base import NO_SPEAKER, FloatArray, Part, Task, TaskRequest, content_key
from analognas.tasks.feature_cache import Arrays
from analognas.tasks.keyword_examples import (
    NOISE_RANGES,
    SHARE,
    SHORTEST_NOISE_S,
    SILENCE,
    UNKNOWN,
    Example,
    choose_examples,
)
from analognas.tasks.keyword_rules import AUGMENTATION, LIMITS
from analognas.tasks.speech_folder import (
    PARTS,
    PartName,
    SpeechFolder,
    assign_parts,
    choose_words,
    scan,
)
from analognas.tasks.spoken_digits import load_spoken_digits

VERSION = 1
STORED = ("features", "labels", "parts", "speakers", "classes", "notes")

logger = logging.getLogger(__name__)


def load_keywords(request: TaskRequest) -> Task:
    """Load the embedded spoken digits, or the folder that is asked for."""
    if request.data is not None:
        return load_folder(request.data, request)
    if request.words is not None:
        raise UserError(
            "Words can only be chosen from a data folder, but got "
            f"{', '.join(request.words)!r} for the embedded spoken digits. "
            "Name a data folder too, or leave the words out."
        )
    return load_spoken_digits(request)


def load_folder(root: Path, request: TaskRequest) -> Task:
    """Load keyword recordings in the layout of Google Speech Commands."""
    folder = scan(root)
    words = choose_words(folder, request.words)
    split, part_of = assign_parts(folder, request.split)
    settings = {
        **mfcc.SETTINGS,
        "words": words,
        "split": split,
        "share": SHARE,
        "noise ranges": NOISE_RANGES,
        "keywords version": VERSION,
    }
    key = content_key(feature_cache.hash_files(root, folder.files), settings)
    cached = (request.cache or feature_cache.default_folder()) / f"keywords-{key}.npz"
    arrays = feature_cache.load(cached, STORED)
    if arrays is None:
        arrays = _compute(folder, words, part_of)
        feature_cache.save(cached, arrays)
    notes: list[str] = arrays["notes"].tolist()
    for note in notes:
        logger.warning("%s: %s", root, note)
    if request.words is None:
        notes = [f"Keywords chosen from the folder: {', '.join(words)}.", *notes]

    name = root.resolve().name
    classes = tuple(arrays["classes"].tolist())
    train, validation, test = _standardised_parts(arrays)
    how = _describe_split(split, train, validation, test)
    return Task(
        name="kws",
        title=f"keywords, folder {name}, {len(classes)} classes, {how}",
        data_name=f"folder:{name}",
        split=split,
        data_key=key,
        classes=classes,
        limits=LIMITS,
        train=train,
        validation=validation,
        test=test,
        augment=AUGMENTATION,
        provenance=f"recordings in the folder {name}, under their own licence",
        notes=tuple(notes),
        words=words,
    )


def _compute(folder: SpeechFolder, words: Sequence[str], part_of: dict[Path, PartName]) -> Arrays:
    """Turn the examples of all parts into features."""
    bad = BadFiles(folder.root)
    examples = choose_examples(folder, words, part_of, bad)
    logger.info("reading %d clips from %s", len(examples), folder.root)
    computed = bad.try_all(examples, _features)
    tried = len(examples) + len(folder.noise)
    bad.stop_if_many(tried)

    labels = [example.label for example, _ in computed]
    classes = [*words, *(extra for extra in (SILENCE, UNKNOWN) if extra in labels)]
    notes = [bad.note(tried)] if bad.reasons else []
    if SILENCE not in classes:
        notes.append(f"No noise file of {SHORTEST_NOISE_S} s or more, so no class for silence.")
    if UNKNOWN not in classes:
        notes.append("No other words than the keywords, so no class for unknown words.")
    for part in PARTS:
        found = {example.label for example, _ in computed if example.part == part}
        missing = [label for label in classes if label not in found]
        if missing and part == "train":
            raise UserError(
                f"Every class needs training recordings, but {', '.join(missing)} of "
                f"{folder.root} has none. Choose other words or another split."
            )
        if missing:
            notes.append(f"The {part} part has no recordings of {', '.join(missing)}.")
    return {
        "features": np.stack([features for _, features in computed]),
        "labels": np.array([classes.index(label) for label in labels], dtype=np.int64),
        "parts": np.array([PARTS.index(example.part) for example, _ in computed], dtype=np.uint8),
        "speakers": np.array([example.speaker for example, _ in computed], dtype=np.str_),
        "classes": np.array(classes, dtype=np.str_),
        "notes": np.array(notes, dtype=np.str_),
    }


def _features(example: Example) -> FloatArray:
    """Coefficients `(49, 10)` of one example."""
    source = example.source
    samples = read_clip(source) if isinstance(source, Path) else source
    return mfcc.mfcc(mfcc.fit_clip(samples)[None])[0]  # type: ignore[no-any-return]


def _standardised_parts(arrays: Arrays) -> tuple[Part, Part, Part]:
    """Subtract the training part's mean of every coefficient, divide by its deviation."""
    features = arrays["features"].astype(np.float64)
    numbers, labels = arrays["parts"], arrays["labels"].astype(np.int64)
    speakers = arrays["speakers"]
    training = features[numbers == PARTS.index("train")].reshape(-1, features.shape[-1])
    deviation = training.std(0)
    deviation[deviation == 0] = 1.0
    inputs = ((features - training.mean(0)) / deviation).astype(np.float32)[:, None]
    train, validation, test = (
        Part(inputs[chosen], labels[chosen], tuple(speakers[chosen].tolist()))
        for chosen in (numbers == index for index in range(len(PARTS)))
    )
    return train, validation, test


def _describe_split(split: str, *parts: Part) -> str:
    """Say how the parts were made, and whether they share speakers."""
    train, validation, test = (set(part.speakers or ()) - {NO_SPEAKER} for part in parts)
    disjoint = not (train & validation or train & test or validation & test)
    what = "speakers" if disjoint else "recordings"
    return f"listed {what}" if split == "lists" else f"{what} split by hash"
