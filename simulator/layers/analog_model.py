"""A network with analog layers, on one or many simulated chips."""

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from analognas.simulator.free_memory import usable_bytes
from analognas.simulator.hardware import Hardware
from analognas.simulator.layers.analog_layer import AnalogLayer
from analognas.simulator.layers.chip_norms import batch_norms, computed_by, normalise
from analognas.simulator.layers.folding import Folding, Inputs, NotFoldable
from analognas.simulator.layers.merged_norms import NormsAfter, find_norms_after, merged
from analognas.simulator.mapping import split_evenly
from analognas.simulator.tile import Places, room_for

logger = logging.getLogger(__name__)

STATISTICS = "chip_statistics/"  # begins the names of the buffers that hold them


class AnalogModel(nn.Module):
    """A network whose matrix layers may be analog.

    Before `program` it maps `(B, ...)` to the outputs of `network`; after it, to `(chips, B, ...)`:
    the same inputs on every chip.

    Chips run one after another or at once, as `chips_at_once` tells. One after another keeps an
    activation in the caches of a CPU and needs the memory of one chip only. At once, the network
    sees one batch `(K B, ...)`, chips varying slowest, and every analog layer computes its share
    for each chip in one go; of as many chips as the memory holds. Then every tensor among the
    arguments (in tuples, lists and dictionaries too) that is as long as the first argument is
    repeated for each chip, the others are passed as they are. A trial tells whether a network bears
    that (`Folding`): if not, a warning says why, and the chips run one after another. The noise of
    reads has the same law in both ways, not the same bits.

    The chips are part of the state dict: loaded into a twin of the same network on the same
    hardware, they compute as before (the noise of single reads begins anew).
    """

    chip_numbers: Tensor  # (K,)
    roots: Tensor  # (2,), seeds of the present state and of the chips' making
    t_s: Tensor  # scalar, age
    hardware_code: Tensor  # bytes that name the hardware of all layers

    def __init__(self, network: nn.Module, hardware: Hardware) -> None:
        super().__init__()
        self.network = network
        self.hardware = hardware
        self.chips: tuple[int, ...] = ()
        self.chips_at_once: bool | None = None  # None: on a GPU
        self._foldings: dict[Any, Folding | None] = {}  # by the form of the inputs
        self._norms_after: dict[Any, NormsAfter] = {}  # likewise
        self.register_load_state_dict_post_hook(  # type: ignore[no-untyped-call]
            _restore_chips
        )

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Call the network; on chips, every tensor of its output gets the chips as first axis."""
        if not self.chips:
            return self.network(*args, **kwargs)
        self._check_inputs([*args, *kwargs.values()])
        rounds = self.rounds(*args, **kwargs)
        inputs = Inputs(args, kwargs)
        norms = self._norms_merged_for(inputs)
        if rounds is None:
            outputs = []
            for chip in range(len(self.chips)):
                with self.on_chip(chip), merged(norms, {}):
                    outputs.append(self.network(*args, **kwargs))
            return _joined(outputs, torch.stack)
        folding = self._folding(inputs)
        assert folding is not None
        outputs = []
        for places in rounds:
            chips = places.stop - places.start
            statistics = {name: values[places] for name, values in self.chip_statistics.items()}
            with self.on_chips(places), merged(norms, statistics):
                outputs.append(folding.unfold(inputs.call(self.network, chips), chips))
        return _joined(outputs, torch.cat)

    def rounds(self, *args: Any, **kwargs: Any) -> list[slice] | None:
        """Chips that compute these inputs at once, round after round; None: one after another."""
        at_once = self.chips_at_once
        if at_once is None:
            at_once = next(self.parameters()).is_cuda
        if not at_once or len(self.chips) == 1:
            return None
        inputs = Inputs(args, kwargs)
        folding = self._folding(inputs)
        if folding is None:
            return None
        weight = next(self.parameters())
        needed = inputs.samples * folding.numbers_per_sample * weight.element_size()
        fitting = max(1, usable_bytes(weight.device) // needed)
        return [slice(*bounds) for bounds in split_evenly(len(self.chips), fitting)]

    def _norms_merged_for(self, inputs: Inputs) -> NormsAfter:
        """Batch norms that the layers before them compute along."""
        form = inputs.form
        if form not in self._norms_after:
            self._norms_after[form] = find_norms_after(self.network, inputs)
        return self._norms_after[form]

    def _folding(self, inputs: Inputs) -> Folding | None:
        """How the network takes several chips; None if it does not."""
        form = inputs.form
        if form not in self._foldings:
            if not inputs.can_tell:
                return None
            try:
                self._foldings[form] = Folding.of(self.network, inputs)
            except NotFoldable as reason:
                logger.warning("The chips are simulated one after another: %s", reason)
                self._foldings[form] = None
        return self._foldings[form]

    @contextmanager
    def on_chip(self, chip: int) -> Iterator[None]:
        """Let `network` compute on the chip at place `chip` of `chips`."""
        self._activate(chip)
        with self._statistics_of(chip):
            yield

    @contextmanager
    def on_chips(self, places: slice) -> Iterator[None]:
        """Let `network` compute on several chips at once, a batch `(K B, ...)` with K slowest."""
        statistics = {name: values[places] for name, values in self.chip_statistics.items()}
        names = {name.rpartition(".")[0] for name in statistics}
        norms = {name: norm for name, norm in batch_norms(self.network).items() if name in names}

        def compute(name: str, norm: nn.Module, x: Tensor) -> Tensor:
            mean, variance = (statistics[f"{name}.running_{kind}"] for kind in ("mean", "var"))
            return normalise(norm, x, mean, variance)

        self._activate(places)
        try:
            with computed_by(compute, norms):
                yield
        finally:
            self._activate(0)

    def _activate(self, places: Places) -> None:
        for _, layer in analog_layers(self):
            layer.active = places

    def remember_chips(self, chips: tuple[int, ...], *, root: int, factory_root: int) -> None:
        """Note which chips the layers were programmed on; their age is zero."""
        device = next(self.parameters()).device
        self.chips = chips
        self._foldings, self._norms_after = {}, {}
        self.set_chip_statistics({})
        self.register_buffer("chip_numbers", torch.tensor(chips, device=device))
        self.register_buffer("roots", torch.tensor([root, factory_root], device=device))
        self.register_buffer("t_s", torch.zeros((), dtype=torch.float64, device=device))
        self.register_buffer("hardware_code", self._code().to(device))

    @property
    def chip_statistics(self) -> dict[str, Tensor]:
        """Batch-norm statistics of each chip, `(K, C)` by name, where they were recalibrated."""
        return {
            name.removeprefix(STATISTICS).replace("/", "."): values
            for name, values in self.named_buffers(recurse=False)
            if name.startswith(STATISTICS)
        }

    def set_chip_statistics(self, statistics: Mapping[str, Tensor]) -> None:
        """Give every chip batch-norm statistics of its own; none takes the network's again."""
        for name in list(self._buffers):
            if name.startswith(STATISTICS):
                del self._buffers[name]
        for name, values in statistics.items():
            self.register_buffer(STATISTICS + name.replace(".", "/"), values)

    def remember_time(self, t_s: float, *, root: int) -> None:
        """Note the age of the chips and the seed of their present noise."""
        self.t_s.fill_(t_s)
        self.roots[0] = root

    def _code(self) -> Tensor:
        names = [f"{name}:{layer.hardware.hash}" for name, layer in analog_layers(self)]
        digest = hashlib.blake2b("\n".join(names).encode(), digest_size=8).digest()
        return torch.tensor(list(digest), dtype=torch.uint8)

    @contextmanager
    def _statistics_of(self, chip: int) -> Iterator[None]:
        if not self.chip_statistics:
            yield
            return
        buffers = dict(self.network.named_buffers())
        own = {name: buffers[name].clone() for name in self.chip_statistics}
        try:
            for name, values in self.chip_statistics.items():
                buffers[name].copy_(values[chip])
            yield
        finally:
            for name, values in own.items():
                buffers[name].copy_(values)

    def _check_inputs(self, inputs: Sequence[Any]) -> None:
        if self.training:
            raise ValueError(
                "A programmed model must be in evaluation mode, but it is in training mode. "
                "Call `analog.eval()` first."
            )
        for x in inputs:
            if isinstance(x, Tensor) and x.is_floating_point() and not bool(x.isfinite().all()):
                bad = x[~x.isfinite()][0].item()
                raise ValueError(
                    f"The inputs of the network must be finite, but one is {bad}. Check the data."
                )

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        stored = state_dict.get(f"{prefix}hardware_code")
        if stored is not None and not torch.equal(stored.cpu(), self._code()):
            raise ValueError(
                "The chips in a state must be those of this model's hardware, but the state has "
                "other hardware or other analog layers. Call `to_analog` with the hardware that "
                "the chips were programmed for."
            )
        weight = next(self.parameters())
        for name in AnalogModel.__annotations__:
            if prefix + name in state_dict:
                room = torch.empty_like(state_dict[prefix + name], device=weight.device)
                self.register_buffer(name, room)
        start = prefix + STATISTICS
        self.set_chip_statistics(
            {
                name.removeprefix(start).replace("/", "."): room_for(values, weight)
                for name, values in state_dict.items()
                if name.startswith(start)
            }
        )
        super()._load_from_state_dict(state_dict, prefix, *args)


def _restore_chips(analog: nn.Module, _: object) -> None:
    """After loading: give the layers their chips and streams back."""
    assert isinstance(analog, AnalogModel)
    if "chip_numbers" not in dict(analog.named_buffers(recurse=False)):
        return
    chips = tuple(int(number) for number in analog.chip_numbers)
    analog.chips = chips
    analog._foldings, analog._norms_after = {}, {}
    for _, layer in analog_layers(analog):
        layer.restore(chips, int(analog.roots[0]), t_s=float(analog.t_s))
    analog.eval()


def _joined(outputs: list[Any], join: Callable[[list[Tensor]], Tensor]) -> Any:
    """Join the tensors of equally built outputs."""
    first = outputs[0]
    if isinstance(first, Tensor):
        return join(outputs)
    if isinstance(first, dict):
        return {key: _joined([output[key] for output in outputs], join) for key in first}
    if isinstance(first, tuple | list):
        parts = [_joined(list(part), join) for part in zip(*outputs, strict=True)]
        return type(first)(*parts) if hasattr(first, "_fields") else type(first)(parts)
    return first  # not a tensor: the same on every chip


def analog_layers(model: nn.Module) -> Iterator[tuple[str, AnalogLayer]]:
    """Every analog layer with its name in the original network."""
    for name, module in model.named_modules():
        if isinstance(module, AnalogLayer):
            yield name.removeprefix("network."), module
