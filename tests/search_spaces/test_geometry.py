import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from analognas.search_spaces.geometry import (
    allowed_kernels,
    allowed_strides,
    nearest,
    output_size,
    padding,
    parse_kernel,
    strides_for,
)


@given(size=st.integers(1, 40), kernel=st.integers(1, 40), stride=st.sampled_from((1, 2)))
def test_padding_makes_torch_put_out_the_promised_size(size: int, kernel: int, stride: int) -> None:
    if kernel > size or (kernel % 2 == 0 and stride == 1) or (kernel == 1 and stride == 2):
        return
    layer = nn.Conv2d(
        1, 1, (kernel, 1), (stride, 1), padding((size, 1), (kernel, 1), (stride, 1)), bias=False
    )
    output = layer(torch.zeros(1, 1, size, 1))
    assert output.shape[2:] == output_size((size, 1), (stride, 1))


def test_odd_kernels_are_padded_by_half() -> None:
    assert padding((49, 11), (3, 5), (1, 1)) == (1, 2)
    assert padding((49, 10), (3, 5), (2, 2)) == (1, 2)


def test_the_reference_keyword_stem_puts_out_25_by_5() -> None:
    assert padding((49, 10), (10, 4), (2, 2)) == (5, 1)
    assert output_size((49, 10), (2, 2)) == (25, 5)


def test_an_even_kernel_with_stride_1_is_refused() -> None:
    with pytest.raises(ValueError, match="Use an odd kernel or stride 2"):
        padding((10, 10), (4, 3), (1, 1))
    assert allowed_strides((4, 3), (1, 2)) == (2,)


def test_a_stride_acts_only_where_the_kernel_is_longer_than_one() -> None:
    assert strides_for((3, 1), 2) == (2, 1)
    assert strides_for((3, 3), 2) == (2, 2)


def test_kernels_larger_than_the_map_are_not_allowed() -> None:
    assert allowed_kernels(("3x3", "3x1", "10x4", "5x5"), (10, 4), (1, 2)) == ("3x3", "3x1", "10x4")
    assert allowed_kernels(("3x3", "3x1", "10x4"), (3, 1), (1, 2)) == ("3x1",)


@pytest.mark.parametrize("text", ["3", "x3", "3x", "0x3", "axb", "3x3x3", ""])
def test_a_kernel_that_is_not_rows_by_columns_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="written like 3x3"):
        parse_kernel(text)


def test_the_nearest_value_is_the_one_with_the_nearest_ratio() -> None:
    assert nearest(64, (8, 16, 64, 128)) == 64
    assert nearest(100, (8, 32, 64, 128)) == 128
    assert nearest("10x4", ("1x3", "3x3", "5x5", "7x3")) == "7x3"
    assert nearest("separable", ("regular", "pointwise")) == "regular"
    assert nearest(0, (0,)) == 0
