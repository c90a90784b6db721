import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from analognas.errors import UserError
from analognas.tasks import image_pixels
from analognas.tasks.image_files import open_image_files
from analognas.tasks.image_pixels import BadImage, decode, decode_all

MakeImages = Callable[..., Path]


def encoded(pixels: np.ndarray, kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def test_png_pixels_come_back_as_channels_first() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    decoded = decode(encoded(pixels, "PNG"), (5, 7), resize=False)
    np.testing.assert_array_equal(decoded, pixels.transpose(2, 0, 1))


def test_grey_and_transparent_images_become_coloured() -> None:
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8)
    assert (decode(encoded(grey, "PNG"), (8, 8), resize=False) == grey).all()
    assert decode(encoded(grey, "JPEG"), (8, 8), resize=False).shape == (3, 8, 8)
    clear = np.full((8, 8, 4), 9, dtype=np.uint8)
    assert (decode(encoded(clear, "PNG"), (8, 8), resize=False) == 9).all()


def test_other_sizes_are_refused_or_resized() -> None:
    halves = np.zeros((100, 200, 3), dtype=np.uint8)
    halves[:, 100:] = 200
    for kind in ("PNG", "JPEG"):
        content = encoded(halves, kind)
        with pytest.raises(BadImage, match="has 200x100 pixels in place of 32x32"):
            decode(content, (32, 32), resize=False)
        resized = decode(content, (32, 32), resize=True)
        assert resized.shape == (3, 32, 32)
        assert resized[:, :, :14].max() < 20
        assert resized[:, :, 18:].min() > 180


def test_images_of_absurd_size_are_refused_before_they_are_decoded() -> None:
    header = struct.pack(">IIBBBBB", 9_000, 9_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    content = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk
    content += struct.pack(">I", zlib.crc32(chunk)) + bytes(4) + b"IDAT" + bytes(4)
    with pytest.raises(BadImage, match="has 9000x9000 pixels; shrink it"):
        decode(content, (96, 96), resize=True)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_cut_or_foreign_files_are_refused(kind: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    content = encoded(pixels, kind)
    for damaged in (b"", b"text", content[:20], content[: len(content) // 2]):
        with pytest.raises(BadImage, match="cannot be read"):
            decode(damaged, (32, 32), resize=False)


def test_formats_that_nobody_asked_for_are_not_even_tried() -> None:
    pixels = np.zeros((32, 32, 3), dtype=np.uint8)
    with pytest.raises(BadImage, match="cannot be read"):
        decode(encoded(pixels, "TIFF"), (32, 32), resize=False)


def test_all_bad_images_are_counted_and_the_first_is_named(make_images: MakeImages) -> None:
    names = ["a/1.png", "a/2.png", "a/3.png"]
    source = make_images(names, others={"a/2.png": b"text", "a/3.png": b""})
    with (
        open_image_files(source) as files,
        pytest.raises(UserError, match=r"2 of 3 in .*pictures are not. The first: a/2.png cannot"),
    ):
        decode_all(files, names, (32, 32), resize=False)


def test_more_images_than_memory_are_refused_with_a_way_out(
    make_images: MakeImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["a/1.png", "a/2.png"]
    monkeypatch.setattr(image_pixels, "memory_bytes", lambda: 2 * 3 * 32 * 32 * 5 - 1)
    with (
        open_image_files(make_images(names)) as files,
        pytest.raises(UserError, match="choose the split images:N"),
    ):
        decode_all(files, names, (32, 32), resize=False)
