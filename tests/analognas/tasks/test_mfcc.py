import numpy as np
import pytest

from analognas.tasks import mfcc


def direct_mfcc(clip: np.ndarray) -> np.ndarray:
    """The definition, with every transform written as a sum."""
    n, k = np.arange(480), np.arange(257)
    fourier = np.exp(-2j * np.pi * np.outer(n, k) / 512)
    window = 0.5 * (1 - np.cos(2 * np.pi * n / 480))
    edges = 700 * np.expm1(
        np.linspace(1127 * np.log1p(20 / 700), 1127 * np.log1p(4000 / 700), 42) / 1127
    )
    mels = 1127 * np.log1p(edges / 700)
    weights = np.zeros((257, 40))
    for bin_ in range(1, 257):
        m = 1127 * np.log1p(bin_ * 31.25 / 700)
        for band in range(40):
            low, mid, high = mels[band : band + 3]
            weights[bin_, band] = max(0.0, min((m - low) / (mid - low), (high - m) / (high - mid)))
    cosine = 2 * np.cos(np.pi * np.outer(np.arange(40) + 0.5, np.arange(10)) / 40) / np.sqrt(80)
    rows = []
    for frame in range(49):
        part = clip[320 * frame : 320 * frame + 480] * window
        rows.append(np.log(np.abs(part @ fourier) @ weights + 1e-6) @ cosine)
    return np.array(rows)


def test_coefficients_agree_with_the_direct_definition() -> None:
    rng = np.random.default_rng(0)
    times = np.arange(16_000) / 16_000
    tone = np.sin(2 * np.pi * (200 + 1500 * times) * times)
    clips = np.stack([rng.normal(size=16_000), tone, np.zeros(16_000)]).astype(np.float32)
    computed = mfcc.mfcc(clips)
    assert computed.shape == (3, 49, 10)
    assert computed.dtype == np.float32
    for clip, coefficients in zip(clips, computed, strict=True):
        np.testing.assert_allclose(coefficients, direct_mfcc(clip), rtol=1e-5, atol=1e-5)


def test_clips_are_cut_or_padded_and_scaled_to_their_largest_value() -> None:
    long = mfcc.fit_clip(np.full(20_000, 0.25, np.float32))
    assert long.shape == (16_000,)
    assert long.max() == 1.0
    short = mfcc.fit_clip(np.array([0.5, -0.8], np.float32))
    assert short[:3] == pytest.approx([1.0, -1.6, 0.0])


def test_clips_without_positive_samples_stay_finite() -> None:
    assert not mfcc.fit_clip(np.zeros(100, np.float32)).any()
    assert mfcc.fit_clip(np.full(100, -0.5, np.float32)).min() == -1.0


def test_every_mel_band_hears_something_between_its_limits() -> None:
    weights = mfcc.mel_matrix()
    assert weights.shape == (257, 40)
    assert (weights.sum(0) > 0).all()
    assert not weights[129:].any()  # above 4000 Hz
    assert not weights[0].any()
