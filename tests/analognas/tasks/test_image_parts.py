import hashlib
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analognas.errors import UserError
from analognas.tasks.base import IntArray
from analognas.tasks.image_parts import (
    ImageSplit,
    cut_test,
    cut_training,
    parse_split,
    refuse_missing_classes,
    standardised,
)


def keys(count: int) -> list[bytes]:
    return [hashlib.sha256(bytes([index % 256, index // 256])).digest() for index in range(count)]


def labels_of(count: int, classes: int = 10) -> IntArray:
    return np.arange(count, dtype=np.int64) % classes


def test_splits_are_read_and_written_alike() -> None:
    for text in ("images", "images:1", "images:10000"):
        assert parse_split(text, "vww").name == text
    assert parse_split(None, "vww").name == "images"
    assert parse_split("images:0100", "vww").name == "images:100"


@pytest.mark.parametrize("text", ["images:", "images:0", "images:-1", "images:1e3", "hash"])
def test_unknown_splits_are_answered_with_the_known_ones(text: str) -> None:
    with pytest.raises(UserError, match=f"'{text}' of the task 'vww'. Choose one of: images "):
        parse_split(text, "vww")


def test_a_fifth_of_every_class_is_for_validation() -> None:
    labels = labels_of(500)
    training, validation = cut_training(keys(500), labels, ImageSplit())
    assert sorted([*training, *validation]) == list(range(500))
    assert set(Counter(labels[validation].tolist()).values()) == {10}


def test_large_sets_keep_5000_images_for_validation() -> None:
    labels = labels_of(26_000)
    training, validation = cut_training(keys(26_000), labels, ImageSplit())
    assert (len(training), len(validation)) == (21_000, 5_000)
    assert set(Counter(labels[validation].tolist()).values()) == {500}


def test_fewer_training_images_are_nested_and_validated_on_the_same_ones() -> None:
    labels = labels_of(12_000)
    all_training, all_validation = cut_training(keys(12_000), labels, ImageSplit())
    smaller, fixed = cut_training(keys(12_000), labels, ImageSplit(1_000))
    larger, same = cut_training(keys(12_000), labels, ImageSplit(5_000))
    assert (len(smaller), len(larger), len(fixed)) == (1_000, 5_000, 2_000)
    assert set(smaller) < set(larger) < set(all_training)
    assert fixed.tolist() == same.tolist()
    assert set(fixed) < set(all_validation)
    assert set(Counter(labels[smaller].tolist()).values()) == {100}


@pytest.mark.parametrize("count", [9, 81])
def test_impossible_numbers_of_training_images_are_refused(count: int) -> None:
    with pytest.raises(UserError, match="must name 10 to 80 images"):
        cut_training(keys(100), labels_of(100), ImageSplit(count))


@settings(max_examples=60)
@given(
    groups=st.lists(st.integers(0, 12), min_size=1, max_size=60),
    order=st.randoms(use_true_random=False),
    training=st.none() | st.integers(1, 10),
)
def test_groups_stay_together_whatever_the_order(
    groups: list[int], order: object, training: int | None
) -> None:
    names = [f"{group}/{index}" for index, group in enumerate(groups)]
    again = list(names)
    order.shuffle(again)  # type: ignore[attr-defined]

    def cut(these: list[str]) -> list[set[str]]:
        hashes = [hashlib.sha256(name.split("/")[0].encode()).digest() for name in these]
        labels = np.array([len(name) % 2 for name in these], dtype=np.int64)
        try:
            parts = cut_training(hashes, labels, ImageSplit(training))
        except UserError:
            return []
        return [{these[index] for index in part} for part in parts]

    parts = cut(names)
    assert cut(again) == parts
    if parts:
        first, second = ({name.split("/")[0] for name in part} for part in parts)
        assert not first & second


def test_a_test_part_is_cut_across_the_validation_part() -> None:
    """Both are a fifth, but not of neighbouring hashes."""
    labels = labels_of(1_000)
    in_test = cut_test(keys(1_000), labels)
    assert in_test.sum() == 200
    assert set(Counter(labels[in_test].tolist()).values()) == {20}
    _, validation = cut_training(keys(1_000), labels, ImageSplit())
    assert 20 < in_test[validation].sum() < 60


def test_every_channel_is_standardised_by_the_training_part() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (40, 3, 4, 5), dtype=np.uint8)
    pixels[:, 1] //= 4
    pixels[:, 2] = 7  # has no deviation
    places = np.arange(40)
    parts = (places[:30], places[30:35], places[35:])
    train, validation, test = standardised(pixels, labels_of(40), parts)
    np.testing.assert_allclose(train.inputs.mean((0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(train.inputs.std((0, 2, 3)), [1, 1, 0], atol=1e-5)
    channel = pixels[:30, 0].astype(np.float64)
    expected = (pixels[35:, 0] - channel.mean()) / channel.std()
    np.testing.assert_allclose(test.inputs[:, 0], expected, rtol=1e-4, atol=1e-5)
    assert validation.inputs.dtype == np.float32


def test_a_part_without_a_class_is_refused() -> None:
    labels = np.array([0, 1, 0, 1, 0])
    parts = (np.array([0, 1]), np.array([2, 3]), np.array([4]))
    with pytest.raises(UserError, match="the test part of somewhere has none of dog"):
        refuse_missing_classes(labels, parts, ("cat", "dog"), "somewhere")
