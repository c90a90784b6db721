"""Tests of weights as float16 files."""

from pathlib import Path

import pytest
import torch

from analognas.errors import UserError
from analognas.labelling.weights import pack_weights, round_to_float16, unpack_weights


def test_rounded_weights_come_back_from_their_file_exactly(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    state = {
        "weight": torch.randn(20, 30, generator=generator),
        "batches": torch.tensor(123_456_789),
        "large": torch.tensor([1e6, -1e6]),
    }
    rounded = round_to_float16(state)
    (tmp_path / "file").write_bytes(pack_weights(state))
    restored = unpack_weights(tmp_path / "file")
    assert restored.keys() == state.keys()
    for name, tensor in restored.items():
        assert tensor.dtype == state[name].dtype
        torch.testing.assert_close(tensor, rounded[name], rtol=0, atol=0)
    torch.testing.assert_close(restored["weight"], state["weight"], rtol=1e-3, atol=1e-6)
    assert torch.isfinite(restored["large"]).all()


def test_the_file_takes_two_bytes_a_weight() -> None:
    assert len(pack_weights({"weight": torch.zeros(1000, 100)})) < 201_000


@pytest.mark.parametrize("content", [None, b"", b"no weights at all", b"\xff" * 100])
def test_a_missing_or_damaged_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"x\.safetensors"):
        unpack_weights(path)
