"""Small folders of made-up recordings and images."""

import hashlib
import io
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

MakeFolder = Callable[..., Path]
MakeImages = Callable[..., Path]


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


def pixels_of(name: str, side: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return RGB pixels `(side, side, 3)` that belong to `name` alone."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4])
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


def image_bytes(name: str, side: int) -> bytes:
    """Return a PNG or JPEG file, as the name says."""
    file = io.BytesIO()
    kind = "PNG" if name.endswith(".png") else "JPEG"
    Image.fromarray(pixels_of(name, side)).save(file, kind)
    return file.getvalue()


@pytest.fixture
def make_images(tmp_path: Path) -> MakeImages:
    """Write a folder, or a zip archive, of images that follow from their names.

    The folder `wrapper/` around all of them makes no difference.
    """

    def make(
        names: Iterable[str],
        *,
        side: int = 32,
        name: str = "pictures",
        others: Mapping[str, bytes] | None = None,
    ) -> Path:
        target = tmp_path / name
        contents = {file: image_bytes(file.removeprefix("wrapper/"), side) for file in names}
        contents |= dict(others or {})
        if target.suffix == ".zip":
            with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
                for file, content in contents.items():
                    archive.writestr(file, content)
            return target
        for file, content in contents.items():
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            (target / file).write_bytes(content)
        return target

    return make
