"""Which networks are labelled, under which seeds, and in which order."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass as checked_dataclass

from analognas.errors import UserError
from analognas.hardware_variants import assign_variants
from analognas.validation import describe_validation_error

# Weights of one label set that are kept for later re-evaluation take at most this much together.
MAX_WEIGHTS_BYTES = 20_000_000

# Networks share a pool of variants that holds so many times those of one network: each variant is
# met by enough networks to rank them on it, and there are enough of them to learn from.
VARIANT_HANDS = 4

# A network costs time per multiplication and some time for every layer call, however small it is.
_OVERHEAD_IN_MULTIPLICATIONS = 300_000


@dataclass(frozen=True)
class Job:
    """One training with its measurement: everything a worker needs to know, and nothing else."""

    key: str
    seed: int
    architecture: dict[str, Any]  # Architecture.to_dict()
    parameters: int
    multiplications: int
    keep_weights: bool
    variants: tuple[int, ...] = ()  # places in the run's list of hardware variants

    @property
    def id(self) -> str:
        return f"{self.key}-{self.seed}"

    @property
    def weight(self) -> int:
        """Share of the run's time that this job is expected to take, in arbitrary units."""
        return self.multiplications + _OVERHEAD_IN_MULTIPLICATIONS

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "variants": list(self.variants)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Job:
        """Read back `to_dict()`; a ValueError names what is wrong with foreign data."""
        return TypeAdapter(cls).validate_python(data)


@dataclass(frozen=True)
class Candidate:
    """A sampled network, before its trainings are planned."""

    key: str
    architecture: dict[str, Any]
    parameters: int
    multiplications: int


@checked_dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class LabelPlan:
    """How many labels of which kind a run makes.

    Attributes:
        networks: Different networks, each trained under seed 0.
        replicated: How many of them are also trained under the other seeds.
        seeds: Trainings of a replicated network, seed 0 included.
        chips: Simulated chips that every trained network is programmed onto.
        variants: Hardware variants that every trained network is measured on besides.
        variant_chips: Simulated chips of each variant, and of each state on the way of a training.
        variant_clips: Inputs, a fixed part of the validation part, that are classified there.
        seed: Seed of the sampling of networks.
        epochs: Epochs of every training; None takes the task's own recipe.
        keep_all_weights: Keep the weights of every seed, not of seed 0 alone.
    """

    networks: Annotated[int, Field(ge=1)] = 120
    replicated: Annotated[int, Field(ge=0)] = 20
    seeds: Annotated[int, Field(ge=1)] = 3
    chips: Annotated[int, Field(ge=1)] = 20
    variants: Annotated[int, Field(ge=0)] = 12
    variant_chips: Annotated[int, Field(ge=1)] = 2
    variant_clips: Annotated[int, Field(ge=1)] = 240
    seed: Annotated[int, Field(ge=0)] = 0
    epochs: Annotated[int, Field(ge=1)] | None = None
    keep_all_weights: bool = False

    @model_validator(mode="after")
    def _check_replicated(self) -> Self:
        if self.replicated > self.networks:
            raise ValueError(
                f"`replicated <= networks` must hold, but got replicated={self.replicated} and "
                f"networks={self.networks}. Lower --replicated or raise --networks."
            )
        return self

    @property
    def variant_pool(self) -> int:
        """How many variants there are for all networks together."""
        return VARIANT_HANDS * self.variants


def make_plan(**numbers: Any) -> LabelPlan:
    """Check the numbers of a label run; a UserError names the option, the rule and the value."""
    try:
        return LabelPlan(**numbers)
    except ValidationError as error:
        raise UserError(describe_validation_error(error, "label", LabelPlan)) from error


def plan_jobs(
    candidates: Sequence[Candidate], plan: LabelPlan, *, max_bytes: int = MAX_WEIGHTS_BYTES
) -> tuple[Job, ...]:
    """Turn sampled networks into the fixed list of trainings.

    The order is that of a hash of (key, seed): small and large networks, first and further seeds
    are mixed, so that the time left is an honest estimate from the start, and a run that is stopped
    early holds a fair sample.
    """
    replicated = choose_replicated(candidates, plan.replicated)
    trainings = [(candidate, 0) for candidate in candidates]
    trainings += [
        (c, seed) for c in candidates if c.key in replicated for seed in range(1, plan.seeds)
    ]
    trainings.sort(key=lambda training: _hash(training[0].key, training[1]))
    kept = _choose_kept(trainings, plan, max_bytes)
    dealt: Mapping[str, tuple[int, ...]] = {}
    if plan.variants:
        keys = [candidate.key for candidate in candidates]
        dealt = assign_variants(keys, plan.variant_pool, plan.variants, plan.seed)
    return tuple(
        Job(
            key=candidate.key,
            seed=seed,
            architecture=candidate.architecture,
            parameters=candidate.parameters,
            multiplications=candidate.multiplications,
            keep_weights=(candidate.key, seed) in kept,
            variants=dealt.get(candidate.key, ()),
        )
        for candidate, seed in trainings
    )


def choose_replicated(candidates: Sequence[Candidate], count: int) -> frozenset[str]:
    """Choose the networks that are trained more than once: one from each of `count` size classes.

    The classes hold equally many networks, ordered by multiplications; within a class the smallest
    key wins. Keys are hashes, so the choice knows nothing of any result.
    """
    ordered = sorted(candidates, key=lambda c: (c.multiplications, c.parameters, c.key))
    bounds = [len(ordered) * index // count for index in range(count + 1)] if count else [0]
    return frozenset(
        min(candidate.key for candidate in ordered[start:stop]) for start, stop in pairwise(bounds)
    )


def estimate_weights_bytes(parameters: int) -> int:
    """Bytes of a network's float16 file: weights, batch-norm statistics, names of the tensors."""
    return int(2.2 * parameters) + 8_000


def _choose_kept(
    trainings: Sequence[tuple[Candidate, int]], plan: LabelPlan, max_bytes: int
) -> frozenset[tuple[str, int]]:
    """Fill the space for weights in the order of the hash, passing over what no longer fits.

    Neither the smallest nor the largest networks come first, so that those kept are a fair sample.
    """
    kept = set()
    free = max_bytes
    first = [training for training in trainings if training[1] == 0]
    further = [training for training in trainings if training[1] > 0]
    for candidate, seed in [*first, *further] if plan.keep_all_weights else first:
        size = estimate_weights_bytes(candidate.parameters)
        if size <= free:
            kept.add((candidate.key, seed))
            free -= size
    return frozenset(kept)


def _hash(key: str, seed: int) -> str:
    return hashlib.sha256(f"{key}-{seed}".encode()).hexdigest()
