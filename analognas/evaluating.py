"""Evaluate one network as a user asks for it: by file or by name, with a bundle if wanted."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analognas.allocator import keep_freed_memory
from analognas.deployment.bundle import read_bundle
from analognas.deployment.network import (
    Deployment,
    Methods,
    NamedNetwork,
    deploy_network,
    train_fully,
    write_checked_onnx,
)
from analognas.errors import UserError, checking
from analognas.evaluation import evaluate_trained
from analognas.files import check_new_folder
from analognas.hardware_choice import check_ages, hardware_for_chip
from analognas.search_spaces import Architecture, make_space
from analognas.shapes import place_architecture
from analognas.simulator.chip import load_chip
from analognas.training import FULL_RECIPE, Progress, pick_device

if TYPE_CHECKING:
    from analognas.records import Evaluation
    from analognas.simulator.chip import ChipSpec, Placement
    from analognas.tasks import Task

PARTS = ("validation", "test")
SPACE = "tinyml"


@dataclass(frozen=True, kw_only=True)
class EvaluationRequest:
    """A network to train and measure, as the user names things."""

    architecture: str  # a file, or the name of a network of the space
    part: str = "validation"
    chip: str = "hermes"
    hardware: str | None = None
    settings: tuple[str, ...] = ()
    chips: int = 25
    chip_batch: int | None = None
    epochs: int | None = None
    seed: int = 0
    device: str = "auto"


def evaluate_request(
    request: EvaluationRequest,
    task: Task,
    *,
    out: Path | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Train the network, program it onto simulated chips, measure it over a year.

    Args:
        request: Network, hardware, effort.
        task: Its data.
        out: New folder for the network's bundle (weights, ONNX, placement, costs).
        progress: Told how far the work is, in percent.

    Raises:
        UserError: Something named is unknown, the file is no architecture of this task, or the
            network does not fit the chip.
    """
    if request.part not in PARTS:
        raise UserError(f"--part must be one of {', '.join(PARTS)}, but got {request.part!r}.")
    if out is not None:
        check_new_folder(out)
    place = str(pick_device(request.device))
    arch, name = read_architecture(request.architecture, task)
    keep_freed_memory()
    with checking("chip"):
        chip = load_chip(request.chip)

    space = make_space(SPACE, input_shape=task.input_shape, n_classes=task.n_classes)
    with checking("chip"):
        place_architecture(space, arch, chip)  # before it is trained for nothing

    def measure(setting: Deployment, trained: Any) -> Evaluation:
        return evaluate_trained(
            trained,
            task,
            setting.hardware,
            chip,
            part=request.part,
            chips=request.chips,
            chip_batch=request.chip_batch,
        )

    setting = Deployment(
        task=task,
        space=space,
        hardware=check_ages(hardware_for_chip(request.hardware, request.settings, chip)),
        chip=chip,
        seed=request.seed,
        chips=request.chips,
        recipe=replace(FULL_RECIPE, epochs=request.epochs or FULL_RECIPE.epochs),
        device=place,
        methods=Methods(train_fully, measure, write_checked_onnx),
    )
    if out is not None:
        deploy_network(setting, NamedNetwork(name, arch), out, progress=progress)
        return read_bundle(out).evaluation

    def percent(done: int, total: int, message: str) -> None:
        if progress is not None:
            progress(round(90 * done / total), 100, message)

    trained = train_fully(setting, arch, percent)
    return measure(setting, trained)


def placement_of(evaluation: Evaluation, task: Task, chip: ChipSpec) -> Placement:
    """Where an evaluated network lies on its chip."""
    space = make_space(SPACE, input_shape=task.input_shape, n_classes=task.n_classes)
    return place_architecture(space, Architecture.from_dict(evaluation.architecture), chip)


def read_architecture(name_or_file: str, task: Task) -> tuple[Architecture, str]:
    """Read an architecture file, or look a named network up; returns it with its name."""
    space = make_space(SPACE, input_shape=task.input_shape, n_classes=task.n_classes)
    if name_or_file in space.named:
        return space.named[name_or_file], name_or_file
    path = Path(name_or_file)
    if not path.is_file():
        raise UserError(
            f"There is no file {name_or_file!r}, and no network of that name. Give an "
            f"architecture.json or one of: {', '.join(space.named)}."
        )
    with checking(name_or_file):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise UserError(
                f"{name_or_file} is not JSON: {error}. Give the architecture.json of a bundle."
            ) from error
        arch = Architecture.from_dict(content)
    if tuple(arch.input_shape) != tuple(task.input_shape):
        raise UserError(
            f"The network of {name_or_file} takes inputs of shape {tuple(arch.input_shape)}, but "
            f"{task.title} has {tuple(task.input_shape)}. Name the task it was made for by --task."
        )
    return arch, arch.key
