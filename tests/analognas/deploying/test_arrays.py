"""Data files of users."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from analognas.deploying import read_examples
from analognas.errors import UserError

X = np.arange(24, dtype=np.float64).reshape(4, 2, 3)


def test_both_kinds_of_file_are_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", inputs=X, labels=[0, 1, 2, 0])
    save_file({"inputs": torch.from_numpy(X).float()}, tmp_path / "b.safetensors")
    with_labels = read_examples(tmp_path / "a.npz", (2, 3))
    without = read_examples(tmp_path / "b.safetensors", (2, 3))
    assert with_labels.inputs.dtype == torch.float32
    assert torch.equal(with_labels.inputs, without.inputs)
    assert with_labels.labels is not None
    assert with_labels.labels.tolist() == [0, 1, 2, 0]
    assert without.labels is None


def test_examples_are_taken_from_all_over(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", inputs=X, labels=[0, 1, 2, 3])
    first = read_examples(tmp_path / "a.npz", (2, 3)).first(2)
    assert first.labels is not None
    assert first.labels.tolist() == [0, 3]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": X}, "must hold an array 'inputs', but it holds x"),
        ({"inputs": X[:, 0]}, r"must have the shape \(N, 2, 3\)"),
        ({"inputs": X[:0]}, "shape"),
        ({"inputs": X * np.nan}, "finite"),
        ({"inputs": X, "labels": [0, 1]}, "one whole number per input, 4"),
        ({"inputs": X, "labels": [0.0, 1, 2, 3]}, "whole number"),
        ({"inputs": np.array([{}] * 4)}, "cannot be read"),
    ],
)
def test_data_that_do_not_suit_are_one_message(
    arrays: dict[str, np.ndarray], message: str, tmp_path: Path
) -> None:
    np.savez(tmp_path / "a.npz", **arrays)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=message):
        read_examples(tmp_path / "a.npz", (2, 3))


@pytest.mark.parametrize("name", ["a.npz", "a.safetensors", "a.csv", "missing.npz"])
def test_damaged_or_unknown_files_are_one_message(name: str, tmp_path: Path) -> None:
    if not name.startswith("missing"):
        (tmp_path / name).write_text("hello")
    with pytest.raises(UserError, match=name):
        read_examples(tmp_path / name, (2, 3))
