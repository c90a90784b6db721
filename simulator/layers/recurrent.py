"""Analog twins of torch's recurrent layers.

The matrices of a layer (on its input, on its state, and the projection of the state if there is
one) lie on crossbars; gates and biases are digital. The inputs of all time steps are multiplied at
once, the state step by step.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from analognas.simulator.layers.analog_layer import AnalogLayer
from analognas.simulator.layers.lstm_sequence import lstm_sequence, takes_sequences
from analognas.simulator.layers.matrices import HardwareOf, matrix_layer
from analognas.simulator.layers.recurrent_cell import STEPS, State, bias_name, give_back
from analognas.simulator.layers.step_layer import StepLayer

Recurrent = nn.LSTM | nn.GRU | nn.RNN


@dataclass(frozen=True)
class _Steps:
    """How the inputs of a batch divide into time steps.

    Args:
        batch_sizes: Of a packed sequence `(N, ...)`, whose longest samples come first; None for
            `(B, T, ...)`.
    """

    batch_sizes: list[int] | None

    def cut(self, data: Tensor) -> list[Tensor]:
        parts = data.unbind(1) if self.batch_sizes is None else torch.split(data, self.batch_sizes)
        return list(parts)

    def join(self, steps: list[Tensor]) -> Tensor:
        return torch.stack(steps, dim=1) if self.batch_sizes is None else torch.cat(steps)


class AnalogRecurrent(nn.Module):
    """Twin of `nn.LSTM`, `nn.GRU` and `nn.RNN`, with the same arguments and results.

    Every matrix is an analog layer under torch's name of its weight, as in
    `weight_hh_l0_reverse`.

    Args:
        digital: The layer to compute; its parameters are used, not copied.
        hardware_of: The hardware of a matrix by its name.
        name: Path of the layer in its network.
    """

    def __init__(self, digital: Recurrent, hardware_of: HardwareOf, name: str = "") -> None:
        super().__init__()
        self._original = (digital,)  # in a tuple: its parameters belong to the matrices
        self.mode = digital.mode
        self.input_size = digital.input_size
        self.hidden_size = digital.hidden_size
        self.num_layers = digital.num_layers
        self.bias = digital.bias
        self.batch_first = digital.batch_first
        self.dropout = digital.dropout
        self.bidirectional = digital.bidirectional
        self.proj_size = digital.proj_size
        for weight_name in self._weight_names():
            bias = getattr(digital, bias_name(weight_name), None)
            kind = AnalogLayer if weight_name.startswith("weight_ih") else StepLayer
            matrix = matrix_layer(
                getattr(digital, weight_name),
                bias,
                f"{name}.{weight_name}",
                hardware_of,
                kind=kind,
            )
            self.add_module(weight_name, matrix)

    @property
    def digital(self) -> Recurrent:
        """The layer itself, with the present weights."""
        (digital,) = self._original
        give_back(self, digital, self._weight_names())
        return digital

    def flatten_parameters(self) -> None:
        """Do nothing: here only for models that call it."""

    def forward(
        self, input: Tensor | PackedSequence, hx: Tensor | tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor | PackedSequence, Tensor | tuple[Tensor, Tensor]]:
        if isinstance(input, PackedSequence):
            steps, data = _Steps(input.batch_sizes.tolist()), input.data
            states = self._start(hx, data, int(input.batch_sizes[0]))
            states = [_reordered(state, input.sorted_indices) for state in states]
            y, states = self._run(data, steps, states)
            states = [_reordered(state, input.unsorted_indices) for state in states]
            return input._replace(data=y), self._as_given(states)
        if input.dim() not in (2, 3):
            raise ValueError(
                "The input of a recurrent layer must have 3 dimensions, or 2 without a batch, but "
                f"got shape {tuple(input.shape)}."
            )
        batched = input.dim() == 3
        data = input if batched else input[None]
        if batched and not self.batch_first:
            data = data.transpose(0, 1)
        if hx is not None and not batched:
            hx = hx[:, None] if isinstance(hx, Tensor) else (hx[0][:, None], hx[1][:, None])
        y, states = self._run(data, _Steps(None), self._start(hx, data, data.shape[0]))
        if not batched:
            return y[0], self._as_given([state[:, 0] for state in states])
        return y if self.batch_first else y.transpose(0, 1), self._as_given(states)

    def _suffixes(self) -> Iterator[str]:
        for layer in range(self.num_layers):
            yield f"_l{layer}"
            if self.bidirectional:
                yield f"_l{layer}_reverse"

    def _weight_names(self) -> list[str]:
        kinds = ["weight_ih", "weight_hh"] + ["weight_hr"] * (self.proj_size > 0)
        return [kind + suffix for suffix in self._suffixes() for kind in kinds]

    def _start(
        self, hx: Tensor | tuple[Tensor, Tensor] | None, data: Tensor, batch: int
    ) -> list[Tensor]:
        """Initial states, `(layers x directions, B, H)` each."""
        outer = self.num_layers * (2 if self.bidirectional else 1)
        shapes = [(outer, batch, self.proj_size or self.hidden_size)]
        if self.mode == "LSTM":
            shapes.append((outer, batch, self.hidden_size))
        if hx is None:
            return [data.new_zeros(shape) for shape in shapes]
        states = [hx] if isinstance(hx, Tensor) else list(hx)
        if [tuple(state.shape) for state in states] != shapes:
            raise ValueError(
                f"The initial states of this {self.mode} must have shapes {shapes}, but got "
                f"{[tuple(state.shape) for state in states]}."
            )
        return states

    def _run(
        self, data: Tensor, steps: _Steps, states: list[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        directions = 2 if self.bidirectional else 1
        finals: list[State] = []
        outputs: list[Tensor] = []
        for index, suffix in enumerate(self._suffixes()):
            start = tuple(state[index] for state in states)
            y, final = self._run_direction(data, steps, start, suffix)
            finals.append(final)
            outputs.append(y)
            if len(outputs) == directions:
                data = outputs[0] if directions == 1 else torch.cat(outputs, dim=-1)
                outputs = []
                if index + 1 < len(states[0]) and self.dropout > 0:
                    data = F.dropout(data, self.dropout, training=self.training)
        return data, [torch.stack(of_layers) for of_layers in zip(*finals, strict=True)]

    def _run_direction(
        self, data: Tensor, steps: _Steps, state: State, suffix: str
    ) -> tuple[Tensor, State]:
        """One layer in one direction; packed samples that have ended keep their state."""
        on_input = self.get_submodule("weight_ih" + suffix)
        on_state = self.get_submodule("weight_hh" + suffix)
        project = self.get_submodule("weight_hr" + suffix) if self.proj_size > 0 else None
        backwards = suffix.endswith("_reverse")
        batch = len(state[0])
        samples = batch if steps.batch_sizes is None else None
        with ExitStack() as stack:
            for matrix in (on_state, project):
                if isinstance(matrix, StepLayer):
                    stack.enter_context(matrix.one_batch(samples))
            if self._in_one_go(steps, on_state, project):
                # Time first, so that the inputs, not the gates, are brought into order.
                gates = on_input(data.transpose(0, 1).contiguous())
                return _lstm(on_state, gates, state, backwards=backwards)
            inputs = steps.cut(on_input(data))
            outputs = list(inputs)
            times = range(len(inputs))
            for t in reversed(times) if backwards else times:
                running = len(inputs[t])
                now = state if running == batch else tuple(part[:running] for part in state)
                new = STEPS[self.mode](inputs[t], on_state(now[0]), now)
                if project is not None:
                    new = (project(new[0]), *new[1:])
                outputs[t] = new[0]
                state = new if running == batch else _continued(new, state, running)
        return steps.join(outputs), state

    def _in_one_go(self, steps: _Steps, on_state: nn.Module, project: nn.Module | None) -> bool:
        return (
            self.mode == "LSTM"
            and steps.batch_sizes is None
            and project is None
            and isinstance(on_state, StepLayer)
            and takes_sequences(on_state)
        )

    def _as_given(self, states: list[Tensor]) -> Tensor | tuple[Tensor, Tensor]:
        return (states[0], states[1]) if self.mode == "LSTM" else states[0]


def _lstm(
    matrix: nn.Module, gates: Tensor, state: State, *, backwards: bool
) -> tuple[Tensor, State]:
    """All steps of `(T, B, 4H)` at once; outputs `(B, T, H)`."""
    assert isinstance(matrix, StepLayer)
    outputs, h, c = lstm_sequence(matrix, gates.flip(0) if backwards else gates, *state)
    return (outputs.flip(0) if backwards else outputs).transpose(0, 1), (h, c)


def _reordered(state: Tensor, order: Tensor | None) -> Tensor:
    return state if order is None else state.index_select(1, order)


def _continued(new: State, old: State, running: int) -> State:
    """States of a batch of which the first `running` samples took a step."""
    return tuple(torch.cat([a, b[running:]]) for a, b in zip(new, old, strict=True))
