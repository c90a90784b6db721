"""The Pareto front of a search, and how a few networks are chosen from it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analognas.errors import UserError
from analognas.files import write_text
from analognas.searching.candidates import Candidate, Codes
from analognas.searching.designs import Design
from analognas.searching.hardware_names import shown
from analognas.searching.objectives import OBJECTIVES, Objective

MARGIN = 0.05  # picks are at most this much less accurate (predicted) than the best of the front
ACCURACY = "accuracy@1day"
PICKS = ("accuracy", "knee", "energy")
HOW_PICKED = (
    f"Picks: the most accurate network, and, among those at most {100 * MARGIN:.0f} points less "
    "accurate, the one of least energy and the best compromise (knee)."
)

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class FrontRecord:
    """A network of the front.

    `picks` names the ways of choosing one network that choose this one. `scores` holds one value
    for every metric, the mean where a network was evaluated under several seeds; OBJECTIVES says
    unit and origin of those that it knows.
    """

    key: str
    architecture: Mapping[str, Any]
    scores: Mapping[str, float]
    picks: tuple[str, ...] = ()
    codes: Codes = field(default_factory=dict)
    seeds: int = 1  # under which it was evaluated

    @property
    def network(self) -> str:
        """Key of the network alone; another one than `key` where its hardware was chosen too."""
        return Design.from_dict(self.architecture).arch.key

    @property
    def name(self) -> str:
        """How the network is called in tables: what it was picked for, or its key."""
        return "+".join(self.picks) or self.key


def pareto_front(
    candidates: Sequence[Candidate], objectives: Sequence[Objective]
) -> tuple[FrontRecord, ...]:
    """The networks that `non_dominated` keeps, those that a named pick chooses marked."""
    return name_picks(non_dominated(candidates, objectives), objectives)


def non_dominated(
    candidates: Sequence[Candidate], objectives: Sequence[Objective]
) -> tuple[FrontRecord, ...]:
    """Return the networks that no other one beats or equals in every objective and beats in one.

    Of networks that are equal in every objective the first found stays, so that the front does not
    fill with copies. Sorted by the first objective, best first.
    """
    if not candidates:
        return ()
    losses = loss_matrix([candidate.scores for candidate in candidates], objectives)
    order = np.lexsort(losses.T[::-1])  # stable: by the first objective, then by the others
    kept: list[int] = []
    for index in order:
        # Whoever could dominate this one comes earlier in the order.
        if not (losses[kept] <= losses[index]).all(axis=1).any():
            kept.append(int(index))
    front = [candidates[index] for index in kept]
    return tuple(
        FrontRecord(member.key, member.architecture, member.scores, codes=member.codes)
        for member in front
    )


def loss_matrix(
    scores: Sequence[Mapping[str, float]], objectives: Sequence[Objective]
) -> FloatArray:
    """`(N, objectives)` values, turned so that smaller is better."""
    return np.array(
        [[-objective.sign * row[objective.name] for objective in objectives] for row in scores]
    ).reshape(len(scores), len(objectives))


def name_picks(
    front: tuple[FrontRecord, ...], objectives: Sequence[Objective]
) -> tuple[FrontRecord, ...]:
    """Mark the members that each named way of picking chooses."""
    chosen = {name: pick(front, name, objectives).key for name in PICKS} if front else {}
    return tuple(
        replace(member, picks=tuple(name for name, key in chosen.items() if key == member.key))
        for member in front
    )


def pick(front: Sequence[FrontRecord], choice: str, objectives: Sequence[Objective]) -> FrontRecord:
    """Choose one network of a front.

    Args:
        front: Members, in any order.
        choice: "accuracy" (highest predicted accuracy after one day), "energy" (least energy),
            "knee" (nearest to the best value of every objective at once) or a member's key, which
            may be shortened. "energy" and "knee" look at the useful part of the front only:
            members at most MARGIN less accurate than the most accurate one.
        objectives: Those of the search, for the knee.

    Raises:
        UserError: The front is empty or has no such member.
    """
    if not front:
        raise UserError("The front is empty: no network meets the demands. Relax them.")
    useful = useful_part(front)
    if choice == "accuracy":
        return max(front, key=lambda member: (member.scores[ACCURACY], -member.scores["energy"]))
    if choice == "energy":
        return min(useful, key=lambda member: (member.scores["energy"], -member.scores[ACCURACY]))
    if choice == "knee":
        return useful[int(np.argmin(distances_to_ideal(useful, objectives)))]
    matching = [member for member in front if choice and member.key.startswith(choice)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        keys = ", ".join(member.key for member in matching)
        raise UserError(f"{choice!r} stands for several networks: {keys}. Give more of the key.")
    known = ", ".join((*PICKS, *(member.key for member in front)))
    raise UserError(f"The front has no network {choice!r}. Choose one of: {known}.")


def useful_part(front: Sequence[FrontRecord]) -> list[FrontRecord]:
    """Members at most MARGIN less accurate than the most accurate one."""
    best = max(member.scores[ACCURACY] for member in front)
    return [member for member in front if member.scores[ACCURACY] >= best - MARGIN]


def pick_winners(
    front: Sequence[FrontRecord], count: int, objectives: Sequence[Objective]
) -> tuple[FrontRecord, ...]:
    """Choose the networks that are worth training: most accurate, knee, cheapest, then the gaps.

    After the named picks, the member of the useful part that lies farthest from all chosen ones (in
    normalised objectives) is added until `count` are chosen.
    """
    if count < 1 or not front:
        return ()
    chosen: dict[str, FrontRecord] = {}
    for name in PICKS:
        member = pick(front, name, objectives)
        chosen.setdefault(member.key, member)
    useful = [*useful_part(front)]
    position = dict(
        zip((member.key for member in useful), normalised(useful, objectives), strict=True)
    )
    while len(chosen) < min(count, len(useful)):
        gaps = {
            key: min(float(np.linalg.norm(place - position[other])) for other in chosen)
            for key, place in position.items()
            if key not in chosen
        }
        farthest = max(gaps, key=lambda key: gaps[key])
        chosen[farthest] = next(member for member in useful if member.key == farthest)
    return tuple(chosen.values())[:count]


def normalised(front: Sequence[FrontRecord], objectives: Sequence[Objective]) -> FloatArray:
    """Every objective from 0 (the best on this front) to 1 (the worst)."""
    losses = loss_matrix([member.scores for member in front], objectives)
    low, high = losses.min(axis=0), losses.max(axis=0)
    scaled: FloatArray = (losses - low) / np.where(high > low, high - low, 1.0)
    return scaled


def distances_to_ideal(front: Sequence[FrontRecord], objectives: Sequence[Objective]) -> FloatArray:
    """Euclidean distance of every member to the point that is best in every objective."""
    distances: FloatArray = np.linalg.norm(normalised(front, objectives), axis=1)
    return distances


def write_front(
    path: Path,
    front: Sequence[FrontRecord],
    objectives: Sequence[Objective],
    catalogue: Mapping[str, Objective] = OBJECTIVES,
    *,
    basis: str,
    scope: str,
) -> None:
    """Write the front as CSV: one row per network, every heading with unit and origin.

    Args:
        path: File to write, in one step.
        front: Members in the order of their rows.
        objectives: Those of the search; they stand first and are marked as such.
        catalogue: Headings of all that is known of a network, with the origin that it has here.
        basis: One sentence on where the accuracies come from, repeated in every row.
        scope: What the costs cover, likewise.
    """
    trained = catalogue is not OBJECTIVES
    columns = {objective.name: objective.heading for objective in objectives}
    if front:
        known = {name: catalogue[name].heading for name in catalogue if name in front[0].scores}
        columns |= {name: heading for name, heading in known.items() if name not in columns}
    names, headings = list(columns), list(columns.values())
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    seeds = ["training seeds"] if trained else []
    searched = list(shown(front[0].codes)) if front else []
    network = ["network"] if searched else []
    about = "accuracies" if trained else "predictions"
    writer.writerow(["key", "picked for", *network, *searched, *seeds, *headings, about, "costs"])
    for member in front:
        scores = [repr(round(member.scores[name], 6)) for name in names]
        count = [member.seeds] if trained else []
        design = [member.network, *shown(member.codes).values()] if searched else []
        picks = "+".join(member.picks)
        writer.writerow([member.key, picks, *design, *count, *scores, basis, scope])
    write_text(path, buffer.getvalue())
