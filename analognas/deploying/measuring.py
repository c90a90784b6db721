"""How well aged chips compute what their digital network computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from analognas.deploying.arrays import Examples
from analognas.deploying.sources import in_batches
from analognas.simulator import (
    AnalogModel,
    recalibrate_batch_norm,
    set_time,
    spawn_generator,
)

INPUTS_PER_PASS = 256


@dataclass(frozen=True)
class ChipResult:
    """One chip over time.

    Args:
        chip: Its number.
        accuracy: Share of right answers; None without labels.
        agreement: Share of answers that are those of the digital network.
        output_error: Root mean square difference of the outputs from the digital network's,
            relative to the root mean square of these.
    """

    chip: int
    accuracy: tuple[float, ...] | None
    agreement: tuple[float, ...]
    output_error: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Exam:
    """What chips are measured on.

    Args:
        examples: Inputs and, perhaps, labels.
        digital: Outputs of the digital network, `(N, ..., classes)`.
        batch: Inputs of a call; None if any number will do.
        device: Where the network computes.
    """

    examples: Examples
    digital: Tensor
    batch: int | None
    device: torch.device

    @property
    def digital_accuracy(self) -> float | None:
        """Share of right answers of the digital network."""
        labels = self.examples.labels
        return None if labels is None else _share(self.digital.argmax(dim=-1), labels)


@torch.no_grad()
def prepare_exam(
    network: nn.Module, examples: Examples, *, batch: int | None, device: torch.device
) -> Exam:
    """Let the digital network answer."""
    network.eval()
    parts = [
        network(x.to(device)).cpu() for x in in_batches(examples.inputs, batch, INPUTS_PER_PASS)
    ]
    digital = torch.cat(parts)[: len(examples)]
    labels = examples.labels
    if labels is not None:
        _check_labels(labels, digital)
    return Exam(examples, digital, batch, device)


def _check_labels(labels: Tensor, digital: Tensor) -> None:
    classes = digital.shape[-1]
    if labels.shape != digital.shape[:-1]:
        raise ValueError(
            "`labels` must have the shape of the network's outputs without their last axis, "
            f"{tuple(digital.shape[:-1])}, but got {tuple(labels.shape)}. Give a class per answer."
        )
    if int(labels.min()) < 0 or int(labels.max()) >= classes:
        raise ValueError(
            f"`labels` must be from 0 to {classes - 1}, the network's outputs, but they are from "
            f"{int(labels.min())} to {int(labels.max())}. Number the classes as in training."
        )


@torch.no_grad()
def measure_over_time(
    analog: AnalogModel,
    exam: Exam,
    *,
    times_s: Sequence[float],
    path: tuple[int, str],
    calibration: Sequence[Tensor] | None = None,
    told: Callable[[str], None] | None = None,
) -> list[ChipResult]:
    """Age programmed chips, compensate, and examine them at every time.

    Args:
        analog: Programmed.
        exam: What is asked.
        times_s: Seconds after programming.
        path: Seed and key; they name the random streams.
        calibration: Batches by which batch norms are calibrated anew at every time (AdaBS).
        told: About the time that is simulated.
    """
    seed, key = path
    rows: list[list[tuple[float | None, float, float]]] = []
    for t_s in times_s:
        if told is not None:
            told(f"{t_s:g} s after programming")
        set_time(analog, t_s=t_s, generator=spawn_generator(seed, key, "time", repr(t_s)))
        if calibration is not None:
            recalibrate_batch_norm(analog, calibration)
        rows.append(_examine(analog, exam))
    results = []
    for place, chip in enumerate(analog.chips):
        scores = [row[place] for row in rows]
        right = [score[0] for score in scores if score[0] is not None]
        results.append(
            ChipResult(
                chip,
                tuple(right) if exam.examples.labels is not None else None,
                tuple(score[1] for score in scores),
                tuple(score[2] for score in scores),
            )
        )
    return results


def _examine(analog: AnalogModel, exam: Exam) -> list[tuple[float | None, float, float]]:
    """Accuracy, agreement and error of every chip."""
    batches = in_batches(exam.examples.inputs, exam.batch, INPUTS_PER_PASS)
    outputs = torch.cat([analog(x.to(exam.device)).cpu() for x in batches], dim=1)
    outputs = outputs[:, : len(exam.examples)]
    expected = exam.digital.argmax(dim=-1)
    scale = exam.digital.double().square().mean().sqrt().clamp_min(1e-12)
    scores = []
    for output in outputs:
        answers, labels = output.argmax(dim=-1), exam.examples.labels
        error = (output - exam.digital).double().square().mean().sqrt() / scale
        accuracy = None if labels is None else _share(answers, labels)
        scores.append((accuracy, _share(answers, expected), float(error)))
    return scores


def _share(answers: Tensor, expected: Tensor) -> float:
    return float(answers.eq(expected).double().mean())
