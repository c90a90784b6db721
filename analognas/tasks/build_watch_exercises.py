"""Make the embedded watch recordings from the file in a release of `seglearn`.

    pip download --no-deps seglearn==1.2.5
    python -m analognas.tasks.build_watch_exercises seglearn-1.2.5-py3-none-any.whl \
        analognas/tasks/data/watch_exercises.npz

The first argument is the wheel or the `watch_dataset.npy` inside it, which is a pickle: it is read
without being run.
"""

import hashlib
import io
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from analognas.tasks.array_pickles import read_pickled_arrays

SOURCE_SHA256 = "eb122f23cdf06ef6bd6c6c5312958ec5cf9d038e2e6d457b8081662c75a42537"
MEMBER = "seglearn/data/watch_dataset.npy"
AVERAGED = 2  # neighbouring samples: from 50 to 25 Hz
STEPS = (4096, 4096, 4096, 1024, 1024, 1024)  # a g, and a radian a second


def read_source(path: Path) -> bytes:
    """Return the bytes of `watch_dataset.npy`, checked against the known hash."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            content = wheel.read(MEMBER)
    else:
        content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != SOURCE_SHA256:
        raise ValueError(
            f"{path} must hold the watch_dataset.npy with SHA-256 {SOURCE_SHA256}, but got "
            f"{found}. Download seglearn 1.2.5."
        )
    return content


def build(source: bytes) -> bytes:
    """Return the embedded file: readings as int16 at 25 Hz, lengths, labels, subjects, sides."""
    file = io.BytesIO(source)
    np.lib.format.read_magic(file)
    np.lib.format.read_array_header_1_0(file)  # of one object: the pickle that follows
    content: Any = read_pickled_arrays(file)
    recordings = [_averaged(recording) for recording in content["X"]]
    readings = np.round(np.concatenate(recordings) * np.array(STEPS))
    if np.abs(readings).max() > np.iinfo(np.int16).max:
        raise ValueError(f"The readings must fit into 16 bits, but got {np.abs(readings).max()}.")
    target = io.BytesIO()
    np.savez_compressed(
        target,
        readings=readings.astype("<i2"),
        steps=np.array(STEPS, dtype="<u2"),
        lengths=np.array([len(recording) for recording in recordings], dtype="<u2"),
        labels=content["y"].astype(np.uint8),
        subjects=content["subject"].astype(np.uint8),
        sides=content["side"].astype(np.uint8),
        class_names=np.array(content["y_labels"]),
        channel_names=np.array(content["X_labels"]),
    )
    return target.getvalue()


def _averaged(recording: np.ndarray) -> np.ndarray:
    """Means of neighbouring samples; an odd last one is dropped."""
    whole = len(recording) // AVERAGED * AVERAGED
    means: np.ndarray = recording[:whole].reshape(-1, AVERAGED, recording.shape[1]).mean(axis=1)
    return means


def main(arguments: list[str]) -> None:
    source, out = (Path(argument) for argument in arguments)
    out.write_bytes(build(read_source(source)))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1:])
