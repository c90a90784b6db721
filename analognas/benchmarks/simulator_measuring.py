"""All measurements of one network, in the order of the page."""

from __future__ import annotations

import cProfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import CodeType

import torch

from analognas.benchmarks.simulator_competitors import COMPETITORS, Competitor
from analognas.benchmarks.simulator_memory import MemoryJob, peak_memory
from analognas.benchmarks.simulator_models import BenchmarkModel
from analognas.benchmarks.simulator_records import (
    FormatRow,
    LineRow,
    MemoryRow,
    PartsRow,
    ProfileRow,
    Row,
    SpeedRow,
)
from analognas.benchmarks.simulator_timing import (
    Effort,
    Work,
    compare,
    fit_line,
    shortest_s,
)
from analognas.benchmarks.simulator_work import (
    SETTINGS,
    TIMES_S,
    TRAINING,
    EvaluationSteps,
    Setting,
    Subject,
    analog_evaluation,
    analog_training,
    digital_evaluation,
    digital_training,
    formats_of,
    why_no_evaluation,
    why_no_training,
)

FORWARD = "forward pass"
LINE_SETTING = "ii"  # the effects of the default hardware
PLACES = 5  # of a profile


def rows_at_most(effort: Effort) -> int:
    """Number of rows of a network that supports everything."""
    works = 1 + len(SETTINGS)
    competing = sum(1 + 3 * (c.evaluation is not None) for c in _installed().values())
    ratios = 2 + works + len(SETTINGS) + competing
    return ratios if effort.ratios_only else ratios + works + 3 + 2


@dataclass(frozen=True, kw_only=True)
class MeasuredModel:
    """One network and how to measure it."""

    name: str
    model: BenchmarkModel
    effort: Effort
    device: torch.device
    seed: int

    def rows(self) -> Iterator[Row]:
        """Measure; every row is yielded when it is found."""
        yield from self._training()
        yield from self._evaluation()

    def _training(self) -> Iterator[Row]:
        formats = self._formats(TRAINING)
        yield formats
        best = formats.fastest
        reference = digital_training(self._subject(best))
        problem = why_no_training(self._subject(best))
        target = self.model.training_target
        if problem is not None:
            yield SpeedRow(model=self.name, work=TRAINING, target=target, problem=problem)
        else:
            with analog_training(self._subject(best)) as work:
                comparison = compare(reference, work, self.effort, device=self.device)
                yield SpeedRow(model=self.name, work=TRAINING, target=target, comparison=comparison)
                if not self.effort.ratios_only:
                    yield ProfileRow(self.name, TRAINING, busiest_places(work))
            if not self.effort.ratios_only:
                yield self._memory(TRAINING, best)
        for name, competitor in _installed().items():
            yield self._competing(name, competitor, TRAINING, best)

    def _evaluation(self) -> Iterator[Row]:
        formats = self._formats(FORWARD)
        yield formats
        best = formats.fastest
        subject = self._subject(best)
        passes = self.effort.chips * len(TIMES_S)
        reference = digital_evaluation(subject, passes=passes)
        for key, setting in SETTINGS.items():
            problem = why_no_evaluation(subject, key)
            if problem is not None:
                yield SpeedRow(model=self.name, work=key, target=setting.target, problem=problem)
                continue
            hardware = self.model.hardware(setting.hardware)
            work = analog_evaluation(subject, hardware, chips=self.effort.chips)
            comparison = compare(reference, work, self.effort, device=self.device)
            yield SpeedRow(model=self.name, work=key, target=setting.target, comparison=comparison)
            yield self._parts(subject, key)
            if self.effort.ratios_only:
                continue
            if key == LINE_SETTING:
                yield ProfileRow(self.name, key, busiest_places(work))
                yield from self._lines(subject, setting)
            yield self._memory(key, best)
        for name, competitor in _installed().items():
            if competitor.evaluation is not None:
                for key in (name for name, one in SETTINGS.items() if one.target is not None):
                    yield self._competing(name, competitor, key, best)

    def _subject(self, memory_format: str) -> Subject:
        return Subject.of(
            self.model, memory_format=memory_format, seed=self.seed, device=self.device
        )

    def _formats(self, work: str) -> FormatRow:
        """Time the FP32 network in every memory format, in turns."""
        works = {
            name: digital_training(self._subject(name))
            if work == TRAINING
            else digital_evaluation(self._subject(name), passes=1)
            for name in formats_of(self.model)
        }
        first, *others = works
        if not others:
            seconds = {first: shortest_s(works[first], self.effort, device=self.device)}
        else:
            (second,) = others
            both = compare(works[first], works[second], self.effort, device=self.device)
            seconds = {first: both.reference_median_s, second: both.candidate_median_s}
        return FormatRow(self.name, work, seconds)

    def _competing(
        self, name: str, competitor: Competitor, work: str, memory_format: str
    ) -> SpeedRow:
        """Time another simulator; what it cannot do is a remark.

        It gets contiguous tensors, for not all of them take others.
        """
        subject = self._subject(memory_format)
        theirs_on = self._subject("contiguous")
        try:
            effort = self.effort
            if work == TRAINING or competitor.evaluation is None:
                theirs = competitor.training(theirs_on)
                reference = digital_training(subject)
            else:
                theirs = competitor.evaluation(theirs_on, work)
                reference = digital_evaluation(subject, passes=len(TIMES_S))
                effort = replace(effort, pairs=1)
            comparison = compare(reference, theirs, effort, device=self.device)
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
            return SpeedRow(model=self.name, work=work, simulator=name, problem=problem)
        return SpeedRow(model=self.name, work=work, simulator=name, comparison=comparison)

    def _memory(self, work: str, memory_format: str) -> MemoryRow:
        digital, analog = (
            peak_memory(
                MemoryJob(
                    model=self.name,
                    work=work,
                    analog=is_analog,
                    memory_format=memory_format,
                    chips=self.effort.chips,
                    threads=torch.get_num_threads(),
                    device=str(self.device),
                    seed=self.seed,
                )
            )
            for is_analog in (False, True)
        )
        return MemoryRow(self.name, work, digital, analog)

    def _parts(self, subject: Subject, key: str) -> PartsRow:
        chips = max(1, self.effort.chips // 4)
        steps = EvaluationSteps(subject, self.model.hardware(SETTINGS[key].hardware), chips=chips)
        fp32 = digital_evaluation(subject, passes=chips)
        program, age, read = (
            compare(fp32, step, self.effort.few_pairs, device=self.device).ratio
            for step in (steps.program, steps.age, steps.read)
        )
        return PartsRow(self.name, key, program, age, read)

    def _lines(self, subject: Subject, setting: Setting) -> Iterator[LineRow]:
        """Vary chips, times and images, each with the other two small."""
        hardware = self.model.hardware(setting.hardware)
        chips, batch = self.effort.chips, len(subject.x)
        few = max(1, chips // 4)
        sizes: dict[str, list[int]] = {
            "chips": sorted({few, max(1, chips // 2), max(2, chips)}),
            "times": [1, (1 + len(TIMES_S)) // 2, len(TIMES_S)],
            "images": [batch // 4, batch // 2, batch],
        }
        for over, points in sizes.items():
            seconds = []
            for size in points:
                work = analog_evaluation(
                    subject.first(size) if over == "images" else subject,
                    hardware,
                    chips=size if over == "chips" else few,
                    times_s=TIMES_S[:size] if over == "times" else TIMES_S[:1],
                )
                seconds.append(shortest_s(work, self.effort, device=self.device))
            yield LineRow(self.name, over, fit_line(points, seconds))


def busiest_places(work: Work) -> tuple[tuple[str, float], ...]:
    """Functions in which most of the time is spent (without their callees), and their share."""
    profile = cProfile.Profile()
    profile.runcall(work)
    entries = sorted(profile.getstats(), key=lambda entry: -entry.inlinetime)
    total = sum(entry.inlinetime for entry in entries)
    return tuple((_place(entry.code), entry.inlinetime / total) for entry in entries[:PLACES])


def _place(code: CodeType | str) -> str:
    if isinstance(code, str):
        return code.strip("<>").removeprefix("built-in method ")
    return f"{Path(code.co_filename).name}:{code.co_firstlineno} {code.co_name}"


def _installed() -> dict[str, Competitor]:
    return {name: c for name, c in COMPETITORS.items() if c.is_installed}
