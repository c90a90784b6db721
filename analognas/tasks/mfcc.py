"""Mel-frequency cepstral coefficients of one-second clips, 49 frames of 10.

The front end of the keyword-spotting task of MLPerf Tiny (Banbury 2021, arXiv:2106.07597): 16 kHz,
windows of 30 ms every 20 ms, a periodic Hann window, FFT of 512 points, magnitudes, 40 triangular
mel bands from 20 to 4000 Hz, logarithm, discrete cosine transform.
"""

from functools import lru_cache

import numpy as np
from scipy import fft

from analognas.tasks.base import DoubleArray, FloatArray

SAMPLE_RATE_HZ = 16_000
CLIP_SAMPLES = 16_000
WINDOW_SAMPLES = 480
STRIDE_SAMPLES = 320
FFT_POINTS = 512
MEL_BANDS = 40
LOWEST_HZ, HIGHEST_HZ = 20.0, 4_000.0
COEFFICIENTS = 10
LOG_OFFSET = 1e-6

SETTINGS: dict[str, object] = {
    "front end": "mfcc",
    "version": 1,
    "sample_rate_Hz": SAMPLE_RATE_HZ,
    "clip": CLIP_SAMPLES,
    "window": WINDOW_SAMPLES,
    "stride": STRIDE_SAMPLES,
    "fft": FFT_POINTS,
    "mel": [MEL_BANDS, LOWEST_HZ, HIGHEST_HZ],
    "coefficients": COEFFICIENTS,
}


def fit_clip(samples: FloatArray) -> FloatArray:
    """Cut or zero-pad samples `(n,)` to one second and divide them by their largest value.

    The largest value, not the largest magnitude, as the MLPerf Tiny reference does. Where it is not
    positive (digital silence) the magnitude is used; all-zero clips stay zero.
    """
    clip = np.zeros(CLIP_SAMPLES, dtype=np.float32)
    kept = samples[:CLIP_SAMPLES]
    clip[: len(kept)] = kept
    peak = clip.max()
    if peak <= 0:
        peak = np.abs(clip).max()
    return clip / peak if peak > 0 else clip


def mfcc(clips: FloatArray) -> FloatArray:
    """Turn clips `(N, 16000)` into coefficients `(N, 49, 10)`."""
    frames = np.lib.stride_tricks.sliding_window_view(clips, WINDOW_SAMPLES, axis=-1)
    windowed = frames[:, ::STRIDE_SAMPLES] * hann_window(WINDOW_SAMPLES)
    magnitudes = np.abs(fft.rfft(windowed, FFT_POINTS))
    log_mel = np.log(magnitudes @ mel_matrix() + LOG_OFFSET)
    # TensorFlow's scale: the unnormalised DCT over sqrt(2 M), for the zeroth coefficient too.
    cepstrum = fft.dct(log_mel, type=2)[..., :COEFFICIENTS] / np.sqrt(2 * MEL_BANDS)
    return cepstrum.astype(np.float32)  # type: ignore[no-any-return]


def hann_window(length: int) -> DoubleArray:
    """Periodic Hann window `(length,)`."""
    window: DoubleArray = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    return window


@lru_cache
def mel_matrix() -> DoubleArray:
    """Weights `(257, 40)` from spectrum bins to triangular bands, evenly spaced in mel (HTK).

    The triangles are straight lines in mel, and the bin at 0 Hz counts for nothing, as in
    TensorFlow's `linear_to_mel_weight_matrix`.
    """
    bins = mel(np.linspace(0.0, SAMPLE_RATE_HZ / 2, FFT_POINTS // 2 + 1))[:, None]
    edges = np.linspace(mel(np.array(LOWEST_HZ)), mel(np.array(HIGHEST_HZ)), MEL_BANDS + 2)
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    rising = (bins - lower) / (centre - lower)
    falling = (upper - bins) / (upper - centre)
    weights: DoubleArray = np.maximum(0.0, np.minimum(rising, falling))
    weights[0] = 0.0
    weights.setflags(write=False)
    return weights


def mel(frequency_Hz: DoubleArray) -> DoubleArray:
    """HTK mel scale."""
    scaled: DoubleArray = 1127.0 * np.log1p(frequency_Hz / 700.0)
    return scaled
