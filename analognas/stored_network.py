"""A trained network as a run or a bundle has stored it, to be put on chips again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors.torch import load_file

from analognas.deployment.bundle import (
    EVALUATION,
    HARDWARE_FILE,
    WEIGHTS,
    Bundle,
    read_bundle,
    read_bundles,
)
from analognas.deployment.exporting import find_network
from analognas.deployment.winners import FOLDER
from analognas.errors import UserError, checking
from analognas.search_spaces import Architecture, make_space
from analognas.searching.run_directory import RunDirectory
from analognas.simulator import HARDWARE
from analognas.tasks import load_task
from analognas.training import FULL_RECIPE, pick_device, restore_network

if TYPE_CHECKING:
    from analognas.simulator import AnalogModel, Hardware
    from analognas.tasks import Task

DEFAULT_PICK = "knee"


@dataclass(frozen=True, eq=False)
class StoredNetwork:
    """A bundle, the data it was trained on, and the hardware it was trained for.

    `hardware` is a preset's name or a file; None if the bundle's is neither.
    """

    bundle: Bundle
    task: Task
    hardware: str | None

    @property
    def title(self) -> str:
        key = self.bundle.key
        name = self.bundle.title
        return f"{name if name == key else f'{name} {key}'}, {self.task.title}"

    @property
    def keep_digital(self) -> tuple[str, ...]:
        """Names of layers that were trained to be on no crossbar."""
        chosen = self.bundle.chosen
        return () if chosen is None else chosen.keep_digital

    def on_hardware(self, hardware: Hardware, *, device: str) -> AnalogModel:
        """Put the stored weights and input ranges on tiles, not yet programmed.

        Raises:
            UserError: The files of the bundle do not belong together.
        """
        evaluation, task = self.bundle.evaluation, self.task
        with checking(str(self.bundle.folder)):
            arch = Architecture.from_dict(evaluation.architecture)
            space = make_space(arch.space, input_shape=task.input_shape, n_classes=task.n_classes)
            return restore_network(
                space,
                arch,
                load_file(self.bundle.folder / WEIGHTS),
                FULL_RECIPE,
                hardware,
                seed=evaluation.seed,
                device=pick_device(device),
                keep_digital=self.keep_digital,
            ).analog


def find_stored(
    folder: Path, pick: str | None = None, *, data: Path | None = None, words: str | None = None
) -> StoredNetwork:
    """Find a trained network and its data.

    Args:
        folder: Of a run, or a bundle's own.
        pick: Which network of a run, as in `analognas export`; by default the knee, or, where it
            was not trained, the first that was.
        data: Folder of recordings; None: that of the run, or the data that come with the task.
        words: Keywords in it, comma-separated.

    Raises:
        UserError: There is no trained network, or the data are not those of its training.
    """
    run = RunDirectory(folder)
    if (folder / EVALUATION).is_file():
        if pick is not None:
            raise UserError(f"--pick chooses in a run, but {folder} is one network. Leave it out.")
        bundle, hardware = read_bundle(folder), None
        split = bundle.evaluation.split
    elif run.config_path.is_file():
        bundle = _pick(folder, pick or default_pick(folder))
        config, hardware = run.config(), str(run.hardware_path)
        data = data or (Path(config.data) if config.data else None)
        words = words or (",".join(config.words) if config.words else None)
        split = config.split or bundle.evaluation.split
    else:
        raise UserError(
            f"{folder} is neither the folder of a run nor that of a network. Train a network first:"
            " `analognas evaluate ds-cnn --out FOLDER`, then name that folder."
        )
    task = load_task(bundle.evaluation.task, split=split, data=data, words=words)
    if task.data_key != bundle.evaluation.data_key:
        raise UserError(
            f"The data must be those that {bundle.folder} was made with (key "
            f"{bundle.evaluation.data_key}), but {task.title} has the key {task.data_key}. Name "
            "the data by --data, and the keywords by --words."
        )
    if bundle.chosen is not None:  # hardware of its own
        hardware = str(bundle.folder / HARDWARE_FILE)
    return StoredNetwork(bundle, task, hardware or _preset_of(bundle))


def default_pick(folder: Path) -> str:
    """The network of a run that is meant if none is named: its knee, or the first trained one."""
    trained = read_bundles(folder / FOLDER)
    names = [name for bundle in trained for name in bundle.name.split("+")]
    return DEFAULT_PICK if DEFAULT_PICK in names or not trained else trained[0].key


def _pick(folder: Path, choice: str) -> Bundle:
    found = find_network(folder, choice)
    if isinstance(found, Bundle):
        return found
    raise UserError(
        f"Network {found.candidate.key} was scored but not trained. Train it by `analognas export "
        f"{folder} --pick {choice} --out FOLDER --train`, then name that folder."
    )


def _preset_of(bundle: Bundle) -> str | None:
    wanted = bundle.evaluation.hardware_hash
    return next((name for name, hardware in HARDWARE.items() if hardware.hash == wanted), None)
