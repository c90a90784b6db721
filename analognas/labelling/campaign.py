"""Start, continue and repeat label runs: from what the user asks to a folder and its workers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analognas.errors import UserError, checking
from analognas.hardware_choice import check_ages
from analognas.hardware_variants import HardwareVariant, assign_variants, sample_variants
from analognas.labelling.folder import LabelFolder, open_folder, read_folder
from analognas.labelling.job import PART, MeasureAgain, Setting, TaskChoice, TrainAndMeasure
from analognas.labelling.plan import Candidate, Job, LabelPlan, plan_jobs
from analognas.labelling.workers import Workshop
from analognas.limits import make_fits
from analognas.search_spaces import make_space, sample_spread
from analognas.simulator import SIMULATOR_VERSION, Hardware
from analognas.simulator.chip import load_chip
from analognas.training import LABEL_RECIPE, pick_device

if TYPE_CHECKING:
    from analognas.simulator.chip import ChipSpec
    from analognas.tasks import Task

CHIP = "hermes"


@dataclass(frozen=True, kw_only=True)
class LabelRequest:
    """A label run as the user asks for it."""

    task: TaskChoice
    plan: LabelPlan
    hardware: Hardware
    space: str = "tinyml"
    device: str = "auto"
    command: str = "analognas label"


@dataclass(frozen=True, kw_only=True)
class ReevaluationRequest:
    """A repetition of the measurements of `source` on other hardware, or by newer physics.

    Attributes:
        source: Folder of a label run with kept weights.
        hardware: To measure on.
        chips: Simulated chips; None takes as many as before.
        variants: Hardware variants of `hardware` that every network is measured on besides.
        data: Where the data folder of the task is, if it has one.
    """

    source: Path
    hardware: Hardware
    chips: int | None = None
    variants: int = 12
    data: str | None = None
    device: str = "auto"
    command: str = "analognas label"


@contextmanager
def label_run(request: LabelRequest, out: Path) -> Iterator[tuple[LabelFolder, Workshop]]:
    """Open the folder of a label run, new or to be continued, with the workshop for its jobs.

    Raises:
        UserError: The task, space or folder cannot be used.
    """
    task = request.task.load()
    chip = load_chip(CHIP)
    plan = request.plan
    recipe = LABEL_RECIPE if plan.epochs is None else replace(LABEL_RECIPE, epochs=plan.epochs)
    setting = Setting(
        task=request.task,
        space=request.space,
        hardware=check_ages(request.hardware),
        chip=chip,
        chips=plan.chips,
        device=pick_device(request.device).type,
        variants=_make_variants(request.hardware, plan.variant_pool, plan.seed),
        variant_chips=plan.variant_chips,
        variant_clips=plan.variant_clips,
    )
    settings = {
        "kind": "trained",
        **_describe(setting, task, request.command),
        **{name: value for name, value in asdict(plan).items() if name != "epochs"},
        "recipe": recipe.to_dict(),
    }

    def make_jobs() -> Sequence[Job]:
        return plan_jobs(sample_candidates(request.space, task, chip, plan), plan)

    with open_folder(out, settings, make_jobs) as folder:
        yield folder, TrainAndMeasure(setting, recipe.to_dict())


@contextmanager
def reevaluation_run(
    request: ReevaluationRequest, out: Path
) -> Iterator[tuple[LabelFolder, Workshop]]:
    """Open the folder of a re-evaluation: a job for every kept file of weights in the source.

    Raises:
        UserError: The source keeps no weights, or its data is no longer the same.
    """
    source = read_folder(request.source)
    stored = source.settings
    kept = {entry.job.id: entry for entry in source.done_in_order() if entry.weights is not None}
    if not kept:
        raise UserError(
            f"{request.source} keeps no weights, so its labels cannot be evaluated again. "
            "Name a folder that `analognas label` trained."
        )
    if stored["data"] and not request.data:
        raise UserError(
            f"The labels are of a data folder named {stored['data']!r}. "
            "Say where it is with --data."
        )
    words = stored["words"]
    choice = TaskChoice(
        stored["task"],
        split=stored["split"],
        data=request.data,
        words=tuple(words) if words else None,
    )
    task = choice.load()
    if task.data_key != stored["data_key"]:
        raise UserError(
            f"The data must be that of the labels (key {stored['data_key']}), but the data that is "
            f"there now has key {task.data_key}. Point to the original data with --data."
        )
    plan = LabelPlan(
        networks=len({entry.job.key for entry in kept.values()}),
        replicated=0,
        chips=request.chips or stored["chips"],
        variants=request.variants,
        seed=stored["seed"],
    )
    setting = Setting(
        task=choice,
        space=stored["space"],
        hardware=check_ages(request.hardware),
        chip=load_chip(CHIP),
        chips=plan.chips,
        device=pick_device(request.device).type,
        variants=_make_variants(request.hardware, plan.variant_pool, plan.seed),
        variant_chips=plan.variant_chips,
        variant_clips=plan.variant_clips,
    )
    settings = {
        "kind": "re-evaluated",
        **_describe(setting, task, request.command),
        **{name: stored[name] for name in ("networks", "replicated", "seeds", "seed", "recipe")},
        "chips": setting.chips,
        **{name: getattr(plan, name) for name in ("variants", "variant_chips", "variant_clips")},
        "source": request.source.resolve().name,
    }
    workshop = MeasureAgain(
        setting,
        request.source,
        stored["recipe"],
        {job_id: entry.evaluation.training_seconds for job_id, entry in kept.items()},
    )

    def make_jobs() -> Sequence[Job]:
        keys = {entry.job.key for entry in kept.values()}
        dealt: Mapping[str, tuple[int, ...]] = dict.fromkeys(keys, ())
        if plan.variants:
            dealt = assign_variants(list(keys), plan.variant_pool, plan.variants, plan.seed)
        return [
            replace(entry.job, keep_weights=False, variants=dealt[entry.job.key])
            for entry in kept.values()
        ]

    with open_folder(out, settings, make_jobs) as folder:
        yield folder, workshop


def sample_candidates(space: str, task: Task, chip: ChipSpec, plan: LabelPlan) -> list[Candidate]:
    """Sample networks within the task's limits, spread over parameters and multiplications."""
    with checking("space"):
        built = make_space(space, input_shape=task.input_shape, n_classes=task.n_classes)
    fits = make_fits(built, task.limits, chip)
    with checking("networks"):
        archs = sample_spread(built, np.random.default_rng(plan.seed), plan.networks, fits)
    return [
        Candidate(arch.key, arch.to_dict(), built.parameters(arch), built.multiplications(arch))
        for arch in archs
    ]


def _make_variants(hardware: Hardware, count: int, seed: int) -> tuple[HardwareVariant, ...]:
    if not count:
        return ()
    with checking("variants"):
        return sample_variants(hardware, count, seed)


def _describe(setting: Setting, task: Task, command: str) -> dict[str, Any]:
    """Settings that decide the results, as they are stored in the folder."""
    choice = setting.task
    return {
        "command": command,
        "task": task.name,
        "title": task.title,
        "data": Path(choice.data).resolve().name if choice.data else None,
        "data_name": task.data_name,
        "data_key": task.data_key,
        "split": task.split,
        "words": list(choice.words) if choice.words else None,
        "classes": list(task.classes),
        "part": PART,
        "clips": len(task.parts[PART]),
        "space": setting.space,
        "hardware": setting.hardware.name,
        "hardware_hash": setting.hardware.hash,
        "hardware_toml": setting.hardware.to_toml(),
        "hardware_variants": [variant.to_dict() for variant in setting.variants],
        "chip": setting.chip.name,
        "simulator_version": SIMULATOR_VERSION,
        "device": setting.device,
    }
