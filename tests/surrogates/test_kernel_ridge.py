"""The smooth law on data whose law is known."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from analognas.surrogates.kernel_ridge import KernelRidge, KernelSettings

FloatArray = NDArray[np.float64]
COLUMNS = ("width", "depth", "hardware_noise", "log10_t_s")


def draw(count: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """Accuracies that depend on the network, the hardware and both together."""
    x = np.random.default_rng(seed).normal(size=(count, 4))
    odds = x[:, 0] + 0.5 * np.sin(x[:, 1]) - x[:, 2] * (1.0 + 0.3 * x[:, 0]) - 0.1 * x[:, 3]
    return x, expit(odds)


def fit(x: FloatArray, y: FloatArray) -> KernelRidge:
    return KernelRidge.fit(COLUMNS, x, y, np.ones(len(y)), KernelSettings())[0]


def test_a_smooth_law_is_learned() -> None:
    x, y = draw(600, 0)
    new, actual = draw(300, 1)
    predicted = expit(fit(x, y).margin(new))
    assert np.sqrt(np.mean((predicted - actual) ** 2)) < 0.04


def test_columns_that_are_the_same_everywhere_change_nothing() -> None:
    x, y = draw(200, 0)
    margin = fit(x, y).margin(x)
    wider = np.column_stack([x, np.full(len(x), 7.0)])
    columns = (*COLUMNS, "hardware_bits")
    law, _ = KernelRidge.fit(columns, wider, y, np.ones(len(y)), KernelSettings())
    np.testing.assert_allclose(law.margin(wider), margin, atol=1e-6)
    wider[:, -1] = 9.0
    np.testing.assert_allclose(law.margin(wider), margin, atol=1e-6)


def test_a_row_is_predicted_the_same_beside_others() -> None:
    x, y = draw(300, 0)
    law = fit(x, y)
    together = law.margin(x)
    np.testing.assert_array_equal([law.margin(row[None])[0] for row in x[:20]], together[:20])


def test_the_law_of_the_joint_error_holds_on_hardware_that_was_never_met() -> None:
    rng = np.random.default_rng(0)
    columns = ("width", "hardware_bits", "hardware_drift", "joint_error")

    def rows(bits: float, drift: float) -> tuple[FloatArray, FloatArray]:
        width, error = rng.normal(size=200), rng.uniform(-1.0, 1.0, 200)
        x = np.column_stack([width, rng.normal(bits, 0.1, 200), rng.normal(drift, 0.1, 200), error])
        return x, expit(width - 2.0 * error)

    met = [rows(bits, 0.0) for bits in (0.0, 1.0, 2.0)]
    x, y = (np.concatenate(parts) for parts in zip(*met, strict=True))
    law, fitted = KernelRidge.fit(columns, x, y, np.ones(len(y)), KernelSettings())
    np.testing.assert_array_equal(fitted, law.margin(x))
    new, actual = rows(1.0, 3.0)
    assert np.sqrt(np.mean((expit(law.margin(new)) - actual) ** 2)) < 0.06


def test_rows_that_count_more_are_met_better() -> None:
    x, y = draw(100, 0)
    wrong = 1.0 - y
    both, labels = np.concatenate([x, x]), np.concatenate([y, wrong])
    weight = np.repeat([1.9, 0.1], 100)
    law, _ = KernelRidge.fit(COLUMNS, both, labels, weight, KernelSettings())
    predicted = expit(law.margin(x))
    assert np.abs(predicted - y).mean() < 0.5 * np.abs(predicted - wrong).mean()


def test_stored_and_read_back_it_gives_the_same_bits() -> None:
    x, y = draw(120, 0)
    law = fit(x, y)
    again = KernelRidge.from_dict(law.to_dict(), COLUMNS, law.settings)
    np.testing.assert_array_equal(again.margin(x), law.margin(x))
    with pytest.raises(ValueError, match="do not fit"):
        KernelRidge.from_dict(law.to_dict(), COLUMNS[:-1], law.settings)


def test_no_rows_give_no_values() -> None:
    x, y = draw(50, 0)
    assert fit(x, y).margin(x[:0]).shape == (0,)
