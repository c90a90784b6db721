"""Handwritten digits of 8x8 pixels, for tests and first steps."""

import numpy as np

from analognas.errors import UserError
from analognas.tasks.augmentation import RandomShift
from analognas.tasks.base import Limits, Part, Task, TaskRequest, content_key
from analognas.tasks.splitting import split_by_hash

LIMITS = Limits(max_cores=64, max_parameters=60_000, max_multiplications=2_000_000)
SPLIT = "image"
VERSION = 1


def load_digits(request: TaskRequest) -> Task:
    """Load scikit-learn's digits, split 60/20/20 within each class."""
    from sklearn import datasets  # heavy

    if request.data is not None or request.words is not None:
        raise UserError(
            "The task 'digits' has its own images and takes neither a data folder nor words. "
            "Leave them out, or choose the task 'kws'."
        )
    if request.split not in (None, SPLIT):
        raise UserError(
            f"The task 'digits' is split by {SPLIT!r}, but got split {request.split!r}. "
            "Leave the split out."
        )
    images, labels = datasets.load_digits(return_X_y=True)
    pixels = images.astype(np.uint8).reshape(-1, 8, 8)  # grey levels 0 to 16
    labels = labels.astype(np.int64)
    parts = split_by_hash([image.tobytes() for image in pixels], labels.tolist())
    mean, deviation = pixels[parts[0]].mean(), pixels[parts[0]].std()
    inputs = ((pixels - mean) / deviation).astype(np.float32)[:, None]
    train, validation, test = (Part(inputs[part], labels[part]) for part in parts)
    return Task(
        name="digits",
        title="handwritten digits 8x8, split by image",
        data_name="sklearn-digits",
        split=SPLIT,
        data_key=content_key(
            pixels.tobytes() + labels.tobytes(), {"split": SPLIT, "version": VERSION}
        ),
        classes=tuple(str(digit) for digit in range(10)),
        limits=LIMITS,
        train=train,
        validation=validation,
        test=test,
        augment=RandomShift(height=1, width=1, fill=float(-mean / deviation)),
        provenance="Alpaydin and Kaynak, UCI handwritten digits (CC BY 4.0), the 1,797 images in "
        "scikit-learn",
    )
