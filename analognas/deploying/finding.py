"""What a user can deploy: a trained network of ours, or any exported model, with its data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from analognas.deploying.arrays import Examples, read_examples
from analognas.deploying.sources import CALIBRATION_INPUTS, Source
from analognas.errors import UserError, checking
from analognas.simulator import HERMES_DEFAULT, analog_layers, to_digital
from analognas.simulator.chip import CHIPS

if TYPE_CHECKING:
    from analognas.stored_network import StoredNetwork


@dataclass(frozen=True, kw_only=True)
class SourceRequest:
    """What the user names.

    Args:
        model: Folder of a run or a network, or a file: `.pt2`, or `.safetensors` of `architecture`.
        pick: Which network of a run.
        architecture: For a `.safetensors` file: a named network or an architecture file.
        task: Whose input shape and data `architecture` has.
        inputs: File of inputs for input ranges and batch norms.
        test: File of inputs, with labels if there are any, to measure on.
        data: Folder of recordings for a run.
        words: Keywords in it.
        part: Of a task's data, to measure on.
        keep_digital: Layers that stay digital.
    """

    model: Path
    pick: str | None = None
    architecture: str | None = None
    task: str | None = None
    inputs: Path | None = None
    test: Path | None = None
    data: Path | None = None
    words: str | None = None
    part: str = "test"
    keep_digital: tuple[str, ...] = ()


def find_source(request: SourceRequest, *, device: torch.device) -> Source:
    """Find the network that the user means, and data for it.

    Raises:
        UserError: There is none, or it cannot be deployed.
    """
    if request.part not in ("validation", "test"):
        raise UserError(f"--part must be validation or test, but got {request.part!r}.")
    if request.model.suffix == ".safetensors" or request.architecture is not None:
        source = _state(request, device)
    elif request.model.suffix == ".pt2":
        source = _program(request, device)
    elif request.model.is_dir():
        if request.task is not None:
            raise UserError(
                f"--task belongs to --architecture, but {request.model} knows its task. Leave it "
                "out."
            )
        source = _stored(request, device)
    else:
        raise UserError(
            f"{str(request.model)!r} is nothing that can be deployed. Give the folder of a run or "
            "of a network (`analognas evaluate ds-cnn --out FOLDER` makes one), an exported model "
            "(.pt2, by torch.export.save), or a .safetensors file with --architecture."
        )
    source.network.eval()
    return _with_files(source, request)


def _program(request: SourceRequest, device: torch.device) -> Source:
    from torch.export.passes import move_to_device_pass

    from analognas.deploying.programs import load_program
    from analognas.deploying.rebuilding import rebuild

    program = load_program(request.model)
    if device.type != "cpu":
        program = move_to_device_pass(program, device)
    with checking(str(request.model)):
        model = rebuild(program, keep_digital=request.keep_digital)
    inputs, notes = model.sample_inputs, list[str]()
    if request.inputs is None and request.test is None:
        if inputs is None:
            raise UserError(
                f"{request.model} holds no sample inputs, from which the input ranges of its "
                "layers could be found. Give some by --inputs FILE.npz."
            )
        notes.append(
            f"Ranges and results rest on the {len(inputs)} sample inputs that were exported with "
            "the model. Give --inputs and --test for better ones."
        )
    given = torch.zeros(0, *model.input_shape) if inputs is None else inputs
    return Source(
        title=request.model.stem,
        network=model.network,
        input_shape=model.input_shape,
        test=Examples(given.cpu()),
        calibration=given.to(device),
        batch=model.batch,
        data="inputs stored with the model",
        notes=tuple(notes),
    )


def _stored(request: SourceRequest, device: torch.device) -> Source:
    from analognas.stored_network import find_stored

    stored = find_stored(request.model, request.pick, data=request.data, words=request.words)
    analog = stored.on_hardware(HERMES_DEFAULT, device=str(device))
    task, part = stored.task, stored.task.parts[request.part]
    name, key = stored.bundle.title, stored.bundle.key
    return Source(
        title=name if name == key else f"{name} {key}",
        data=f"{task.title}, {request.part} part",
        network=to_digital(analog),
        input_shape=task.input_shape,
        test=Examples(torch.from_numpy(part.inputs), torch.from_numpy(part.labels)),
        calibration=_spread(torch.from_numpy(task.train.inputs), device),
        ranges={name: layer.input_range.item() for name, layer in analog_layers(analog)},
        hardware=stored.hardware,
        chip=chip if (chip := stored.bundle.evaluation.cost.chip) in CHIPS else None,
        reference=to_digital(analog, clip_inputs=True).eval(),
        notes=_digital_notes(stored, request),
    )


def _digital_notes(stored: StoredNetwork, request: SourceRequest) -> tuple[str, ...]:
    """Say so where layers that were trained to stay digital are put on the chip."""
    left = [name for name in stored.keep_digital if name not in request.keep_digital]
    if not left:
        return ()
    options = " ".join(f"--keep-digital {name}" for name in left)
    return (
        f"{' and '.join(left)} of this network stayed digital in its training, but are put on the "
        f"chip here. Add {options} to keep them digital.",
    )


def _state(request: SourceRequest, device: torch.device) -> Source:
    from analognas.evaluating import read_architecture
    from analognas.search_spaces import make_space
    from analognas.simulator import spawn_generator
    from analognas.tasks import load_task
    from analognas.training import RANGE_PREFIX

    if request.architecture is None:
        raise UserError(
            f"{request.model} holds weights without a network. Name the network by --architecture "
            "(ds-cnn, or an architecture.json) and its task by --task."
        )
    try:
        state = load_file(request.model)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{request.model} cannot be read as safetensors: {error}.") from error
    task = load_task(request.task or "kws", data=request.data, words=request.words)
    arch, name = read_architecture(request.architecture, task)
    space = make_space(arch.space, input_shape=task.input_shape, n_classes=task.n_classes)
    network = space.build(arch, generator=spawn_generator(0, arch.key, "weights"))
    weights = {key: value for key, value in state.items() if not key.startswith(RANGE_PREFIX)}
    expected = network.state_dict()
    wrong = [
        key
        for key in sorted(set(expected) | set(weights))
        if key not in expected or key not in weights or expected[key].shape != weights[key].shape
    ]
    if wrong:
        raise UserError(
            f"{request.model} must hold the weights of {name}, but these are missing, too many or "
            f"of another shape: {', '.join(wrong[:5])}. Name the right --architecture and --task."
        )
    network.load_state_dict({k: value.to(expected[k].dtype) for k, value in weights.items()})
    part = task.parts[request.part]
    return Source(
        title=name,
        data=f"{task.title}, {request.part} part",
        network=network.to(device),
        input_shape=task.input_shape,
        test=Examples(torch.from_numpy(part.inputs), torch.from_numpy(part.labels)),
        calibration=_spread(torch.from_numpy(task.train.inputs), device),
        ranges={
            key.removeprefix(RANGE_PREFIX): float(value.float().item())
            for key, value in state.items()
            if key.startswith(RANGE_PREFIX)
        },
    )


def _with_files(source: Source, request: SourceRequest) -> Source:
    """Put the user's own inputs in the place of the others."""
    if request.inputs is not None:
        given = read_examples(request.inputs, source.input_shape)
        device = source.calibration.device
        source = replace(source, calibration=_spread(given.inputs, device), ranges={})
        if request.test is None and not (request.model.is_dir() or request.architecture):
            source = replace(source, test=given, data=request.inputs.name)
    if request.test is not None:
        tested = read_examples(request.test, source.input_shape)
        source = replace(source, test=tested, data=request.test.name)
        if request.inputs is None and len(source.calibration) == 0:
            calibration = source.test.inputs.to(source.calibration.device)
            source = replace(source, calibration=calibration)
    return source


def _spread(inputs: Tensor, device: torch.device) -> Tensor:
    return Examples(inputs).first(CALIBRATION_INPUTS).inputs.to(device)
