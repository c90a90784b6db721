from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from analognas.errors import UserError
from analognas.tasks.audio import BadFiles, BadRecording, read_clip, read_recording

SAMPLES = np.linspace(-0.5, 0.5, 16_000)


def write(path: Path, samples: np.ndarray = SAMPLES, rate: int = 16_000, **options: str) -> Path:
    soundfile.write(path, samples, rate, **options)
    return path


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_recordings_are_read(tmp_path: Path, suffix: str) -> None:
    samples = read_recording(write(tmp_path / f"a{suffix}"))
    np.testing.assert_allclose(samples, SAMPLES, atol=1e-4)


def test_only_the_first_second_of_a_clip_is_read(tmp_path: Path) -> None:
    assert len(read_clip(write(tmp_path / "a.wav", np.zeros(40_000)))) == 16_000


def cut_in_half(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_truncated_recordings_are_refused(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 16_000)
    path = write(tmp_path / f"a{suffix}", noise)
    cut_in_half(path)
    with pytest.raises(BadRecording, match="copy it again"):
        read_clip(path)


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "wrong rate": (lambda path: write(path, rate=8_000), "8000 Hz in place of 16000 Hz; resample"),
    "stereo": (lambda path: write(path, np.zeros((99, 2))), "2 channels in place of one"),
    "no samples": (lambda path: write(path, np.zeros(0)), "no samples"),
    "no bytes": (lambda path: path.write_bytes(b""), "cannot be read"),
    "text": (lambda path: path.write_text("hello, this is no sound"), "cannot be read"),
    "folder": (lambda path: path.mkdir(), "cannot be read"),
    "not a number": (
        lambda path: write(path, np.full(99, np.nan), subtype="FLOAT"),
        "values that are not numbers",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_recordings_are_refused_with_a_remedy(tmp_path: Path, kind: str) -> None:
    spoil, message = BAD[kind]
    spoil(tmp_path / "a.wav")
    with pytest.raises(BadRecording, match=message):
        read_recording(tmp_path / "a.wav")


def test_streamed_wav_files_without_a_length_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav")
    content = bytearray(path.read_bytes())
    content[4:8] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    assert len(read_clip(path)) == 16_000


def test_a_few_bad_files_are_noted_and_more_stop_the_run(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{index:02d}.wav") for index in range(40)]
    for path in paths[:2]:
        path.write_bytes(b"")
    bad = BadFiles(tmp_path)
    assert [path for path, _ in bad.try_all(paths, read_clip)] == paths[2:]
    bad.stop_if_many(40)
    assert bad.note(40).startswith("2 of 40 recordings were skipped; the first: 00.wav cannot be")
    with pytest.raises(UserError, match=r"At most 5% .* but 2 of 39 in .*00.wav"):
        bad.stop_if_many(39)
