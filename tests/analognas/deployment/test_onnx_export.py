import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from analognas.deployment.onnx_export import TOLERANCE, export_onnx, largest_difference


def small_network() -> nn.Module:
    generator = torch.Generator().manual_seed(3)
    network = nn.Sequential(
        nn.Conv2d(1, 6, (3, 5), padding=(1, 2), bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Conv2d(6, 6, 3, stride=2, padding=1, groups=6, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 3),
    )
    with torch.no_grad():
        for value in network.state_dict().values():
            if value.is_floating_point():
                value.uniform_(0.1, 1.0, generator=generator)
    return network.train()


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, nn.Module]:
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    network = small_network()
    export_onnx(network, (1, 11, 10), path, metadata={"key": "abc", "classes": "a,b,c"})
    return path, network


def test_the_file_computes_the_same_logits_for_any_batch_size(
    exported: tuple[Path, nn.Module],
) -> None:
    pytest.importorskip("onnxruntime")
    path, network = exported
    rng = np.random.default_rng(0)
    for batch in (1, 2, 7):
        inputs = rng.normal(size=(batch, 1, 11, 10)).astype(np.float32)
        difference = largest_difference(path, network, inputs)
        assert difference is not None
        assert difference < TOLERANCE


def test_a_changed_weight_is_noticed(exported: tuple[Path, nn.Module]) -> None:
    pytest.importorskip("onnxruntime")
    path, _ = exported
    other = small_network()
    with torch.no_grad():
        other.get_parameter("8.bias").add_(0.05)
    difference = largest_difference(path, other, np.ones((2, 1, 11, 10), dtype=np.float32))
    assert difference is not None
    assert difference > TOLERANCE


def test_the_file_is_self_contained_and_says_what_it_is(
    exported: tuple[Path, nn.Module],
) -> None:
    path, _ = exported
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    content = onnx.load(path, load_external_data=False)
    assert {p.key: p.value for p in content.metadata_props} == {"key": "abc", "classes": "a,b,c"}
    assert all(not tensor.external_data for tensor in content.graph.initializer)
    assert content.graph.input[0].type.tensor_type.shape.dim[0].dim_param
    assert b".py" not in path.read_bytes()


def test_the_exported_network_stays_as_it_was(exported: tuple[Path, nn.Module]) -> None:
    _, network = exported
    assert network.training
    for name, value in small_network().state_dict().items():
        torch.testing.assert_close(network.state_dict()[name], value)


def test_the_exporter_does_not_chatter(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        export_onnx(
            nn.Sequential(nn.Flatten(), nn.Linear(4, 2)),
            (1, 2, 2),
            tmp_path / "m.onnx",
            metadata={},
        )
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err == ""
