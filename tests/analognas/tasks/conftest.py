"""Small folders of made-up recordings."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

MakeFolder = Callable[..., Path]


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test touches the user's cache."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("ANALOGNAS_CACHE", str(folder))
    return folder


def noise(name: str, seconds: float = 1.0) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return samples that belong to `name` alone."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4])
    samples = np.random.default_rng(seed).uniform(-0.5, 0.5, round(seconds * 16_000))
    return samples.astype(np.float64)


@pytest.fixture
def make_folder(tmp_path: Path) -> MakeFolder:
    """Write a folder in the layout of Google Speech Commands; three speakers, with lists."""

    def make(
        takes: Mapping[str, int],
        *,
        parts: Mapping[str, Sequence[str]] | None = None,
        suffix: str = ".wav",
        noise_seconds: Sequence[float] = (6.0,),
        name: str = "words",
    ) -> Path:
        root = tmp_path / name
        parts = parts or {"train": ["ann"], "validation": ["bob"], "testing": ["cat"]}
        lists: dict[str, list[str]] = {part: [] for part in parts}
        for word, count in takes.items():
            (root / word).mkdir(parents=True)
            for part, speakers in parts.items():
                for speaker in speakers:
                    for take in range(count):
                        file = f"{word}/{speaker}_nohash_{take}{suffix}"
                        soundfile.write(root / file, noise(file), 16_000)
                        lists[part].append(file)
        if "testing" in parts:
            for part in ("validation", "testing"):
                (root / f"{part}_list.txt").write_text("\n".join(lists[part]) + "\n")
        for index, seconds in enumerate(noise_seconds):
            (root / "_background_noise_").mkdir(exist_ok=True)
            file = f"_background_noise_/{index}.wav"
            soundfile.write(root / file, noise(file, seconds), 16_000)
        return root

    return make
