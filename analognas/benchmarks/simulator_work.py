"""The work that is timed: training steps and evaluations, digital and simulated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from analognas.benchmarks.simulator_models import BenchmarkModel
from analognas.benchmarks.simulator_timing import Work
from analognas.records import EVALUATION_TIMES_S
from analognas.simulator import (
    AnalogModel,
    Hardware,
    HwaRecipe,
    calibrate_input_ranges,
    program,
    set_time,
    spawn_generator,
    to_analog,
)
from analognas.simulator.hwa import noisy_training
from analognas.simulator.ir_drop import IrDrop
from analognas.simulator.presets import IDEAL, STANDARD_AIMC

TRAINING = "training"  # every other name of a work is that of a setting: an evaluation
TIMES_S = tuple(EVALUATION_TIMES_S.values())
# The standard model of Rasch et al. (2023): 512 rows, 8 bits. Its IR drop is an effect of its own.
STANDARD = replace(STANDARD_AIMC, ir_drop=IrDrop())
RECIPE = HwaRecipe(range_batches=1)  # the steady state: ranges are learned, not looked for
FEW_IMAGES = 8  # for finding out what is supported
LEARNING_RATE, MOMENTUM = 1e-3, 0.9
FORMATS: Mapping[str, torch.memory_format] = {
    "contiguous": torch.contiguous_format,
    "channels_last": torch.channels_last,
}


@dataclass(frozen=True)
class Setting:
    """Which effects an evaluation simulates, and how much slower than FP32 it may be."""

    title: str
    target: float | None
    hardware: Hardware


# In the order of their names, each with one effect more than the one before.
SETTINGS: Mapping[str, Setting] = {
    "0": Setting(
        "products on the same tiles, exact cells and converters: what layout and bookkeeping cost",
        None,
        replace(IDEAL, tile=STANDARD.tile),
    ),
    "i": Setting(
        "programming, drift, 1/f noise, DAC, ADC, output noise",
        1.6,
        replace(STANDARD, weight_read_noise=0.0),
    ),
    "ii": Setting("(i) and noise of every read of a weight", 2.8, STANDARD),
    "iii": Setting("(ii) and static IR drop", 5.0, STANDARD_AIMC),
}


@dataclass(frozen=True, eq=False)
class Subject:
    """A network with its batch, both in one memory format."""

    network: nn.Module
    x: Tensor  # (B, ...)
    labels: Tensor  # (B,)
    seed: int

    @classmethod
    def of(
        cls, model: BenchmarkModel, *, memory_format: str, seed: int, device: torch.device
    ) -> Subject:
        """Build the network of `model` and its batch."""
        network = model.network(seed=seed, device=device)
        x, labels = model.inputs(seed=seed, device=device)
        if memory_format != "contiguous":
            network.to(memory_format=FORMATS[memory_format])  # type: ignore[call-overload]
            x = x.contiguous(memory_format=FORMATS[memory_format])
        return cls(network, x, labels, seed)

    def first(self, images: int) -> Subject:
        """The same network with the first `images` of the batch."""
        return replace(self, x=self.x[:images], labels=self.labels[:images])


def formats_of(model: BenchmarkModel) -> tuple[str, ...]:
    """Memory formats that the input of `model` can have."""
    return tuple(FORMATS) if len(model.input_shape) == 3 else ("contiguous",)


# -------------------------------------------------------------------- training


def digital_training(subject: Subject) -> Work:
    """One FP32 training step: forward pass, loss, backward pass, SGD."""
    network = subject.network.train()
    return training_step(network, sgd(network), subject)


@contextmanager
def analog_training(subject: Subject) -> Iterator[Work]:
    """The same step hardware-aware, with the noise at full strength and the clipping after it."""
    analog = to_analog(subject.network.train(), STANDARD)
    generator = spawn_generator(subject.seed, "training")
    with noisy_training(analog, RECIPE, generator=generator) as session:
        session.step(progress=1.0)
        step = training_step(analog, sgd(analog), subject)

        def noisy_step() -> None:
            step()
            session.step(progress=1.0)

        yield noisy_step


def training_step(network: nn.Module, optimizer: torch.optim.Optimizer, subject: Subject) -> Work:
    """One step of `optimizer` on the batch of `subject`."""

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(network(subject.x), subject.labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def sgd(network: nn.Module) -> torch.optim.Optimizer:
    """The optimizer of every timed step."""
    return torch.optim.SGD(network.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)


# ------------------------------------------------------------------ evaluation


def digital_evaluation(subject: Subject, *, passes: int, copies: int = 1) -> Work:
    """`passes` FP32 forward passes over `copies` batches at once."""
    network = subject.network.eval()

    def evaluate() -> None:
        with torch.no_grad():
            for _ in range(passes):
                network(torch.cat([subject.x] * copies) if copies > 1 else subject.x)

    return evaluate


def analog_evaluation(
    subject: Subject, hardware: Hardware, *, chips: int, times_s: Sequence[float] = TIMES_S
) -> Callable[[], Tensor]:
    """Program `chips` chips, age them to every time, and run the batch through all of them.

    The work returns the outputs at the last time, `(chips, B, classes)`.
    """
    steps = EvaluationSteps(subject, hardware, chips=chips)

    def evaluate() -> Tensor:
        steps.program()
        for t_s in times_s:
            steps.age(t_s)
            outputs = steps.read()
        return outputs

    return evaluate


class EvaluationSteps:
    """The three steps of an evaluation, one by one."""

    def __init__(self, subject: Subject, hardware: Hardware, *, chips: int) -> None:
        self.subject, self.chips = subject, chips
        self.analog = to_analog(subject.network.eval(), hardware)
        calibrate_input_ranges(self.analog, subject.x)

    def program(self) -> None:
        generator = spawn_generator(self.subject.seed, "program")
        program(self.analog, chips=self.chips, generator=generator)

    def age(self, t_s: float = TIMES_S[-1]) -> None:
        generator = spawn_generator(self.subject.seed, "time", repr(t_s))
        set_time(self.analog, t_s=t_s, generator=generator)

    def read(self) -> Tensor:
        """Outputs of the batch on all chips, `(chips, B, classes)`."""
        with torch.no_grad():
            outputs: Tensor = self.analog(self.subject.x)
        return outputs


# --------------------------------------------------------------------- support


def why_no_training(subject: Subject) -> str | None:
    """What keeps the network from being trained hardware-aware; None if nothing does."""
    try:
        digital = digital_matrices(to_analog(subject.network, STANDARD))
        if not digital:
            with analog_training(subject.first(FEW_IMAGES)) as step:
                step()
    except (ValueError, NotImplementedError) as error:
        return str(error)
    return _stays_digital(digital)


def why_no_evaluation(subject: Subject, name: str) -> str | None:
    """What keeps setting `name` from being simulated for the network; None if nothing does."""
    few = subject.first(FEW_IMAGES)
    try:
        digital = digital_matrices(to_analog(subject.network, SETTINGS[name].hardware))
        if digital:
            return _stays_digital(digital)
        outputs = {
            key: analog_evaluation(few, setting.hardware, chips=1, times_s=TIMES_S[:1])()
            for key, setting in SETTINGS.items()
            if key <= name
        }
    except (ValueError, NotImplementedError) as error:
        return str(error)
    own = outputs.pop(name)
    if any(torch.equal(own, other) for other in outputs.values()):
        return "an effect of this setting changes nothing in the outputs"
    return None


def digital_matrices(analog: AnalogModel) -> list[str]:
    """Modules that hold a weight matrix which is not on a tile."""
    simulated = {
        id(parameter)
        for module in analog.network.modules()
        if type(module).__module__.startswith("analognas.simulator")
        for parameter in module.parameters()
    }
    return [
        f"{type(module).__name__} {name!r}"
        for name, module in analog.network.named_modules()
        if any(p.dim() > 1 and id(p) not in simulated for p in module.parameters(recurse=False))
    ]


def _stays_digital(names: Sequence[str]) -> str | None:
    return f"stays digital: {', '.join(names)}" if names else None
