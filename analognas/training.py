"""Train a network hardware-aware (HWA) for a task."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import torch
import torch.nn.functional as F
from annotated_types import Ge, Gt, Lt
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass as record
from torch import Tensor

from analognas.errors import UserError
from analognas.simulator import (
    AnalogModel,
    Hardware,
    HwaRecipe,
    TrainingSession,
    analog_layers,
    noisy_training,
    spawn_generator,
    to_analog,
    to_digital,
)

if TYPE_CHECKING:
    from analognas.search_spaces import Architecture, SearchSpace
    from analognas.tasks import Task

Progress = Callable[[int, int, str], None]  # done, total, message
Clock = Callable[[], float]  # seconds, from any start
RANGE_PREFIX = "input_range:"  # names of input ranges in a state, beside the network's own names


@record(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class TrainingRecipe:
    """Schedule of a training run; the same for every network that is compared.

    AdamW (plain SGD for the input ranges) with a linear warm-up and a cosine decay to zero; no
    early stopping and no choice of epoch, so that nothing is tuned on the data that judges.
    """

    epochs: Annotated[int, Ge(1)] = 20
    batch_size: Annotated[int, Ge(1)] = 64
    learning_rate: Annotated[float, Gt(0)] = 4e-3
    range_learning_rate: Annotated[float, Ge(0)] = 0.1
    weight_decay: Annotated[float, Ge(0)] = 0.01
    warmup_fraction: Annotated[float, Ge(0), Lt(1)] = 0.1
    label_smoothing: Annotated[float, Ge(0), Lt(1)] = 0.05
    hwa: HwaRecipe = field(default_factory=HwaRecipe)

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "hwa": self.hwa.to_dict()}


LABEL_RECIPE = TrainingRecipe(epochs=15)  # for the tables that surrogates are fitted on
FULL_RECIPE = TrainingRecipe(epochs=50)  # for winners and baselines


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """A network after HWA training, not yet on any chip."""

    space: SearchSpace
    architecture: Architecture
    analog: AnalogModel
    recipe: TrainingRecipe
    seed: int
    seconds: float
    keep_digital: tuple[str, ...] = ()  # names of layers that are on no tile

    @property
    def digital(self) -> torch.nn.Module:
        """What was trained, without analog effects: ordinary layers that clip their inputs."""
        return to_digital(self.analog, clip_inputs=True).eval()

    @property
    def state(self) -> dict[str, Tensor]:
        """Weights, batch-norm statistics and input ranges, under plain names, on the CPU."""
        state = {name: tensor.cpu() for name, tensor in self.digital.state_dict().items()}
        for name, layer in analog_layers(self.analog):
            state[RANGE_PREFIX + name] = layer.input_range.detach().cpu().reshape(1)
        return state


Watch = Callable[[int, TrainedNetwork], None]  # epochs done, the network as it is


def pick_device(name: str) -> torch.device:
    """Resolve `auto` to the GPU when there is one.

    Raises:
        UserError: The device is unknown, or not there.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise UserError(f"Unknown device {name!r}. Choose one of: auto, cpu, cuda.")
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("The device cuda was asked for, but there is none. Use --device cpu.")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def train_network(  # noqa: PLR0913  (a seam: the things a training run is made of)
    space: SearchSpace,
    arch: Architecture,
    task: Task,
    recipe: TrainingRecipe,
    hardware: Hardware,
    *,
    seed: int,
    device: str | torch.device = "cpu",
    keep_digital: Sequence[str] = (),
    start: TrainedNetwork | None = None,
    progress: Progress | None = None,
    watch: Watch | None = None,
    clock: Clock = time.perf_counter,
) -> TrainedNetwork:
    """Train `arch` on the training part of `task`, feeling the noise of `hardware`.

    Initial weights, order of the batches, augmentation and noise each have a random stream of their
    own, derived from `seed` and the architecture's key; a second stage has others than the first.

    Args:
        space: Of the architecture.
        arch: The network.
        task: Its training part is used.
        recipe: Schedule, and what is felt.
        hardware: The tiles. If the recipe learns the gain of their ADCs, that of the result's
            `analog` differs from it.
        seed: Of all random streams.
        device: Where to train.
        keep_digital: Names of layers that feel no hardware.
        start: A first stage whose weights to continue from, by default none.
        progress: Told after every epoch.
        watch: Shown the network after every epoch but the last. It must not change anything; its
            own time does not count as training.
        clock: Counts the seconds. `time.process_time` leaves out those of other programs.

    Raises:
        ValueError: The recipe asks for a teacher, and this training has none; or `start` is of
            another architecture.
    """
    if recipe.hwa.distillation is not None:
        raise ValueError(
            f"`hwa.distillation` must be None, but got {recipe.hwa.distillation}. There is no "
            "teacher in this training; write a loop with `noisy_training` to use one."
        )
    if start is not None and start.architecture.key != arch.key:
        raise ValueError(
            f"`start` must be a training of {arch.key}, but it is one of {start.architecture.key}."
        )
    began = clock()
    device = torch.device(device)
    stage = arch.key if start is None else f"{arch.key}/second stage"
    network = space.build(arch, generator=spawn_generator(seed, arch.key, "weights"))
    if start is not None:
        network.load_state_dict(start.digital.state_dict())
    kept = tuple(keep_digital)
    analog = to_analog(network, hardware, keep_digital=kept).to(device).train()
    noise = spawn_generator(seed, stage, "noise", device=device)
    watched = 0.0

    def after_epoch(epoch: int) -> None:
        nonlocal watched
        if progress is not None:
            progress(epoch, recipe.epochs, "training")
        if watch is not None and epoch < recipe.epochs:
            paused = clock()
            spent = paused - began - watched
            watch(epoch, TrainedNetwork(space, arch, analog, recipe, seed, spent, kept))
            watched += clock() - paused

    with noisy_training(analog, recipe.hwa, generator=noise) as session:
        _fit(session, analog, task, recipe, path=(seed, stage), after_epoch=after_epoch)
    analog.eval()
    seconds = clock() - began - watched
    return TrainedNetwork(space, arch, analog, recipe, seed, seconds, kept)


def restore_network(  # noqa: PLR0913
    space: SearchSpace,
    arch: Architecture,
    state: Mapping[str, Tensor],
    recipe: TrainingRecipe,
    hardware: Hardware,
    *,
    seed: int,
    device: str | torch.device = "cpu",
    keep_digital: Sequence[str] = (),
) -> TrainedNetwork:
    """Put stored weights (`TrainedNetwork.state`, float16 or float32) back into a network.

    Raises:
        ValueError: The state belongs to another architecture.
    """
    network = space.build(arch, generator=spawn_generator(seed, arch.key, "weights"))
    expected = network.state_dict()
    weights = {name: value for name, value in state.items() if not name.startswith(RANGE_PREFIX)}
    ranges = {
        name.removeprefix(RANGE_PREFIX): value
        for name, value in state.items()
        if name.startswith(RANGE_PREFIX)
    }
    if {k: tuple(v.shape) for k, v in weights.items()} != {
        k: tuple(v.shape) for k, v in expected.items()
    }:
        raise ValueError(
            f"The weights must be those of architecture {arch.key}, but names or shapes differ. "
            "Give the weights that were stored beside this architecture."
        )
    network.load_state_dict(
        {name: value.to(expected[name].dtype) for name, value in weights.items()}
    )
    kept = tuple(keep_digital)
    analog = to_analog(network, hardware, keep_digital=kept).to(torch.device(device)).eval()
    layers = dict(analog_layers(analog))
    if set(ranges) != set(layers):
        raise ValueError(
            f"The weights must hold an input range for each of {sorted(layers)}, but they hold "
            f"{sorted(ranges)}."
        )
    with torch.no_grad():
        for name, layer in layers.items():
            layer.input_range.fill_(float(ranges[name].float().item()))
    return TrainedNetwork(space, arch, analog, recipe, seed, 0.0, kept)


def _fit(
    session: TrainingSession,
    analog: AnalogModel,
    task: Task,
    recipe: TrainingRecipe,
    *,
    path: tuple[int, str],
    after_epoch: Callable[[int], None],
) -> None:
    seed, key = path
    device = next(analog.parameters()).device
    inputs = torch.from_numpy(task.train.inputs).to(device)
    labels = torch.from_numpy(task.train.labels).to(device)
    order = spawn_generator(seed, key, "order")
    augmentation = spawn_generator(seed, key, "augmentation", device=device)
    optimizers = _optimizers(analog, recipe)
    peaks = (recipe.learning_rate, recipe.range_learning_rate)
    batches = max(1, len(inputs) // recipe.batch_size)
    steps, step = recipe.epochs * batches, 0
    for epoch in range(recipe.epochs):
        permutation = torch.randperm(len(inputs), generator=order).to(device)
        for batch in range(batches):
            chosen = permutation[batch * recipe.batch_size : (batch + 1) * recipe.batch_size]
            factor = _schedule(step / steps, recipe.warmup_fraction)
            for optimizer, peak in zip(optimizers, peaks, strict=True):
                optimizer.zero_grad(set_to_none=True)
                for group in optimizer.param_groups:
                    group["lr"] = peak * factor
            x = task.augment(inputs[chosen], augmentation)
            logits = analog(x)
            loss = F.cross_entropy(logits, labels[chosen], label_smoothing=recipe.label_smoothing)
            loss.backward()  # type: ignore[no-untyped-call]
            for optimizer in optimizers:
                optimizer.step()
            step += 1
            session.step(progress=step / steps)
        after_epoch(epoch + 1)


def _optimizers(
    analog: AnalogModel, recipe: TrainingRecipe
) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
    """AdamW for the network, plain SGD for the input ranges.

    Weight decay acts on matrices only. The ranges' gradient holds a small decay that is meant to
    stay small: Adam's normalisation would blow it up into steady clipping.
    """
    matrices = [p for p in analog.parameters() if p.dim() > 1]
    others = [p for p in analog.parameters() if p.dim() == 1]
    ranges = [layer.input_range for _, layer in analog_layers(analog)]
    network = torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": recipe.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ],
        fused=True,
    )
    return network, torch.optim.SGD(ranges)


def _schedule(fraction: float, warmup: float) -> float:
    if fraction < warmup:
        return fraction / warmup
    return 0.5 * (1 + math.cos(math.pi * (fraction - warmup) / (1 - warmup)))
