"""Changes of genotypes."""

import pytest

from analognas.explaining.genes import edits_of
from analognas.search_spaces import Architecture, SearchSpace, make_space

SHAPE = (1, 49, 10)


@pytest.fixture(scope="module")
def space() -> SearchSpace:
    return make_space("tinyml", input_shape=SHAPE, n_classes=12)


def changed(space: SearchSpace, name: str) -> dict[str, Architecture]:
    codes = space.codes(space.named[name])
    found = {}
    for edit in edits_of(space, codes):
        arch = space.decode(edit.apply(codes))
        assert arch is not None
        found[edit.words] = arch
    return found


def widths(arch: Architecture) -> list[int]:
    return [block.width for block in arch.choices]


def test_words_say_what_is_done_to_a_stack(space: SearchSpace) -> None:
    before, found = space.named["ds-cnn"], changed(space, "ds-cnn")
    assert widths(found["double the width"]) == [128] * 5
    assert widths(found["half the width"]) == [32] * 5
    assert widths(found["width a step up"]) == [80] * 5
    assert len(found["one less in depth"].choices) == len(before.choices) - 1
    assert len(found["double the depth"].choices) == 8  # the most that the space has
    regular = found["regular layers alone"]
    assert {one.kind for block in regular.choices for one in block.convolutions} == {"conv"}
    skips = found["skips wherever they fit"]
    assert [block.shortcut for block in skips.choices] == ["none"] + ["identity"] * 4
    assert found["no skips"].key == before.key
    kernels = {
        one.kernel
        for block in found["every kernel 5x3"].choices
        for one in block.convolutions
        if one.kind != "pointwise"
    }
    assert kernels == {(5, 3)}


def test_another_depth_keeps_the_profile_of_widths(space: SearchSpace) -> None:
    before, found = space.named["analognet-like"], changed(space, "analognet-like")
    assert widths(before) == [48, 64, 64, 96, 96]
    assert widths(found["half the depth"])[0] == 48
    assert widths(found["half the depth"])[-1] == 96
    doubled = found["double the depth"]
    assert sorted(set(widths(doubled))) == [48, 64, 96]
    assert widths(doubled) == sorted(widths(doubled))
    strides = [sum(max(block.stride) == 2 for block in arch.choices) for arch in (before, doubled)]
    assert strides[0] == strides[1]  # a stage that is repeated does not stride again


def test_residual_networks_have_their_own_words(space: SearchSpace) -> None:
    before, found = space.named["resnet-small"], changed(space, "resnet-small")
    assert len(found["double the residual blocks"].choices) > len(before.choices)
    assert found["bottleneck blocks (B)"].key != before.key
    assert {arch.space for arch in found.values()} == {"resnet"}
    assert not any(words.startswith("conv") for words in found)
