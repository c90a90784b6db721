"""A trained network as one self-contained ONNX file, and the proof that it computes the same."""

import copy
import importlib
import importlib.util
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from analognas.files import write_bytes

FloatArray = NDArray[np.float32]

INPUT_NAME = "input"
OUTPUT_NAME = "logits"
TOLERANCE = (
    1e-4  # largest allowed difference between torch and onnxruntime, relative to the largest logit
)


def export_onnx(
    model: nn.Module,
    input_shape: tuple[int, ...],
    path: Path,
    *,
    metadata: Mapping[str, str],
) -> None:
    """Write the digital network with its weights as an ONNX file.

    The network is exported in evaluation mode (batch norm folded into the convolutions), its batch
    size stays free. The model itself is left as it is.

    Args:
        model: Maps `(B, *input_shape)` to logits `(B, classes)`.
        input_shape: Shape of one input, without the batch.
        path: File to write; replaced atomically.
        metadata: Kept in the file as `metadata_props`.
    """
    network = copy.deepcopy(model).to("cpu", torch.float32).eval()
    example = torch.zeros(2, *input_shape)  # a batch of one would be taken for a constant
    with _quiet_exporter():
        program = torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            input_names=[INPUT_NAME],
            output_names=[OUTPUT_NAME],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch.onnx.export returned no program")
    content = program.model_proto
    _forget_origin(content)
    onnx.helper.set_model_props(content, dict(metadata))
    onnx.checker.check_model(content)
    write_bytes(path, content.SerializeToString())


def largest_difference(path: Path, model: nn.Module, inputs: FloatArray) -> float | None:
    """Compare an exported file with its network on real inputs.

    Args:
        path: ONNX file.
        model: The network it was made from.
        inputs: `(B, *input_shape)`.

    Returns:
        Largest absolute difference of the logits, relative to the largest logit (at least 1);
        `None` where onnxruntime is not installed.
    """
    if importlib.util.find_spec("onnxruntime") is None:
        return None
    onnxruntime = importlib.import_module("onnxruntime")  # optional, and without type stubs
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        path.read_bytes(), options, providers=["CPUExecutionProvider"]
    )
    (found,) = session.run([OUTPUT_NAME], {INPUT_NAME: inputs})
    network = copy.deepcopy(model).to("cpu", torch.float32).eval()
    with torch.no_grad():
        expected = network(torch.tensor(inputs)).numpy()
    scale = max(1.0, float(np.abs(expected).max()))
    return float(np.abs(np.asarray(found) - expected).max()) / scale


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Keep the exporter's remarks on its own deprecated calls and absent extras from the user."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _forget_origin(content: onnx.ModelProto) -> None:
    """Drop stack traces and torch's own names: they hold file paths of the exporting machine."""
    graph = content.graph
    for part in (content, graph, *graph.node, *graph.input, *graph.output, *graph.value_info):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    for tensor in graph.initializer:
        tensor.ClearField("metadata_props")
        tensor.ClearField("doc_string")
