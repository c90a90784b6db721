"""One network the whole way: train it, age it on simulated chips, write its bundle."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from safetensors.torch import save
from torch import nn

from analognas import __version__
from analognas.allocator import keep_freed_memory
from analognas.deployment import bundle as files
from analognas.deployment.bundle import FoundAccuracy, Origin, PredictedAccuracy
from analognas.deployment.chosen_hardware import ChosenHardware
from analognas.deployment.onnx_export import TOLERANCE, export_onnx, largest_difference
from analognas.deployment.readme import describe
from analognas.errors import UserError
from analognas.evaluation import evaluate_trained
from analognas.files import write_bytes, write_text
from analognas.simulator.chip import LayerCost, cost_scope, estimate_cost, place
from analognas.training import FULL_RECIPE, TrainingRecipe, train_network

if TYPE_CHECKING:
    from analognas.records import Evaluation
    from analognas.search_spaces import Architecture, SearchSpace
    from analognas.simulator import Hardware
    from analognas.simulator.chip import ChipSpec, Placement
    from analognas.tasks import Task

Progress = Callable[[int, int, str], None]  # done, total, message

TRAINING_SHARE = 0.9  # of the time of a network, for the progress bar
CHECKED_INPUTS = 8  # test inputs on which the ONNX file is compared with torch


class Interval(Protocol):
    """A predicted accuracy; the bounds may be unknown."""

    @property
    def mean(self) -> float: ...
    @property
    def lower(self) -> float | None: ...
    @property
    def upper(self) -> float | None: ...


class Pick(Protocol):
    """A network worth training.

    `predicted` maps seconds after programming to accuracies that a surrogate predicted, `found` to
    those that a search has simulated on the validation part after a shorter training. `setting` is
    that of a network whose hardware was searched; None takes that of the run.
    """

    @property
    def name(self) -> str: ...
    @property
    def architecture(self) -> Architecture: ...
    @property
    def predicted(self) -> Mapping[float, Interval]: ...
    @property
    def found(self) -> Mapping[float, float]: ...
    @property
    def setting(self) -> Deployment | None: ...


class Trained(Protocol):
    """What training returns, as far as a bundle needs it."""

    @property
    def digital(self) -> nn.Module: ...
    @property
    def state(self) -> dict[str, torch.Tensor]: ...


@dataclass(frozen=True)
class NamedNetwork:
    """A pick that needs no search: a baseline, or a network that the user asked for."""

    name: str
    architecture: Architecture
    predicted: Mapping[float, Interval] = field(default_factory=dict)
    found: Mapping[float, float] = field(default_factory=dict)
    setting: Deployment | None = None


@dataclass(frozen=True)
class Methods:
    """How networks are trained, measured and written; top-level functions, for other processes."""

    train: Callable[[Deployment, Architecture, Progress], Trained]
    measure: Callable[[Deployment, Any], Evaluation]
    write_onnx: Callable[[Path, Deployment, nn.Module, str], None]


def train_fully(setting: Deployment, arch: Architecture, progress: Progress) -> Trained:
    """Train a network hardware-aware with the schedule of the run."""
    return train_network(
        setting.space,
        arch,
        setting.task,
        setting.recipe,
        setting.hardware,
        seed=setting.seed,
        device=setting.device,
        keep_digital=setting.keep_digital,
        progress=progress,
    )


def measure_on_test_part(setting: Deployment, trained: Any) -> Evaluation:
    """Measure a trained network on simulated chips at every time, on the test part."""
    return evaluate_trained(
        trained, setting.task, setting.hardware, setting.chip, part="test", chips=setting.chips
    )


def write_checked_onnx(path: Path, setting: Deployment, network: nn.Module, key: str) -> None:
    """Write a digital network as ONNX; where onnxruntime is installed, check that it agrees."""
    task = setting.task
    metadata = {
        "key": key,
        "task": task.title,
        "classes": ",".join(task.classes),
        "data_key": task.data_key,
        "analognas_version": __version__,
        "note": "Digital network; the accuracy on analog chips is in evaluation.json.",
    }
    export_onnx(network, task.input_shape, path, metadata=metadata)
    difference = largest_difference(path, network, task.test.inputs[:CHECKED_INPUTS])
    if difference is not None and difference > TOLERANCE:
        raise RuntimeError(
            f"The exported network differs from torch by {difference:.1e} of the largest logit, "
            f"more than {TOLERANCE:.0e}."
        )


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """Everything that the networks of a run have in common when they are deployed.

    Where the hardware was searched, every network has a setting of its own, and `chosen` says what
    was chosen.

    The number of threads is part of it because sums that are split over other numbers of threads
    round differently: with it fixed, results do not depend on how many processes share the work.
    """

    task: Task
    space: SearchSpace
    hardware: Hardware
    chip: ChipSpec
    seed: int
    chips: int = 25
    recipe: TrainingRecipe = FULL_RECIPE
    device: str = "cpu"
    threads: int = 1
    methods: Methods = Methods(train_fully, measure_on_test_part, write_checked_onnx)
    chosen: ChosenHardware | None = None

    @property
    def keep_digital(self) -> tuple[str, ...]:
        """Names of layers that are on no crossbar."""
        return () if self.chosen is None else self.chosen.keep_digital

    def key_of(self, arch: Architecture) -> str:
        """The key of a network on this hardware."""
        return arch.key if self.chosen is None else self.chosen.key


def deploy_network(
    setting: Deployment,
    pick: Pick,
    folder: Path,
    *,
    baseline: bool = False,
    progress: Progress | None = None,
) -> None:
    """Train, deploy and measure one network, and write its bundle.

    Args:
        setting: What all networks of the run share.
        pick: The network and what was predicted of it.
        folder: The bundle's folder; it appears at once, complete.
        baseline: Whether the network is a baseline and not a result of the search.
        progress: Told how far the network is, in percent.
    """

    def report(done: int, total: int, message: str) -> None:
        if progress is not None:
            share = TRAINING_SHARE * done / max(total, 1)
            progress(round(100 * share), 100, f"{pick.name}: {message or 'training'}")

    with using_threads(setting.threads):
        report(0, 1, "training")
        trained = setting.methods.train(setting, pick.architecture, report)
        report(1, 1, f"on {setting.chips} simulated chips")
        evaluation = setting.methods.measure(setting, trained)
        if setting.chosen is not None:
            evaluation = replace(evaluation, key=setting.chosen.key)
        with files.writing_folder(folder) as unfinished:
            placement = write_bundle(unfinished, setting, trained, evaluation)
            origin = _origin(pick, baseline)
            scope = cost_scope(setting.chip, evaluation.cost.read_mode)
            files.write_json(unfinished / files.PICK, origin.to_dict())
            text = describe(origin, evaluation, placement, scope, setting.chosen)
            write_text(unfinished / files.README, text)
    if progress is not None:
        progress(100, 100, f"{pick.name}: done")


def write_bundle(
    folder: Path, setting: Deployment, trained: Trained, evaluation: Evaluation
) -> Placement:
    """Write what a trained network is, what it costs and how it did into `folder`.

    Returns:
        Where it lies on the chip.
    """
    network = trained.digital.to("cpu")
    placement = place(
        network, setting.task.input_shape, setting.chip, keep_digital=setting.keep_digital
    )
    files.write_json(folder / files.ARCHITECTURE, evaluation.architecture)
    write_bytes(folder / files.WEIGHTS, save(_float32(trained.state), {"key": evaluation.key}))
    setting.methods.write_onnx(folder / files.NETWORK, setting, network, evaluation.key)
    files.write_json(folder / files.PLACEMENT, placement.to_dict())
    files.write_table(folder / files.ACCURACY, *files.accuracy_table(evaluation.analog))
    files.write_table(folder / files.COST, *_cost_table(placement, setting.chip))
    files.write_json(folder / files.EVALUATION, evaluation.to_dict())
    if setting.chosen is not None:
        files.write_json(folder / files.CHOSEN, setting.chosen.to_dict())
        write_text(folder / files.HARDWARE_FILE, setting.hardware.to_toml())
        write_text(folder / files.CHIP_FILE, setting.chip.to_toml())
    return placement


def is_finished(folder: Path, setting: Deployment, pick: Pick) -> bool:
    """Tell whether `folder` holds the bundle of this network, made with these settings."""
    try:
        found = files.read_bundle(folder)
    except UserError:
        return False
    evaluation = found.evaluation
    return (
        evaluation.key == setting.key_of(pick.architecture)
        and found.chosen == setting.chosen
        and evaluation.hardware_hash == setting.hardware.hash
        and evaluation.data_key == setting.task.data_key
        and evaluation.seed == setting.seed
        and json.dumps(evaluation.training) == json.dumps(setting.recipe.to_dict())
        and evaluation.analog.chips == setting.chips
    )


@contextmanager
def using_threads(threads: int) -> Iterator[None]:
    """Let torch use this many threads inside the block, and keep freed memory from now on."""
    keep_freed_memory()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _origin(pick: Pick, baseline: bool) -> Origin:
    predicted = tuple(
        PredictedAccuracy(t_s, interval.mean, interval.lower, interval.upper)
        for t_s, interval in pick.predicted.items()
    )
    found = tuple(FoundAccuracy(t_s, mean) for t_s, mean in pick.found.items())
    return Origin(pick.name, baseline, predicted, found)


def _float32(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {
        name: (value.float() if value.is_floating_point() else value).detach().cpu().contiguous()
        for name, value in state.items()
    }


def _cost_table(placement: Placement, chip: ChipSpec) -> tuple[list[str], list[list[object]]]:
    """One row a layer, one for all charged digital steps, the total in the last row.

    Every row says what its numbers cover.
    """
    cost = estimate_cost(placement, chip)
    columns = [column.name for column in fields(LayerCost)]
    total = {**asdict(cost), "layer": files.TOTAL, "mvms": sum(one.mvms for one in cost.layers)}
    rows: list[list[object]] = []
    steps = {
        "layer": files.DIGITAL,
        "energy_nJ": sum(step.energy_nJ or 0.0 for step in cost.digital),
        "latency_us": sum(step.latency_us for step in cost.digital),
    }
    charged = [steps] if steps["energy_nJ"] or steps["latency_us"] else []
    for record in (*(asdict(layer) for layer in cost.layers), *charged, total):
        values = [record.get(column, "") for column in columns]
        rows.append([*values, cost.chip, cost.read_mode, cost.kind, cost.scope])
    return [*columns, "chip", "read_mode", "kind", "scope"], rows
