"""Turn image files into arrays of one size."""

import io
import os
import struct
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from analognas.errors import UserError
from analognas.tasks.audio import READERS
from analognas.tasks.image_files import ImageFiles

FORMATS = ("PNG", "JPEG")
MOST_PIXELS = 64_000_000
DECODING_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,  # what Pillow raises for damaged PNG files
    EOFError,
    struct.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)

Pixels = NDArray[np.uint8]


class BadImage(Exception):
    """An image file that cannot be used: what is wrong, and how to mend it."""


def decode(content: bytes, size: tuple[int, int], *, resize: bool) -> Pixels:
    """Decode a PNG or JPEG file into RGB pixels `(3, height, width)`.

    Args:
        content: Of the file.
        size: Height and width.
        resize: Squeeze or stretch an image of another size to this one; else it is refused.

    Raises:
        BadImage: It is damaged, too large, or of another size.
    """
    height, width = size
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise BadImage(f"has {image.width}x{image.height} pixels; shrink it")
            if not resize and image.size != (width, height):
                raise BadImage(
                    f"has {image.width}x{image.height} pixels in place of {width}x{height}"
                )
            image.draft("RGB", (2 * width, 2 * height))  # a JPEG is read no larger than needed
            coloured = image.convert("RGB")
        if coloured.size != (width, height):
            coloured = coloured.resize((width, height), Image.Resampling.BILINEAR)
    except DECODING_ERRORS as error:
        raise BadImage(f"cannot be read ({error}); copy it again") from error
    return np.asarray(coloured, dtype=np.uint8).transpose(2, 0, 1)


def decode_all(
    files: ImageFiles, names: Sequence[str], size: tuple[int, int], *, resize: bool
) -> Pixels:
    """Decode files into pixels `(N, 3, height, width)`.

    Raises:
        UserError: Some cannot be used; how many, and what is wrong with the first.
    """
    _refuse_small_memory(len(names), size)
    pixels = np.empty((len(names), 3, *size), dtype=np.uint8)

    def fill(index: int) -> str | None:
        try:
            content = files.read(names[index])
        except OSError as error:
            return f"cannot be read ({error}); copy it again"
        try:
            pixels[index] = decode(content, size, resize=resize)
        except BadImage as problem:
            return str(problem)
        return None

    with warnings.catch_warnings(), ThreadPoolExecutor(READERS) as pool:
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        problems = list(pool.map(fill, range(len(names))))
    bad = [index for index, problem in enumerate(problems) if problem is not None]
    if bad:
        raise UserError(
            f"All images must be usable, but {len(bad)} of {len(names)} in {files.source} are not. "
            f"The first: {names[bad[0]]} {problems[bad[0]]}."
        )
    return pixels


def memory_bytes() -> int:
    """Memory of this machine."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _refuse_small_memory(count: int, size: tuple[int, int]) -> None:
    """Pixels are kept as one byte a channel, then as the four bytes of a network's input."""
    needed, have = count * 3 * size[0] * size[1] * (1 + 4), memory_bytes()
    if needed > have:
        raise UserError(
            f"{count:,} images take {needed / 1e9:.1f} GB, more than the {have / 1e9:.1f} GB of "
            "this machine. Train on fewer of them: choose the split images:N, such as images:10000."
        )
