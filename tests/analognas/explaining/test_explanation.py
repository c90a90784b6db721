"""Contributions and changed networks of one network."""

from dataclasses import replace

import pytest

from analognas.asking.subject import Subject, SubjectRequest, find_subject
from analognas.errors import UserError
from analognas.explaining.contributions import contributions, draw_networks
from analognas.explaining.counterfactuals import (
    MONTH_S,
    Counterfactuals,
    counterfactuals,
    interesting,
)
from analognas.surrogates.line import LineSurrogate


@pytest.fixture(scope="module")
def subject() -> Subject:
    return find_subject(SubjectRequest(network="resnet-small", task="digits"))


@pytest.fixture(scope="module")
def changes(subject: Subject) -> Counterfactuals:
    return counterfactuals(subject, level=0.8, most_pairs=5)


def test_contributions_add_up_to_the_prediction(subject: Subject, changes: Counterfactuals) -> None:
    (month,) = contributions(subject, (MONTH_S,), draw_networks(subject, 12))
    assert sum(month.by_choice.values()) == pytest.approx(month.predicted - month.average, abs=1e-5)
    assert month.predicted == pytest.approx(changes.base.accuracy[-1].mean, abs=1e-5)
    assert sum(abs(value) for value in month.by_choice.values()) > 0.01
    assert "depth" in month.by_choice
    assert "other" not in month.by_choice


def test_a_surrogate_without_trees_cannot_be_taken_apart(subject: Subject) -> None:
    chosen = replace(subject.setting.chosen, surrogate=LineSurrogate("mean", None))
    plain = replace(subject, setting=replace(subject.setting, chosen=chosen))
    with pytest.raises(UserError, match=r"with trees.*'mean'"):
        contributions(plain, (MONTH_S,), draw_networks(subject, 2))


def test_changes_are_different_networks_within_the_limits(
    subject: Subject, changes: Counterfactuals
) -> None:
    found = (*changes.singles, *changes.pairs)
    keys = [one.arch.key for one in found]
    assert len(set(keys)) == len(keys)
    assert subject.arch.key not in keys
    assert all(subject.setting.fits(one.arch) for one in found)
    assert len(changes.pairs) <= 5
    assert all(", " in one.words for one in changes.pairs)
    gains = [one.gain for one in changes.singles]
    assert gains == sorted(gains, reverse=True)
    one = changes.singles[0]
    month = one.accuracy[-1]
    assert month.change == pytest.approx(month.mean - changes.base.accuracy[-1].mean)
    assert month.half_width > changes.base.accuracy[-1].half_width > 0
    assert one.parameters == subject.setting.space.parameters(one.arch)


def test_tighter_limits_leave_fewer_changes(subject: Subject, changes: Counterfactuals) -> None:
    limits = replace(subject.setting.limits, max_parameters=30_000)
    tight = replace(subject, setting=replace(subject.setting, limits=limits))
    found = counterfactuals(tight, level=0.8, most_pairs=5)
    assert found.too_large > changes.too_large
    assert all(one.parameters <= 30_000 for one in found.singles)


def test_interesting_changes_are_good_or_cheap(changes: Counterfactuals) -> None:
    everything = (*changes.singles, *changes.pairs)
    first, *others = interesting(changes, 3)
    assert first.gain == max(one.gain for one in everything)
    assert all(one.gain >= first.gain - 0.05 for one in others)
    assert all(one.cost.energy_nJ < first.cost.energy_nJ for one in others)


def test_a_network_of_no_space_is_refused(subject: Subject) -> None:
    first, *rest = subject.arch.choices
    wide = replace(first, convolutions=(replace(first.convolutions[0], width=17),))
    shortcut = replace(rest[0], shortcut="projection")
    odd = replace(subject, arch=replace(subject.arch, choices=(wide, shortcut, *rest[1:])))
    with pytest.raises(UserError, match=f"network {odd.arch.key}"):
        counterfactuals(odd, level=0.8, most_pairs=5)
