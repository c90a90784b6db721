"""The networks of a sweep as a user names them: stored ones, exported models, architectures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from analognas.deploying.arrays import Examples
from analognas.deploying.chip_hardware import on_cores
from analognas.deploying.finding import SourceRequest, find_source
from analognas.deploying.sources import CALIBRATION_INPUTS, Source
from analognas.errors import UserError
from analognas.simulator import Hardware, analog_layers, to_digital
from analognas.simulator.chip import ChipSpec

Progress = Callable[[int, int, str], None]
TRAINING_SHARE = 100


@dataclass(frozen=True, kw_only=True)
class NetworkRequest:
    """What the user names.

    Args:
        names: Folders of runs or networks, `.pt2` files, architecture files, or named networks.
        task: Data of the architectures, which are trained first.
        epochs: Of that training.
        inputs: Typical inputs for `.pt2` files.
        test: Inputs to measure on for `.pt2` files.
        part: Of a task's data.
        data: Folder of recordings.
        words: Keywords in it.
        seed: Of the training.
    """

    names: tuple[str, ...]
    task: str = "kws"
    epochs: int = 15
    inputs: Path | None = None
    test: Path | None = None
    part: str = "validation"
    data: Path | None = None
    words: str | None = None
    seed: int = 0


def find_networks(
    request: NetworkRequest,
    hardware: Hardware,
    chip: ChipSpec,
    *,
    device: torch.device,
    progress: Progress | None = None,
) -> list[Source]:
    """Find every network, and train those that are only named.

    Args:
        request: Names and data.
        hardware: That networks are trained for.
        chip: The template, whose cores they are trained for.
        device: Where to.
        progress: Told how far the training is, in percent of one network.

    Raises:
        UserError: There is no such network.
    """
    found = []
    for name in request.names:
        path = Path(name)
        if path.is_dir() or path.suffix == ".pt2":
            own = path.suffix == ".pt2"
            source = find_source(
                SourceRequest(
                    model=path,
                    inputs=request.inputs if own else None,
                    test=request.test if own else None,
                    part=request.part,
                    data=request.data,
                    words=request.words,
                ),
                device=device,
            )
        else:
            source = _trained(name, request, on_cores(hardware, chip), device, progress)
        found.append(source)
    return found


def _trained(
    name: str,
    request: NetworkRequest,
    hardware: Hardware,
    device: torch.device,
    progress: Progress | None,
) -> Source:
    from analognas.evaluating import read_architecture
    from analognas.search_spaces import make_space
    from analognas.tasks import load_task
    from analognas.training import FULL_RECIPE, train_network

    if request.part not in ("validation", "test"):
        raise UserError(f"--part must be validation or test, but got {request.part!r}.")
    task = load_task(request.task, data=request.data, words=request.words)
    arch, title = read_architecture(name, task)
    space = make_space(arch.space, input_shape=task.input_shape, n_classes=task.n_classes)

    def tell(done: int, total: int, message: str) -> None:
        if progress is not None:
            share = round(TRAINING_SHARE * done / max(total, 1))
            progress(share, TRAINING_SHARE, f"training {title}")

    trained = train_network(
        space,
        arch,
        task,
        replace(FULL_RECIPE, epochs=request.epochs),
        hardware,
        seed=request.seed,
        device=device,
        progress=tell,
    )
    part = task.parts[request.part]
    calibration = Examples(torch.from_numpy(task.train.inputs)).first(CALIBRATION_INPUTS).inputs
    return Source(
        title=title,
        data=f"{task.title}, {request.part} part",
        network=to_digital(trained.analog).eval(),
        input_shape=task.input_shape,
        test=Examples(torch.from_numpy(part.inputs), torch.from_numpy(part.labels)),
        calibration=calibration.to(device),
        ranges={layer: one.input_range.item() for layer, one in analog_layers(trained.analog)},
        reference=trained.digital,
        notes=(
            f"{title} was trained for {_epochs(request.epochs)} with the noise of {hardware.name}, "
            "and not anew for every chip.",
        ),
    )


def _epochs(count: int) -> str:
    return "1 epoch" if count == 1 else f"{count} epochs"
