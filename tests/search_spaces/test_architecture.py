import json
from typing import Any

import pytest

from analognas.search_spaces import Architecture, Block, Convolution, make_space


def example() -> Architecture:
    return make_space("tinyml", input_shape=(1, 49, 10), n_classes=10).named["resnet-small"]


def record() -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(json.dumps(example().to_dict()))
    return decoded


def stem(width: int = 8) -> Block:
    return Block((Convolution("conv", width, (3, 3), (1, 1)),))


def test_a_record_survives_json() -> None:
    assert Architecture.from_dict(record()) == example()
    assert hash(Architecture.from_dict(record())) == hash(example())


def test_the_key_has_twelve_hexadecimal_digits_and_never_changes() -> None:
    assert example().key == "484d7c05aee1"


def test_the_key_does_not_know_the_family() -> None:
    one = Architecture("conv", (1, 9, 9), (stem(),))
    other = Architecture("resnet", (1, 9, 9), (stem(),))
    assert one.key == other.key


def test_the_key_knows_the_input_shape() -> None:
    assert (
        Architecture("conv", (1, 9, 9), (stem(),)).key
        != Architecture("conv", (1, 9, 8), (stem(),)).key
    )


def test_a_record_written_by_hand_needs_no_key() -> None:
    data = record()
    del data["key"]
    assert Architecture.from_dict(data) == example()


@pytest.mark.parametrize("missing", ["space", "input_shape", "choices", "format_version", "format"])
def test_a_record_without_a_field_is_refused(missing: str) -> None:
    data = record()
    del data[missing]
    with pytest.raises(ValueError, match=missing):
        Architecture.from_dict(data)


CORRUPT: dict[str, tuple[dict[str, Any], str]] = {
    "another key": ({"key": "000000000000"}, "hash of its network"),
    "a key of another type": ({"key": 7}, "hash of its network"),
    "another format": ({"format": "something else"}, "must have `format`"),
    "a newer version": ({"format_version": 2}, "another version"),
    "an unknown field": ({"widths": [1]}, "unknown: widths"),
    "no family": ({"space": ""}, "name of a family"),
    "a family of another type": ({"space": 3}, "name of a family"),
    "a flat input shape": ({"input_shape": [49, 10]}, "3 positive integers"),
    "an empty input": ({"input_shape": [1, 0, 10]}, "positive integer"),
    "a fractional input": ({"input_shape": [1, 49.0, 10]}, "positive integer"),
    "a truth value as a number": ({"input_shape": [True, 49, 10]}, "positive integer"),
    "no blocks": ({"choices": []}, "at least one block"),
    "blocks of another type": ({"choices": "blocks"}, "list of blocks"),
    "a block of another type": ({"choices": [1]}, "JSON object"),
    "an empty block": ({"choices": [{}]}, "missing: branches, convolutions, shortcut"),
    "another input shape": ({"input_shape": [1, 48, 10]}, "hash of its network"),
}


@pytest.mark.parametrize("defect", CORRUPT)
def test_a_corrupt_record_is_refused(defect: str) -> None:
    change, message = CORRUPT[defect]
    with pytest.raises(ValueError, match=message):
        Architecture.from_dict(record() | change)


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("kind", "conv3d", "must be one of conv, depthwise, pointwise"),
        ("kind", ["conv"], "must be one of"),
        ("width", 0, "positive integer"),
        ("width", 17, "identity shortcut must keep the shape"),
        ("width", "16", "positive integer"),
        ("kernel", [3], "2 positive integers"),
        ("kernel", [99, 3], "larger than its map"),
        ("kernel", [1, 1], "name of a 1x1 kernel"),
        ("kernel", [2, 3], "Use an odd kernel"),
        ("stride", [3, 1], "must be 1, or 2"),
        ("padding", [1, 1], "unknown: padding"),
    ],
)
def test_a_convolution_that_cannot_be_is_refused(part: str, value: object, message: str) -> None:
    data = record()
    data["choices"][1]["convolutions"][-1][part] = value
    with pytest.raises(ValueError, match=message):
        Architecture.from_dict(data)


@pytest.mark.parametrize("foreign", [None, [], "text", {}, {"key": "x"}, {"format_version": 1}])
def test_foreign_content_is_refused_with_a_remedy(foreign: Any) -> None:
    with pytest.raises(ValueError, match=r"Give the architecture.json of a run"):
        Architecture.from_dict(foreign)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (Block(()), "at least one convolution"),
        (Block((Convolution("conv", 8, (3, 3)),), branches=0), "at least 1"),
        (Block((Convolution("conv", 8, (3, 3)),), branches=2), "must have a shortcut"),
        (Block((Convolution("conv", 8, (3, 3)),), 1, "projection"), "must change the shape"),
        (Block((Convolution("conv", 8, (3, 3), (2, 2)),), 1, "identity"), "must keep the shape"),
        (Block((Convolution("depthwise", 9, (3, 3)),)), "keep its 8 channels"),
        (Block((Convolution("conv", 0, (3, 3)),)), "at least 1"),
        (Block((Convolution("pointwise", 8, (1, 1), (2, 2)),)), "wider than 1"),
    ],
)
def test_blocks_that_do_not_follow_each_other_are_refused(block: Block, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        Architecture("conv", (1, 9, 9), (stem(), block))
    assert "Block 1" in str(caught.value)


def test_an_impossible_input_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="three positive integers"):
        Architecture("conv", (1, 9, 0), (stem(),))
