"""Analog twins of torch's recurrent cells, and what one time step computes."""

from collections.abc import Callable, Iterable

from torch import Tensor, nn

from analognas.simulator.layers.matrices import HardwareOf, matrix_layer

RecurrentCell = nn.LSTMCell | nn.GRUCell | nn.RNNCell
State = tuple[Tensor, ...]  # (h, c) of an LSTM, (h,) of the others
Step = Callable[[Tensor, Tensor, State], State]


def lstm_step(from_input: Tensor, from_state: Tensor, state: State) -> State:
    """New `(h, c)` from the two products `(B, 4H)`, biases included; gates in torch's order."""
    take, keep, value, show = (from_input + from_state).chunk(4, dim=-1)
    cell = keep.sigmoid() * state[1] + take.sigmoid() * _tanh(value)
    return show.sigmoid() * _tanh(cell), cell


def gru_step(from_input: Tensor, from_state: Tensor, state: State) -> State:
    """New `(h,)` from the two products `(B, 3H)`; the reset gate acts behind product and bias."""
    input_reset, input_keep, input_new = from_input.chunk(3, dim=-1)
    state_reset, state_keep, state_new = from_state.chunk(3, dim=-1)
    reset = (input_reset + state_reset).sigmoid()
    keep = (input_keep + state_keep).sigmoid()
    new = (input_new + reset * state_new).tanh()
    return (new + keep * (state[0] - new),)


def tanh_step(from_input: Tensor, from_state: Tensor, state: State) -> State:
    return ((from_input + from_state).tanh(),)


def relu_step(from_input: Tensor, from_state: Tensor, state: State) -> State:
    return ((from_input + from_state).relu(),)


def _tanh(x: Tensor) -> Tensor:
    """By way of the sigmoid, which torch computes eight times as fast on the CPU."""
    return 2 * (2 * x).sigmoid() - 1


STEPS: dict[str, Step] = {
    "LSTM": lstm_step,
    "GRU": gru_step,
    "RNN_TANH": tanh_step,
    "RNN_RELU": relu_step,
}


class AnalogRecurrentCell(nn.Module):
    """Twin of `nn.LSTMCell`, `nn.GRUCell` and `nn.RNNCell`; matrices `weight_ih`, `weight_hh`.

    In training, the weight noise is drawn at every call: a cell does not know which calls are steps
    of one batch.

    Args:
        digital: The cell to compute; its parameters are used, not copied.
        hardware_of: The hardware of a matrix by its name.
        name: Path of the cell in its network.
    """

    def __init__(self, digital: RecurrentCell, hardware_of: HardwareOf, name: str = "") -> None:
        super().__init__()
        self._original = (digital,)
        self.input_size = digital.input_size
        self.hidden_size = digital.hidden_size
        self.bias = digital.bias
        if isinstance(digital, nn.RNNCell):
            self.mode = f"RNN_{digital.nonlinearity.upper()}"
        else:
            self.mode = "LSTM" if isinstance(digital, nn.LSTMCell) else "GRU"
        for weight_name in ("weight_ih", "weight_hh"):
            weight, bias = getattr(digital, weight_name), getattr(digital, bias_name(weight_name))
            matrix = matrix_layer(weight, bias, f"{name}.{weight_name}", hardware_of)
            self.add_module(weight_name, matrix)

    @property
    def digital(self) -> RecurrentCell:
        """The cell itself, with the present weights."""
        (digital,) = self._original
        give_back(self, digital, ["weight_ih", "weight_hh"])
        return digital

    def forward(
        self, input: Tensor, hx: Tensor | tuple[Tensor, Tensor] | None = None
    ) -> Tensor | tuple[Tensor, Tensor]:
        if input.dim() not in (1, 2):
            raise ValueError(
                "The input of a recurrent cell must have 2 dimensions, or 1 without a batch, but "
                f"got shape {tuple(input.shape)}."
            )
        if hx is None:
            zeros = input.new_zeros(*input.shape[:-1], self.hidden_size)
            state: State = (zeros, zeros) if self.mode == "LSTM" else (zeros,)
        else:
            state = (hx,) if isinstance(hx, Tensor) else hx
        expected = (*input.shape[:-1], self.hidden_size)
        if len(state) != (2 if self.mode == "LSTM" else 1) or any(
            part.shape != expected for part in state
        ):
            raise ValueError(
                f"The states of this {self.mode} cell must have shape {expected}, but got "
                f"{[tuple(part.shape) for part in state]}."
            )
        from_input = self.get_submodule("weight_ih")(input)
        from_state = self.get_submodule("weight_hh")(state[0])
        new = STEPS[self.mode](from_input, from_state, state)
        return (new[0], new[1]) if self.mode == "LSTM" else new[0]


def bias_name(weight_name: str) -> str:
    """Of the bias beside a weight; the projection has none."""
    return weight_name.replace("weight_", "bias_")


def give_back(twin: nn.Module, digital: nn.Module, weight_names: Iterable[str]) -> None:
    """Put the parameters of the twin's matrices into the original layer."""
    for weight_name in weight_names:
        matrix = twin.get_submodule(weight_name)
        setattr(digital, weight_name, matrix.weight)
        if matrix.bias is not None:
            setattr(digital, bias_name(weight_name), matrix.bias)
    digital.train(twin.training)
