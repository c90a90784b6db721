"""Sweep the chips that a network could run on.

Converters, read mode and compensation do not change the cells: chips are programmed once per size
of core and number of cells, and read in all other ways.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from analognas.allocator import keep_freed_memory
from analognas.deploying.chip_hardware import (
    COMPENSATIONS,
    recalibrates,
)
from analognas.deploying.measuring import Exam, measure_over_time, prepare_exam
from analognas.deploying.placing_source import trace
from analognas.deploying.sources import Source
from analognas.deploying.writing import read_otherwise
from analognas.errors import UserError, checking
from analognas.exploring.chip_variants import (
    ChipChoice,
    variant,
)
from analognas.exploring.kept_scores import KeptScores
from analognas.exploring.records import ChipPoint, Exploration, mark_pareto
from analognas.exploring.sweep_settings import SweepSettings, choices, hardware_of
from analognas.records import AccuracyOverTime
from analognas.simulator import AnalogModel, Hardware, program, spawn_generator
from analognas.simulator.chip import ChipSpec, PlacementError, estimate_cost, place_layers
from analognas.simulator.layers.chip_norms import batch_norms

Progress = Callable[[int, int, str], None]


def explore(
    sources: Sequence[Source],
    settings: SweepSettings,
    *,
    kept: KeptScores | None = None,
    progress: Progress | None = None,
) -> Exploration:
    """Measure every network on every chip of the sweep.

    Args:
        sources: Networks with their data.
        settings: What is varied.
        kept: Scores of an earlier, stopped sweep, and where new ones go.
        progress: Told how many points are finished.

    Raises:
        UserError: A choice is impossible, or no chip holds a network.
    """
    start = time.perf_counter()
    keep_freed_memory()
    wanted = choices(settings)
    sweep = _Sweep(settings, kept or KeptScores(None), progress, len(wanted) * len(sources))
    titles = _different([source.title for source in sources])
    digital: dict[str, float | None] = {}
    for title, source in zip(titles, sources, strict=True):
        digital[title] = sweep.add(title, source, wanted)
    if not sweep.points:
        raise UserError(f"No chip of the sweep holds a network. {sweep.left_out[0]}")
    names = {value is None for value in digital.values()}
    if len(names) > 1:
        raise UserError("Either all networks must have labels, or none. Give --test with labels.")
    notes = [note for source in sources for note in source.notes]
    notes += _unmodelled(settings.chip, wanted)
    if len({len(source.test) for source in sources}) > 1:
        notes.append("The networks were measured on different data: do not compare them.")
    return Exploration(
        template=settings.chip.name,
        score_name="agreement" if True in names else "accuracy",
        t_s=settings.t_s,
        chips=settings.chips,
        inputs=min([settings.inputs, *(len(source.test) for source in sources)]),
        digital=digital,
        points=tuple(mark_pareto(sweep.points)),
        left_out=tuple(sweep.left_out),
        notes=tuple(dict.fromkeys(notes)),
        programmed=sweep.programmed,
        seconds=time.perf_counter() - start,
    )


@dataclass(eq=False)
class _Sweep:
    settings: SweepSettings
    kept: KeptScores
    progress: Progress | None
    total: int
    points: list[ChipPoint] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    programmed: int = 0
    done: int = 0

    def add(self, title: str, source: Source, wanted: Sequence[ChipChoice]) -> float | None:
        """Measure one network; returns its accuracy without analog effects."""
        settings = self.settings
        with checking(title):
            found = trace(source.network, source.input_shape, batch=source.batch)
            exam = prepare_exam(
                source.reference or source.network,
                source.test.first(settings.inputs),
                batch=source.batch,
                device=settings.device,
            )
        if any(map(recalibrates, settings.compensations)):
            _check_recalibration(source)
        on_chips: tuple[tuple[int, int, int], AnalogModel] | None = None
        for choice in wanted:
            self._tell(f"{title}, {choice.core_size}")
            chip = variant(settings.chip, choice)
            self.done += 1
            try:
                placement = place_layers(found.layers, chip, digital=found.digital)
            except PlacementError as error:
                text = f"{title} on {choice.core_size} cores: {error}"
                if text not in self.left_out:
                    self.left_out.append(text)
                continue
            hardware = hardware_of(settings, choice, chip)
            key = self.kept.key(
                source.key + source.data_key, hardware, choice.compensation, settings
            )
            score = self.kept.find(key)
            if score is None:
                cells = (choice.rows, choice.columns, choice.cells)
                if on_chips is None or on_chips[0] != cells:
                    on_chips = None  # free the memory of the chips before
                    on_chips = (cells, self._program(source, hardware))
                score = self._measure(on_chips[1], hardware, source, exam, choice)
                self.kept.keep(key, score)
            cost = estimate_cost(placement, chip)
            found_here = AccuracyOverTime((settings.t_s,), (score,))
            self.points.append(
                ChipPoint(
                    network=title,
                    choice=choice,
                    accuracy=found_here.mean()[0],
                    sd=found_here.spread()[0],
                    low=found_here.low()[0],
                    energy_nJ=cost.energy_nJ,
                    latency_us=cost.latency_us,
                    area_mm2=cost.area_mm2,
                    cores=cost.cores,
                    chip_cores=chip.cores,
                )
            )
        self._tell("done")
        return exam.digital_accuracy

    def _program(self, source: Source, hardware: Hardware) -> AnalogModel:
        analog = source.on(hardware)
        generator = spawn_generator(self.settings.seed, source.key, "program")
        with checking(source.title):
            program(analog, chips=self.settings.chips, generator=generator)
        self.programmed += 1
        return analog

    def _measure(
        self,
        analog: AnalogModel,
        hardware: Hardware,
        source: Source,
        exam: Exam,
        choice: ChipChoice,
    ) -> tuple[float, ...]:
        if analog.hardware != hardware:
            generator = spawn_generator(self.settings.seed, source.key, "program")
            read_otherwise(analog, hardware, generator=generator)
        results = measure_over_time(
            analog,
            exam,
            times_s=(self.settings.t_s,),
            path=(self.settings.seed, source.key),
            calibration=source.batches() if recalibrates(choice.compensation) else None,
        )
        return tuple((one.accuracy or one.agreement)[0] for one in results)

    def _tell(self, message: str) -> None:
        if self.progress is not None:
            self.progress(self.done, self.total, message)


def _check_recalibration(source: Source) -> None:
    if not batch_norms(source.network) or source.batch == 1:
        raise UserError(
            f"`adabs` must have batch norms and batches of several inputs, but {source.title} has "
            f"not. Choose other compensations of {', '.join(COMPENSATIONS)}."
        )


def _unmodelled(chip: ChipSpec, wanted: Sequence[ChipChoice]) -> list[str]:
    """Say so where read modes differ in cost alone."""
    names = sorted({choice.read_mode for choice in wanted})
    alike = [name for name in names if chip.performance[name].bits is None]
    if len(alike) < 2:
        return []
    return [
        f"{' and '.join(alike)} reads of {chip.name} are simulated alike: what a faster read loses "
        "in precision is not modelled, so that it looks better here than it is."
    ]


def _different(titles: Sequence[str]) -> list[str]:
    """The titles, numbered where one occurs twice."""
    return [
        title if titles.count(title) == 1 else f"{title} ({titles[: place + 1].count(title)})"
        for place, title in enumerate(titles)
    ]
