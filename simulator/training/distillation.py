"""Learning from a teacher, usually the same network in full precision."""

from typing import Annotated

import torch.nn.functional as F
from annotated_types import Ge, Gt, Le
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Distillation:
    """How much of the loss the teacher sets, and how soft its answers are."""

    temperature: Annotated[float, Gt(0)] = 4.0
    weight: Annotated[float, Ge(0), Le(1)] = 0.9


def distillation_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    *,
    temperature: float,
    weight: float,
) -> Tensor:
    """Mix the teacher's softened answers with the labels: Hinton et al., arXiv:1503.02531 (2015).

    `weight T^2 KL(teacher_T || student_T) + (1 - weight) CE(student, labels)`, averaged over the
    batch, where `_T` is a softmax of the logits divided by the temperature T.

    Args:
        student_logits: `(B, C)`.
        teacher_logits: `(B, C)`; no gradient flows to them.
        labels: `(B,)` classes.
        temperature: T.
        weight: Share of the teacher, 0 to 1.
    """
    student = F.log_softmax(student_logits / temperature, dim=1)
    teacher = F.log_softmax(teacher_logits.detach() / temperature, dim=1)
    divergence = F.kl_div(student, teacher, reduction="batchmean", log_target=True)
    labelled = F.cross_entropy(student_logits, labels)
    return weight * temperature**2 * divergence + (1 - weight) * labelled
