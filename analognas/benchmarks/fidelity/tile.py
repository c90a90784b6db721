"""The standard AIMC model of Rasch et al. (2023) once more: a tile in NumPy, in double precision.

Written from the paper's equations, without the simulator, to compare the two. Weights are
`(columns, rows)`, inputs `(vectors, rows)`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

ROWS = COLUMNS = 512
VECTORS = 200
WEIGHT_SIGMA = 0.246
G_MAX_uS, T_0_S, T_READ_S = 25.0, 20.0, 250e-9
STEPS, OUTPUT_BOUND, OUTPUT_NOISE, READ_NOISE = 254, 10.0, 0.04, 0.0175
WIRE_RATIO = 0.35 * 5e-6  # largest conductance of a cell times the resistance of the wire to it


@dataclass(frozen=True)
class Switches:
    """Which effects are on."""

    programming: bool = False
    drift: bool = False
    read_1f: bool = False
    converters: bool = False  # DAC and ADC
    output_noise: bool = False
    ir_drop: bool = False
    read_noise: bool = False


ALL = Switches(*(True for _ in fields(Switches)))


def tile_errors(
    switches: Switches,
    times_s: Sequence[float],
    *,
    scaled: bool,
    rng: np.random.Generator,
    remapped: bool = False,
) -> list[float]:
    """Mean relative error of one programmed tile at every time.

    Args:
        switches: Effects.
        times_s: Seconds after programming.
        scaled: Divide the weights by the largest of their column; otherwise one weight of every
            column is set to 1 or -1.
        rng: All randomness.
        remapped: As AIHWKIT does: merge the two cells of a weight once they are programmed, and
            map the merged weights to conductances anew, the largest one to `G_MAX_uS`.
    """
    weight, x = draw_tile(scaled=scaled, rng=rng)
    scale = np.abs(weight).max(axis=1)
    target = weight / scale[:, None]
    exact = x @ weight.T

    pairs = np.stack([np.maximum(target, 0), np.maximum(-target, 0)]) * G_MAX_uS
    r = np.maximum(pairs / G_MAX_uS, 1e-7)
    programmed = pairs
    if switches.programming:
        spread = 0.26348 + 1.9650 * pairs / G_MAX_uS - 1.1731 * (pairs / G_MAX_uS) ** 2
        programmed = np.maximum(pairs + spread * rng.normal(size=pairs.shape), 0)
    full_scale = G_MAX_uS  # conductance of a weight of 1
    if remapped:
        merged = programmed[0] - programmed[1]
        factor = G_MAX_uS / np.abs(merged).max()
        programmed = np.stack([np.maximum(merged, 0), np.maximum(-merged, 0)]) * factor
        full_scale *= factor
    nu = np.zeros_like(pairs)
    if switches.drift:
        location = np.clip(-0.0155 * np.log(r) + 0.0244, 0.049, 0.1)
        spread = np.clip(-0.0125 * np.log(r) - 0.0059, 0.008, 0.045)
        nu = np.abs(location + spread * rng.normal(size=pairs.shape))

    def at(t_s: float) -> FloatArray:
        time = t_s + T_0_S
        g = programmed * (time / T_0_S) ** -nu
        if switches.read_1f:
            strength = 0.0088 / np.maximum((programmed / G_MAX_uS) ** 0.65, 1e-3)
            growth = np.sqrt(np.log((time + T_READ_S) / (2 * T_READ_S)))
            sigma = g * np.minimum(strength, 0.2) * growth
            g = np.maximum(g + sigma * rng.normal(size=g.shape), 0)
        difference: FloatArray = (g[0] - g[1]) / full_scale
        return difference

    def read_out(w: FloatArray) -> float:
        return max(float(np.abs(_read(w, np.eye(ROWS), switches, rng)).mean()), 1e-4)

    baseline = read_out(at(0.0))
    errors = []
    for t_s in times_s:
        w = at(t_s)
        y = _read(w, x, switches, rng) * scale * (baseline / read_out(w))
        errors.append(relative_error(y, exact))
    return errors


def draw_tile(*, scaled: bool, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Weights of a tile, and the inputs of its products."""
    weight = np.clip(rng.normal(0, WEIGHT_SIGMA, (COLUMNS, ROWS)), -1, 1)
    if not scaled:
        weight[:, 0] = np.where(weight[:, 0] >= 0, 1.0, -1.0)
    x = rng.uniform(-1, 1, (VECTORS, ROWS)) * (rng.uniform(size=(VECTORS, ROWS)) >= 0.5)
    return weight, x


def relative_error(y: FloatArray, exact: FloatArray) -> float:
    """Mean over vectors of |y - exact| / |exact|."""
    return float(np.mean(np.linalg.norm(y - exact, axis=1) / np.linalg.norm(exact, axis=1)))


def _read(w: FloatArray, x: FloatArray, switches: Switches, rng: np.random.Generator) -> FloatArray:
    """One read of all columns for every input."""
    if switches.converters:
        x = np.clip(np.round(x * STEPS / 2), -STEPS / 2, STEPS / 2) / (STEPS / 2)
    y: FloatArray = x @ w.T
    if switches.ir_drop:
        rows = w.shape[1]
        a = np.abs(x) @ np.abs(w).T * rows * WIRE_RATIO
        profile = 1 - (1 - np.arange(rows) / rows) ** 2
        y = y - (0.05 * a**3 - 0.2 * a**2 + 0.5 * a) * ((x * profile) @ w.T)
    if switches.read_noise:
        sigma = READ_NOISE * np.sqrt(x**2 @ np.abs(w).T)
        y = y + sigma * rng.normal(size=y.shape)
    if switches.output_noise:
        y = y + OUTPUT_NOISE * rng.normal(size=y.shape)
    if switches.converters:
        lsb = 2 * OUTPUT_BOUND / STEPS
        y = np.clip(np.round(y / lsb) * lsb, -OUTPUT_BOUND, OUTPUT_BOUND)
    return y
