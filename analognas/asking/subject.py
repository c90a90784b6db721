"""The network that a question is about, with task, chip, hardware and surrogate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from analognas.deployment.bundle import (
    CHIP_FILE,
    EVALUATION,
    HARDWARE_FILE,
    Bundle,
    read_bundle,
    read_bundles,
)
from analognas.deployment.exporting import find_network
from analognas.deployment.winners import FOLDER
from analognas.errors import UserError, checking
from analognas.evaluating import SPACE, read_architecture
from analognas.hardware_choice import hardware_for_chip, load_hardware
from analognas.labelling.job import TaskChoice
from analognas.search_spaces import Architecture, make_space
from analognas.searching.design_scoring import design_fits, kept_digital
from analognas.searching.designs import PLAIN, Design, HardwareChoice
from analognas.searching.hardware_names import DIGITAL_LAYERS, NOISE, TITLES
from analognas.searching.run_directory import RunDirectory
from analognas.searching.surrogate_choice import ChosenSurrogate, choose_surrogate
from analognas.searching.workshop import NO_LAYERS, Workshop
from analognas.simulator import HARDWARE, Hardware
from analognas.simulator.chip import load_chip
from analognas.stored_network import default_pick

if TYPE_CHECKING:
    from analognas.deployment.chosen_hardware import ChosenHardware
    from analognas.search_spaces import SearchSpace
    from analognas.simulator.chip import ChipSpec
    from analognas.tasks import Limits, Task

ALL = "all"  # as a pick: every trained network of a run
DEFAULT_TASK, DEFAULT_CHIP = "kws", "hermes"


@dataclass(frozen=True, kw_only=True)
class SubjectRequest:
    """What a question is about, as the user names things; None where the user said nothing."""

    network: str  # a run, a bundle, a file, or the name of a network
    pick: str | None = None
    task: str | None = None
    data: Path | None = None
    words: str | None = None
    split: str | None = None
    chip: str | None = None
    hardware: str | None = None
    settings: tuple[str, ...] = ()
    surrogate: str | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Setting:
    """Everything but the network: what it is for, what it runs on, and who predicts.

    `run` is the folder of the run that this comes from, if it comes from one; its limits are kept.
    """

    choice: TaskChoice
    task: Task
    space: SearchSpace
    chip: ChipSpec
    hardware: Hardware
    chosen: ChosenSurrogate
    limits: Limits
    max_energy_nJ: float | None = None
    run: Path | None = None

    @property
    def workshop(self) -> Workshop:
        """Chip and hardware, as searches take them."""
        return Workshop(self.chip, self.hardware)

    @property
    def fits(self) -> Callable[[Architecture | Design], bool]:
        """Whether a network keeps the limits."""
        return design_fits(self.space, self.limits, self.workshop, self.max_energy_nJ)


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """A network in its setting.

    Args:
        name: For people.
        arch: The network.
        setting: With hardware and chip of its own, if a search chose them for it.
        choice: What such a search chose besides: digital layers, noise in the training.
        bundle: Its weights, if it was trained.
    """

    name: str
    arch: Architecture
    setting: Setting
    choice: HardwareChoice = PLAIN
    bundle: Bundle | None = None

    def design(self, arch: Architecture) -> Design:
        """Another network in the place of this one."""
        return Design(arch, self.choice)

    @property
    def keep_digital(self) -> tuple[str, ...]:
        """Names of its layers that are on no crossbar."""
        return kept_digital(self.setting.space, self.design(self.arch))

    @property
    def warnings(self) -> tuple[str, ...]:
        """Why predictions are a guess, in whole sentences."""
        warnings = self.setting.chosen.warnings
        if not self.keep_digital:
            return warnings
        return (
            *warnings,
            f"{self.title} keeps {' and '.join(self.keep_digital)} digital, as no label does: its "
            "predictions are a guess.",
        )

    @property
    def title(self) -> str:
        """Name and key, or the key alone."""
        key = self.arch.key
        return key if self.name == key else f"{self.name} {key}"


def find_subject(request: SubjectRequest) -> Subject:
    """Find the one network that is meant; see `find_subjects`."""
    if request.pick == ALL:
        raise UserError("--pick must name one network here. Give its name or key.")
    return find_subjects(request)[0]


def find_subjects(request: SubjectRequest) -> tuple[Subject, ...]:
    """Find the network that is meant, or with the pick "all" every trained network of a run.

    A run brings its own task, chip, hardware and surrogate, the folder of one network its task.
    Data and surrogate may be named anew.

    Raises:
        UserError: There is no such network, nothing predicts for its task, or an option
            contradicts what the folder says.
    """
    folder = Path(request.network)
    run = RunDirectory(folder)
    if run.config_path.is_file():
        return _of_run(run, request)
    if request.pick is not None:
        raise UserError(
            f"--pick chooses in a run, but {request.network} is not the folder of a run. Leave it "
            "out."
        )
    if (folder / EVALUATION).is_file():
        return (_of_bundle(folder, request),)
    if folder.is_dir():
        raise UserError(
            f"{folder} is neither the folder of a run nor that of a network. Give one of them, an "
            "architecture.json, or the name of a network (`analognas spaces` shows them)."
        )
    setting = _setting(
        request,
        TaskChoice(
            request.task or DEFAULT_TASK,
            request.split,
            None if request.data is None else str(request.data),
            _words(request),
        ),
        request.chip or DEFAULT_CHIP,
        request.hardware,
    )
    arch, name = read_architecture(request.network, setting.task)
    return (Subject(name=name, arch=arch, setting=setting),)


def _of_run(run: RunDirectory, request: SubjectRequest) -> tuple[Subject, ...]:
    _refuse(request, "a run", ("task", "split", "chip", "hardware", "settings"))
    config = run.config()
    data = config.data if request.data is None else str(request.data)
    fitted = run.labelled_surrogate
    wanted = request.surrogate or (config.surrogate if fitted is None else str(fitted))
    choice = TaskChoice(config.task, config.split, data, _words(request) or config.words)
    with checking("chip"):
        chip = load_chip(str(run.chip_path))
    hardware = load_hardware(str(run.hardware_path))
    task = choice.load()
    with checking("space"):
        space = make_space(config.space, input_shape=task.input_shape, n_classes=task.n_classes)
    setting = Setting(
        choice=choice,
        task=task,
        space=space,
        chip=chip,
        hardware=hardware,
        chosen=choose_surrogate(task, hardware, wanted),
        limits=replace(
            task.limits,
            max_cores=config.max_cores or task.limits.max_cores,
            max_parameters=config.max_parameters or task.limits.max_parameters,
        ),
        max_energy_nJ=config.max_energy_nJ,
        run=run.path,
    )
    if request.pick != ALL:
        found = find_network(run.path, request.pick or default_pick(run.path))
        if isinstance(found, Bundle):
            return (_trained(found, setting, wanted),)
        with checking(f"network {found.candidate.key}"):
            design = Design.from_dict(found.candidate.architecture)
        made = setting.workshop.made(design.choice)
        own = _on_own(setting, made.hardware, made.chip, wanted)
        rest = HardwareChoice(
            digital_layers=design.choice.digital_layers, noise=design.choice.noise
        )
        return (Subject(name=found.name, arch=design.arch, setting=own, choice=rest),)
    bundles = read_bundles(run.path / FOLDER)
    if not bundles:
        raise UserError(f"{run.path} has no trained network. Name a scored one with --pick.")
    return tuple(_trained(bundle, setting, wanted) for bundle in bundles)


def _of_bundle(folder: Path, request: SubjectRequest) -> Subject:
    _refuse(request, "the folder of a network", ("task", "split"))
    bundle = read_bundle(folder)
    evaluation = bundle.evaluation
    own = str(folder / HARDWARE_FILE) if bundle.chosen is not None else None
    presets = {preset.hash: name for name, preset in HARDWARE.items()}
    hardware = request.hardware or own or presets.get(evaluation.hardware_hash)
    if hardware is None:
        raise UserError(
            f"{folder} was measured on {evaluation.hardware} ({evaluation.hardware_hash}), which "
            "is no preset. Give its file with --hardware."
        )
    choice = TaskChoice(
        evaluation.task,
        evaluation.split,
        None if request.data is None else str(request.data),
        _words(request),
    )
    chip = request.chip or (str(folder / CHIP_FILE) if own else evaluation.cost.chip)
    setting = _setting(request, choice, chip, hardware)
    return _trained(bundle, setting, request.surrogate)


def _on_own(setting: Setting, hardware: Hardware, chip: ChipSpec, wanted: str | None) -> Setting:
    """The setting with hardware and chip that a search chose for one network."""
    if (hardware, chip) == (setting.hardware, setting.chip):
        return setting
    chosen = choose_surrogate(setting.task, hardware, wanted)
    return replace(setting, hardware=hardware, chip=chip, chosen=chosen)


def _trained(bundle: Bundle, setting: Setting, wanted: str | None) -> Subject:
    task, evaluation = setting.task, bundle.evaluation
    if task.data_key != evaluation.data_key:
        raise UserError(
            f"The data must be those that {bundle.folder} was made with (key "
            f"{evaluation.data_key}), but {task.title} has the key {task.data_key}. Name the data "
            "by --data, and the keywords by --words."
        )
    choice = PLAIN
    with checking(str(bundle.folder)):
        arch = Architecture.from_dict(evaluation.architecture)
        if bundle.chosen is not None:
            hardware = load_hardware(str(bundle.folder / HARDWARE_FILE))
            chip = load_chip(str(bundle.folder / CHIP_FILE))
            setting = _on_own(setting, hardware, chip, wanted)
            choice = _rest(bundle.chosen)
    return Subject(name=bundle.title, arch=arch, setting=setting, choice=choice, bundle=bundle)


def _rest(chosen: ChosenHardware) -> HardwareChoice:
    """What was chosen for a network and is neither in its hardware nor in its chip."""
    digital = chosen.choices.get(TITLES[DIGITAL_LAYERS], NO_LAYERS)
    noise = float(chosen.choices.get(TITLES[NOISE], 1.0))
    return HardwareChoice.from_dict(
        {
            **({} if digital == NO_LAYERS else {"digital_layers": digital}),
            **({} if noise == 1.0 else {"noise": noise}),
        }
    )


def _setting(
    request: SubjectRequest, choice: TaskChoice, chip_name: str, hardware_name: str | None
) -> Setting:
    with checking("chip"):
        chip = load_chip(chip_name)
    hardware = hardware_for_chip(hardware_name, request.settings, chip)
    task = choice.load()
    return Setting(
        choice=choice,
        task=task,
        space=make_space(SPACE, input_shape=task.input_shape, n_classes=task.n_classes),
        chip=chip,
        hardware=hardware,
        chosen=choose_surrogate(task, hardware, request.surrogate),
        limits=task.limits,
    )


def _words(request: SubjectRequest) -> tuple[str, ...] | None:
    from analognas.tasks.base import parse_words

    return parse_words(request.words)


def _refuse(request: SubjectRequest, what: str, names: tuple[str, ...]) -> None:
    """Refuse options about things that the folder itself says."""
    given = [name for name in names if getattr(request, name)]
    if given:
        options = ", ".join(f"--{'set' if name == 'settings' else name}" for name in given)
        raise UserError(
            f"{request.network} is {what}, which says itself what {options} would say. Leave "
            "it out; to ask about other networks, tasks or chips, name an architecture.json."
        )
