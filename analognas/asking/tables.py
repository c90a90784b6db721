"""Answers as a table for people."""

from __future__ import annotations

from collections.abc import Sequence

from analognas.asking.answers import AS_IT_IS, AccuracyAt, Answer
from analognas.records import EVALUATION_TIMES_S


def answer_table(answers: Sequence[Answer]) -> tuple[list[str], list[list[object]]]:
    """One row per question and kind of number, one column per time.

    Predictions and simulations of the same question stand below each other. Cells hold accuracy in
    %, the change in points from the unchanged hardware, and the second line what surrounds it.
    """
    times = sorted({one.t_s for answer in answers for one in answer.at})
    kinds = list(dict.fromkeys(answer.kind for answer in answers))
    columns = ["what if", "kind", *map(time_in_words, times), "within the labels"]
    base = {answer.kind: answer for answer in answers if answer.question == AS_IT_IS}
    by_question: dict[str, list[Answer]] = {}
    for answer in answers:
        by_question.setdefault(answer.question, []).append(answer)
    rows: list[list[object]] = []
    for question, group in by_question.items():
        for answer in sorted(group, key=lambda one: kinds.index(one.kind)):
            cells = {one.t_s: _cell(one, answer, base[answer.kind]) for one in answer.at}
            within = answer.beyond and f"no: {answer.beyond}"
            rows.append(
                [
                    question,
                    answer.kind,
                    *(cells.get(t_s) for t_s in times),
                    (within or "yes") if answer.kind == "predicted" else None,
                ]
            )
    return columns, rows


def time_in_words(t_s: float) -> str:
    """A usual time by its name, another one in its largest whole unit."""
    known = {seconds: name for name, seconds in EVALUATION_TIMES_S.items()}
    if t_s in known:
        return known[t_s]
    for unit, seconds in (("days", 86_400.0), ("hours", 3600.0), ("min", 60.0)):
        if t_s >= seconds:
            return f"{t_s / seconds:.3g} {unit}"
    return f"{t_s:.3g} s"


def _cell(one: AccuracyAt, answer: Answer, base: Answer) -> str:
    before = base.mean(one.t_s)
    change = ""
    if before is not None and answer.question != AS_IT_IS:
        change = f" ({100 * (one.mean - before):+.1f})"
    if one.lower is not None and one.upper is not None:
        around = f"{100 * one.lower:.0f} to {100 * one.upper:.0f}"
    else:
        around = f"sd {100 * (one.sd or 0.0):.1f}"
    return f"{100 * one.mean:.1f}{change}\n{around}, low {100 * max(one.low, 0.0):.1f}"
