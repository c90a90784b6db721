"""What a network does in one inference, found by running it once: matrices and digital work."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from analognas.simulator.chip.digital_work import DigitalWork
from analognas.simulator.chip.matrix_work import (
    Call,
    matrix_names,
    work_of_call,
)
from analognas.simulator.chip.operation_kinds import NORMALISATIONS
from analognas.simulator.chip.work_meter import WorkMeter
from analognas.simulator.hardware import Hardware
from analognas.simulator.layers.conversion_rules import (
    HardwareRules,
    check_convertible,
    modules_with_matrices,
)
from analognas.simulator.mapping import LayerShape


@dataclass(frozen=True)
class NetworkTrace:
    """One inference of a network."""

    layers: tuple[LayerShape, ...]  # matrices for crossbars, in the order of their first use
    digital: tuple[DigitalWork, ...]  # all else that computes, in the order of execution


def trace_layers(model: nn.Module, input_shape: Sequence[int]) -> tuple[LayerShape, ...]:
    """Describe the matrices of a model alone, see `trace_network`."""
    return trace_network(model, input_shape).layers


def trace_network(
    model: nn.Module, input_shape: Sequence[int], *, keep_digital: Sequence[str] = ()
) -> NetworkTrace:
    """Describe every matrix that takes part in an inference, and the digital work between them.

    The model is run once on one input of zeros, in evaluation mode; afterwards it is as it was. A
    module that is used several times is one matrix on the chip, and its multiplications add up.
    Weights of other kinds than those that become analog are digital work of the kind "matrix". A
    batch norm directly behind a matrix is folded into its scale and offset and is no work.

    Args:
        model: Takes one tensor with a batch axis in front: of integers if it fails on fractions
            and looks them up in an embedding.
        input_shape: Of one input, without the batch axis: `(channels, height, width)` for images.
        keep_digital: Names as in `to_analog`: of modules or of matrices inside of them.

    Returns:
        The matrices under the names that their analog layers have, and the digital work.

    Raises:
        ValueError: If the model cannot be run on such an input, has weights that cannot be
            programmed (lazy or pruned ones), is compiled, or has no part of a name in
            `keep_digital`.
    """
    if not input_shape or any(size < 1 for size in input_shape):
        raise ValueError(
            "`input_shape` must hold the positive sizes of one input without the batch axis, such "
            f"as (1, 49, 10), but got {tuple(input_shape)}."
        )
    if any(isinstance(module, torch.jit.ScriptModule) for module in model.modules()):
        raise ValueError(
            "`model` must be made of Python modules, but it is compiled to TorchScript, hiding its "
            "layers. Give the model as it was before `torch.jit.script` or `torch.jit.trace`."
        )
    check_convertible(model)
    kinds = dict(_modules_with_matrices(model))
    rules = HardwareRules(Hardware(), keep_digital, {})
    rules.check_names(
        {name for name, _ in model.named_modules(remove_duplicate=False)}
        | {name for name, _ in kinds.values()}
        | {part for module, (name, _) in kinds.items() for part in matrix_names(name, module)},
        [name for name, _ in kinds.values()],
    )
    recorder = _Recorder(model, kinds, rules)
    inputs = _inputs_for(model, input_shape)
    with _as_it_was(model), torch.no_grad(), recorder.hooks():
        for attempt, x in enumerate(inputs, start=1):
            recorder.start()
            try:
                with recorder.meter:
                    model(x)
                break
            except (RuntimeError, ValueError, IndexError, TypeError) as error:
                if attempt == len(inputs):
                    raise ValueError(
                        f"The model must accept one input of shape {tuple(input_shape)}, but it "
                        f"answers: {error}. Give the shape of one input without the batch axis."
                    ) from error
    return NetworkTrace(tuple(recorder.layers.values()), recorder.meter.digital)


class _Recorder:
    """Hooks at every module that tell the meter where it is and note the use of matrices."""

    layers: dict[str, LayerShape]
    meter: WorkMeter

    def __init__(
        self,
        model: nn.Module,
        kinds: dict[nn.Module, tuple[str, type[nn.Module]]],
        rules: HardwareRules,
    ) -> None:
        self._model = model
        self._kinds = kinds
        self._rules = rules

    def start(self) -> None:
        self.layers = {}
        self.meter = WorkMeter(self._model)

    @contextmanager
    def hooks(self) -> Iterator[None]:
        with ExitStack() as stack:
            for name, module in self._model.named_modules():
                self._hook(stack, name, module)
            yield

    def _hook(self, stack: ExitStack, name: str, module: nn.Module) -> None:
        known = self._kinds.get(module)
        normalises = isinstance(module, NORMALISATIONS)
        silent = known is not None or normalises

        def before(module: nn.Module, args: Any) -> None:
            self.meter.enter(name, module, silent=silent)

        def after(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
            self.meter.leave(output, silent=silent, has_matrix=known is not None)
            if known is not None:
                self._record(*known, module, Call(args, kwargs, output))
            elif normalises:
                work = DigitalWork(name or "normalisation", "normalisation", output.numel())
                self.meter.add([work])

        stack.callback(module.register_forward_pre_hook(before, prepend=True).remove)
        stack.callback(module.register_forward_hook(after, with_kwargs=True).remove)

    def _record(self, name: str, kind: type[nn.Module], module: nn.Module, call: Call) -> None:
        work = work_of_call(kind, name, module, call)
        for matrix in work.matrices:
            if self._rules.keeps_digital(matrix.name):
                macs = matrix.mvms * matrix.weights
                self.meter.add([DigitalWork(matrix.name, "matrix", macs)])
            elif before := self.layers.get(matrix.name):
                self.layers[matrix.name] = replace(before, mvms=before.mvms + matrix.mvms)
            else:
                self.layers[matrix.name] = matrix
        self.meter.add(work.digital)


def _modules_with_matrices(
    model: nn.Module,
) -> Iterator[tuple[nn.Module, tuple[str, type[nn.Module]]]]:
    """Modules of known kinds with name and kind."""
    for name, module, kind in modules_with_matrices(model):
        yield module, (name or "0", kind)  # as in the sequence that a lone layer is put into


def _inputs_for(model: nn.Module, input_shape: Sequence[int]) -> list[Tensor]:
    """Inputs of zeros to be tried in turn, where the weights lie and of their kind."""
    floating = [p for p in model.parameters() if p.is_floating_point()]
    zeros = torch.zeros((1, *input_shape))
    if floating:
        zeros = floating[0].new_zeros((1, *input_shape))
    looks_up = any(isinstance(m, nn.Embedding | nn.EmbeddingBag) for m in model.modules())
    return [zeros, zeros.long()] if looks_up else [zeros]


@contextmanager
def _as_it_was(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, and no fused path past the modules; afterwards all is as before."""
    training = [(module, module.training) for module in model.modules()]
    fused = torch.backends.mha.get_fastpath_enabled()
    model.eval()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
        for module, flag in training:
            module.training = flag
