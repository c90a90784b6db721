"""Tests of the list of trainings."""

from types import ModuleType

import pytest

from analognas.errors import UserError
from analognas.labelling import Job, make_plan, plan_jobs
from analognas.labelling.plan import choose_replicated, estimate_weights_bytes


def test_every_network_is_trained_once_and_the_replicated_ones_under_every_seed(
    fakes: ModuleType,
) -> None:
    jobs = plan_jobs(fakes.make_candidates(12), make_plan(networks=12, replicated=4, seeds=3))
    assert len(jobs) == 12 + 4 * 2
    assert len({job.id for job in jobs}) == len(jobs)
    assert sum(job.seed == 0 for job in jobs) == 12
    assert len({job.key for job in jobs if job.seed == 2}) == 4


def test_the_plan_depends_on_the_networks_and_not_on_their_order(fakes: ModuleType) -> None:
    plan = make_plan(networks=12, replicated=4)
    candidates = fakes.make_candidates(12)
    assert plan_jobs(candidates, plan) == plan_jobs(candidates[::-1], plan)


def test_sizes_and_seeds_are_mixed_in_the_order_of_jobs(fakes: ModuleType) -> None:
    jobs = plan_jobs(fakes.make_candidates(100), make_plan(networks=100, replicated=50, seeds=3))
    first_half = jobs[: len(jobs) // 2]
    share = sum(job.weight for job in first_half) / sum(job.weight for job in jobs)
    assert 0.4 < share < 0.6
    assert 0.2 < sum(job.seed > 0 for job in first_half) / len(first_half) < 0.8


def test_replicated_networks_come_from_every_size_class(fakes: ModuleType) -> None:
    candidates = fakes.make_candidates(40)
    chosen = choose_replicated(candidates, 10)
    indices = sorted(
        candidate.architecture["index"] for candidate in candidates if candidate.key in chosen
    )
    assert [index // 4 for index in indices] == list(range(10))


def test_the_kept_weights_stay_within_the_space_for_them(fakes: ModuleType) -> None:
    plan = make_plan(networks=100, replicated=20)
    jobs = plan_jobs(fakes.make_candidates(100), plan, max_bytes=2_000_000)
    kept = [job for job in jobs if job.keep_weights]
    assert 0 < sum(estimate_weights_bytes(job.parameters) for job in kept) <= 2_000_000
    assert all(job.seed == 0 for job in kept)
    assert max(job.parameters for job in kept) > 50_000
    assert min(job.parameters for job in kept) < 10_000


def test_the_weights_of_every_seed_are_kept_on_request(fakes: ModuleType) -> None:
    plan = make_plan(networks=6, replicated=2, keep_all_weights=True)
    assert all(job.keep_weights for job in plan_jobs(fakes.make_candidates(6), plan))


def test_a_job_survives_its_dictionary(jobs: tuple[Job, ...]) -> None:
    assert Job.from_dict(jobs[0].to_dict()) == jobs[0]


@pytest.mark.parametrize(
    ("numbers", "told"),
    [
        ({"networks": 0}, "networks.*greater than or equal to 1.*0"),
        ({"chips": 0}, "chips"),
        ({"seeds": -1}, "seeds"),
        ({"epochs": 0}, "epochs"),
        ({"seed": -3}, "seed"),
        ({"networks": 5, "replicated": 6}, "replicated <= networks.*replicated=6.*networks=5"),
    ],
)
def test_impossible_numbers_are_refused(numbers: dict[str, int], told: str) -> None:
    with pytest.raises(UserError, match=told):
        make_plan(**{"replicated": 0, **numbers})
