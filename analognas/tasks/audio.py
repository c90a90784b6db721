"""Read recordings, and say what is wrong with those that cannot be used."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from os import cpu_count
from pathlib import Path
from typing import TypeVar

import numpy as np

from analognas.errors import UserError
from analognas.tasks.base import FloatArray
from analognas.tasks.mfcc import CLIP_SAMPLES, SAMPLE_RATE_HZ

SUFFIXES = (".wav", ".flac")
LARGEST_BAD_FRACTION = 0.05
READERS = min(8, cpu_count() or 1)
STREAMED_SIZE = 0xFFFFFFFF  # in the header of a wav file that was written into a pipe

Item = TypeVar("Item")
Result = TypeVar("Result")


class BadRecording(Exception):
    """A recording that cannot be used."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path} {problem}")
        self.path = path
        self.problem = problem  # what is wrong; how to mend it


def read_recording(path: Path, most_samples: int = -1) -> FloatArray:
    """Read the first samples `(n,)` of a mono recording at 16 kHz, -1 for all of them.

    Raises:
        BadRecording: The file is unreadable, cut off, empty, or of another format.
    """
    import soundfile  # loads a shared library

    try:
        _refuse_cut_wav(path)
        with soundfile.SoundFile(path) as recording:
            _refuse_other_formats(path, recording.samplerate, recording.channels, recording.frames)
            expected = recording.frames
            if most_samples >= 0:
                expected = min(expected, most_samples)
            samples: FloatArray = recording.read(expected, dtype="float32")
    except (soundfile.LibsndfileError, OSError) as error:
        raise BadRecording(path, f"cannot be read ({error}); copy it again") from error
    if len(samples) < expected:
        problem = f"ends after {len(samples)} of {expected} samples; copy it again"
        raise BadRecording(path, problem)
    if not np.isfinite(samples).all():
        raise BadRecording(path, "holds values that are not numbers; record it again")
    return samples


def read_clip(path: Path) -> FloatArray:
    """Read the first second of a recording."""
    return read_recording(path, CLIP_SAMPLES)


def _refuse_other_formats(path: Path, rate_Hz: int, channels: int, frames: int) -> None:
    if rate_Hz != SAMPLE_RATE_HZ:
        problem = f"has {rate_Hz} Hz in place of {SAMPLE_RATE_HZ} Hz; resample it"
        raise BadRecording(path, f"{problem}: sox IN -r {SAMPLE_RATE_HZ} OUT")
    if channels != 1:
        raise BadRecording(path, f"has {channels} channels in place of one; mix: sox IN -c 1 OUT")
    if frames == 0:
        raise BadRecording(path, "holds no samples; remove it")


def _refuse_cut_wav(path: Path) -> None:
    """Compare a wav file with the size in its header, which the reading library mends silently."""
    with path.open("rb") as file:
        header = file.read(8)
    if header[:4] != b"RIFF" or len(header) < 8:
        return
    announced = int.from_bytes(header[4:], "little")
    if announced not in (0, STREAMED_SIZE) and path.stat().st_size < announced + 8:
        raise BadRecording(path, "is shorter than its header says; copy it again")


@dataclass
class BadFiles:
    """Count the recordings that could not be used; stop when there are too many."""

    root: Path
    reasons: dict[Path, str] = field(default_factory=dict)

    def try_all(
        self, items: Sequence[Item], use: Callable[[Item], Result]
    ) -> list[tuple[Item, Result]]:
        """Apply `use` to all items in parallel and return what worked, in the same order."""

        def attempt(item: Item) -> Result | BadRecording:
            try:
                return use(item)
            except BadRecording as error:
                return error

        good: list[tuple[Item, Result]] = []
        with ThreadPoolExecutor(READERS) as pool:
            for item, result in zip(items, pool.map(attempt, items), strict=True):
                if isinstance(result, BadRecording):
                    self.reasons[result.path] = result.problem
                else:
                    good.append((item, result))
        return good

    def stop_if_many(self, of: int) -> None:
        """Refuse the folder if more than 5 % of its `of` recordings are bad."""
        if self.reasons and len(self.reasons) > LARGEST_BAD_FRACTION * of:
            raise UserError(
                f"At most {LARGEST_BAD_FRACTION:.0%} of the recordings may be unusable, but "
                f"{len(self.reasons)} of {of} in {self.root} are. The first: {self._first()}."
            )

    def note(self, of: int) -> str:
        """Say in one sentence what was skipped."""
        return f"{len(self.reasons)} of {of} recordings were skipped; the first: {self._first()}."

    def _first(self) -> str:
        path = min(self.reasons)
        return f"{path.relative_to(self.root).as_posix()} {self.reasons[path]}"
