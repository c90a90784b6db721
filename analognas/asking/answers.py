"""Answers to questions: predicted by the surrogate, or simulated with trained weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from analognas.asking.questions import Question
from analognas.asking.subject import Setting, Subject
from analognas.errors import UserError, checking
from analognas.evaluation import correct_over_time
from analognas.hardware_features import CELL_COLUMNS, SETTING_COLUMNS
from analognas.hardware_variants import HardwareVariant
from analognas.labelling.job import PART, RECALIBRATION_BATCH_SIZE, RECALIBRATION_BATCHES
from analognas.records import EVALUATION_TIMES_S, AccuracyOverTime
from analognas.stored_network import StoredNetwork
from analognas.surrogate_features import architecture_features, candidate_rows
from analognas.surrogates.feature_table import HARDWARE_PREFIX
from analognas.training import LABEL_RECIPE, pick_device, restore_network, train_network

if TYPE_CHECKING:
    from analognas.simulator import AnalogModel, Hardware
    from analognas.surrogates import Surrogate
    from analognas.training import Progress

Kind = Literal["predicted", "simulated"]

AS_IT_IS = "as it is"  # the row of the unchanged hardware
LONGEST_NAMES = 2  # columns that are named where several lie outside


@dataclass(frozen=True)
class AccuracyAt:
    """Accuracy (fraction) at one time: a prediction with its band, or a simulation with its sd.

    `low` is the 5 % quantile over chips, in simulations of fewer than 40 `mean - 1.645 sd`.
    """

    t_s: float
    mean: float
    low: float
    lower: float | None = None
    upper: float | None = None
    sd: float | None = None


@dataclass(frozen=True)
class Answer:
    """What a question is answered with.

    Args:
        question: Its text, or `AS_IT_IS`.
        kind: What the numbers are.
        variant: The hardware, changed as the question says.
        at: One entry per time.
        beyond: Why a prediction is a guess, in words; empty where it is none, and of simulations.
    """

    question: str
    kind: Kind
    variant: HardwareVariant
    at: tuple[AccuracyAt, ...]
    beyond: str = ""

    def mean(self, t_s: float) -> float | None:
        """At one of the times; None if it was not asked for."""
        return next((one.mean for one in self.at if one.t_s == t_s), None)

    def to_dict(self) -> dict[str, Any]:
        return {
            "question": self.question,
            "kind": self.kind,
            "hardware": self.variant.hardware.name,
            "hardware_hash": self.variant.hardware.hash,
            "recalibrated": self.variant.recalibrated,
            "within_labels": None if self.kind == "simulated" else not self.beyond,
            "beyond": self.beyond,
            "at": [asdict(one) for one in self.at],
        }


@dataclass(frozen=True)
class Case:
    """A question put to one hardware: what it becomes, and when."""

    text: str
    variant: HardwareVariant
    times_s: tuple[float, ...]


def cases_of(
    hardware: Hardware, questions: Sequence[Question], learned_s: Sequence[float] | None
) -> tuple[Case, ...]:
    """The unchanged hardware first, at every time of the questions.

    Args:
        hardware: That is changed.
        questions: One without times is about the usual five, as far as the labels reach.
        learned_s: Times of the labels behind the predictions; None if nobody knows.

    Raises:
        UserError: The hardware cannot be so, or a time lies outside of those of the labels.
    """
    low, high = (min(learned_s), max(learned_s)) if learned_s else (0.0, math.inf)
    usual = tuple(t_s for t_s in EVALUATION_TIMES_S.values() if low <= t_s <= high)
    asked = tuple(tuple(sorted(set(question.times_s))) or usual for question in questions)
    for t_s in sorted({t_s for times in asked for t_s in times}):
        if not low <= t_s <= high:
            raise UserError(
                f"Times must lie between {low:g} s and {high:g} s, those of the labels behind the "
                f"predictions, but got {t_s:g} s. Ask about a time between."
            )
    together = tuple(sorted({t_s for times in asked for t_s in times})) or usual
    start = HardwareVariant(hardware)
    return (
        Case(AS_IT_IS, start, together),
        *(
            Case(question.text, question.apply(start), times)
            for question, times in zip(questions, asked, strict=True)
        ),
    )


def predict(subject: Subject, cases: Sequence[Case], *, level: float) -> tuple[Answer, ...]:
    """Predict a network on every hardware, with bands of this level."""
    return tuple(_predict(subject, case, level) for case in cases)


def _predict(subject: Subject, case: Case, level: float) -> Answer:
    setting, hardware = subject.setting, case.variant.hardware
    surrogate = setting.chosen.surrogate
    with checking(f"{case.text!r}"):
        networks = architecture_features(
            setting.space, [subject.arch], hardware.tile, keep_digital=[subject.keep_digital]
        )
        rows = candidate_rows(
            networks, hardware, case.times_s, recalibrated=case.variant.recalibrated
        )
        found = surrogate.predict(rows, level=level)
    bands = zip(
        case.times_s,
        *(
            np.clip(values, 0.0, 1.0).tolist()
            for values in (found.mean, found.quantile_05, found.lower, found.upper)
        ),
        strict=True,
    )
    return Answer(
        question=case.text,
        kind="predicted",
        variant=case.variant,
        at=tuple(
            AccuracyAt(t_s, mean, low, lower, upper) for t_s, mean, low, lower, upper in bands
        ),
        beyond=_beyond(surrogate, rows, hardware),
    )


def _beyond(surrogate: Surrogate, rows: Any, hardware: Hardware) -> str:
    """Why the prediction of these rows is a guess, in words."""
    description, ranges = surrogate.description, surrogate.ranges
    if description is None or ranges is None:
        return "nobody knows what was learned from"
    named = {name.removeprefix(HARDWARE_PREFIX) for name in (*SETTING_COLUMNS, *CELL_COLUMNS)}
    outside = ranges.describe(rows)
    reasons = [text for text in outside if text.split(" is ")[0] in named] or list(outside)
    if reasons and not description.variants:
        return f"all labels are of {description.hardware} alone, no other was learned from"
    if len(reasons) > LONGEST_NAMES:
        rest = len(reasons) - LONGEST_NAMES
        reasons = [*reasons[:LONGEST_NAMES], f"and {rest} more"]
    if bool(ranges.beyond(rows).size.any()):
        reasons.append("a network of this size was not learned from")
    return "; ".join(reasons)


@dataclass(frozen=True)
class Simulation:
    """How questions are simulated.

    Args:
        chips: Simulated chips of every hardware.
        inputs: Of the validation part, every class in proportion.
        epochs: Of a training, where there are no weights yet.
        seed: Of that training.
        device: auto, cpu or cuda.
    """

    chips: int = 5
    inputs: int = 500
    epochs: int = LABEL_RECIPE.epochs
    seed: int = 0
    device: str = "auto"


def simulate(
    subject: Subject, cases: Sequence[Case], how: Simulation, progress: Progress | None = None
) -> tuple[Answer, ...]:
    """Put the weights of a network on chips of every hardware and count right answers.

    A network without weights is trained first, as those of the labels were, on the hardware of the
    subject.

    Args:
        subject: The network.
        cases: The hardware.
        how: The effort.
        progress: Told (done, total, what) after every epoch and hardware.
    """
    steps = 0 if subject.bundle is not None else how.epochs
    total = steps + len(cases)

    def tell(done: int, what: str) -> None:
        if progress is not None:
            progress(done, total, what)

    task = subject.setting.task
    put, seed = _weights(subject, how, lambda epoch: tell(epoch, "training"))
    clips = task.parts[PART].stratified(how.inputs)
    calibrating = task.train.stratified(RECALIBRATION_BATCHES * RECALIBRATION_BATCH_SIZE)
    batches = tuple(
        batch.to(pick_device(how.device))
        for batch in torch.split(torch.from_numpy(calibrating.inputs), RECALIBRATION_BATCH_SIZE)
        if len(batch) > 1
    )
    found = []
    for place, case in enumerate(cases):
        tell(steps + place, case.text)
        with checking(f"{case.text!r}"):
            correct = correct_over_time(
                put(case.variant.hardware),
                clips,
                chips=how.chips,
                path=(seed, subject.arch.key),
                times_s=case.times_s,
                recalibration=batches if case.variant.recalibrated else (),
            )
        over_time = AccuracyOverTime.from_answers(case.times_s, correct)
        numbers = zip(
            case.times_s, over_time.mean(), over_time.low(), over_time.spread(), strict=True
        )
        at = tuple(AccuracyAt(t_s, mean, low, sd=sd) for t_s, mean, low, sd in numbers)
        found.append(Answer(case.text, "simulated", case.variant, at))
    tell(total, "")
    return tuple(found)


def _weights(
    subject: Subject, how: Simulation, after_epoch: Callable[[int], None]
) -> tuple[Callable[[Hardware], AnalogModel], int]:
    """Gives the network on any hardware, and the seed that names its chips."""
    setting = subject.setting
    if subject.bundle is not None:
        stored = StoredNetwork(subject.bundle, setting.task, None)
        return (
            lambda hardware: stored.on_hardware(hardware, device=how.device),
            subject.bundle.evaluation.seed,
        )
    device = pick_device(how.device)
    made = setting.workshop.made(subject.choice)
    recipe = made.recipe(replace(LABEL_RECIPE, epochs=how.epochs))
    trained = train_network(
        setting.space,
        subject.arch,
        setting.task,
        recipe,
        setting.hardware,
        seed=how.seed,
        device=device,
        keep_digital=subject.keep_digital,
        progress=lambda done, total, message: after_epoch(done),
    )
    state = trained.state

    def put(hardware: Hardware) -> AnalogModel:
        return restore_network(
            setting.space,
            subject.arch,
            state,
            recipe,
            hardware,
            seed=how.seed,
            device=device,
            keep_digital=subject.keep_digital,
        ).analog

    return put, how.seed


def trained_for(setting: Setting, how: Simulation) -> str:
    """What a training for a simulation is, in words."""
    epochs = f"{how.epochs} epoch{'s' * (how.epochs > 1)}"
    return f"weights trained for {epochs} on {setting.hardware.name}, seed {how.seed}"
