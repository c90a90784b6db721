"""The loss of a student."""

import math

import pytest
import torch
from torch import Tensor

from analognas.simulator import spawn_generator
from analognas.simulator.training import distillation_loss


def normal(name: str) -> Tensor:
    return torch.empty(6, 5).normal_(0, 3, generator=spawn_generator(0, name))


def softmax(row: list[float], temperature: float) -> list[float]:
    powers = [math.exp(value / temperature) for value in row]
    return [power / sum(powers) for power in powers]


@pytest.mark.parametrize("temperature", [1.0, 4.0])
@pytest.mark.parametrize("weight", [0.0, 0.9, 1.0])
def test_it_is_the_published_mixture(temperature: float, weight: float) -> None:
    student, teacher = normal("student"), normal("teacher")
    labels = torch.tensor([0, 4, 2, 1, 3, 3])
    loss = distillation_loss(student, teacher, labels, temperature=temperature, weight=weight)
    expected = 0.0
    for s, t, label in zip(student.tolist(), teacher.tolist(), labels.tolist(), strict=True):
        p, q = softmax(t, temperature), softmax(s, temperature)
        divergence = sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
        expected += weight * temperature**2 * divergence
        expected -= (1 - weight) * math.log(softmax(s, 1.0)[label])
    assert float(loss) == pytest.approx(expected / 6, rel=1e-5)


def test_no_gradient_flows_to_the_teacher() -> None:
    student, teacher = normal("student").requires_grad_(), normal("teacher").requires_grad_()
    loss = distillation_loss(
        student, teacher, torch.zeros(6, dtype=torch.long), temperature=4.0, weight=0.9
    )
    loss.backward()  # type: ignore[no-untyped-call]
    assert teacher.grad is None
    assert student.grad is not None


def test_a_student_that_equals_its_teacher_has_nothing_to_learn() -> None:
    logits = normal("student").requires_grad_()
    loss = distillation_loss(
        logits, logits.detach(), torch.zeros(6, dtype=torch.long), temperature=4.0, weight=1.0
    )
    (gradient,) = torch.autograd.grad(loss, logits)
    assert float(loss.detach()) == pytest.approx(0.0, abs=1e-6)
    torch.testing.assert_close(gradient, torch.zeros_like(gradient), rtol=0.0, atol=1e-6)
