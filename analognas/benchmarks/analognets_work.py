"""One network under one seed: its trainings in two stages, measured on simulated chips."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace

from analognas.benchmarks.analognets_cases import (
    BITS,
    FINE,
    FINE_BITS,
    HARDWARE_OF_BITS,
    MAIN,
    METHODS,
    ONE_GAIN,
    OWN,
    OWN_RANGES,
    TIMES_S,
    TRAINING_RULE,
    describe,
    networks,
    recipe_of,
)
from analognas.benchmarks.analognets_jobs import FIRST, WEIGHTS, Job, Result, path_of
from analognas.benchmarks.analognets_ranges import one_gain, own_ranges
from analognas.deployment.network import using_threads
from analognas.evaluation import correct_over_time, digital_accuracy
from analognas.files import write_bytes, write_text
from analognas.labelling.weights import pack_weights, unpack_weights
from analognas.search_spaces import Architecture, ConvSpace, SearchSpace, make_space
from analognas.simulator import AnalogModel, Hardware, RangeRule
from analognas.simulator.adc_gain import with_adc_gain
from analognas.simulator.layers import analog_layers
from analognas.simulator.training.analognets import FIRST_STAGE
from analognas.training import (
    Progress,
    TrainedNetwork,
    TrainingRecipe,
    restore_network,
    train_network,
)

PART = "test"


def measure(job: Job, progress: Progress) -> None:
    """Do what is not yet in the folder."""
    with using_threads(1):
        _Bench(job, progress).run()
    progress(100, 100, f"{job.name}: done")


class _Bench:
    def __init__(self, job: Job, progress: Progress) -> None:
        self.job = job
        self.task = job.task.load()
        shape, classes = self.task.input_shape, self.task.n_classes
        self.space: SearchSpace = make_space("tinyml", input_shape=shape, n_classes=classes)
        self.arch: Architecture = networks(ConvSpace(shape, classes))[job.network]
        self._progress = progress
        self._trainings = 0

    def run(self) -> None:
        job = self.job
        for method in job.methods:
            converted = METHODS[method].converters
            for bits in job.bits:
                path = path_of(job, self.task, method, bits)
                if not path.exists():
                    results = (
                        self._with_converters(method, bits)
                        if converted
                        else self._without_converters(method, bits)
                    )
                    write_text(path, json.dumps([asdict(one) for one in results]) + "\n")
                if converted:
                    self._trainings += 1

    # -------------------------------------------------------------------------- trainings

    def _first_stage(self) -> TrainedNetwork:
        recipe = TrainingRecipe(epochs=self.job.effort.epochs, hwa=FIRST_STAGE)
        return self._kept(FIRST, recipe, lambda tell: self._train(recipe, tell))

    def _second_stage(self, method: str) -> TrainedNetwork:
        """A second stage without converters, the same at all bits."""
        recipe = recipe_of(method, self.job.effort.epochs)

        def make(tell: Progress) -> TrainedNetwork:
            return self._train(recipe, tell, start=self._first_stage())

        return self._kept(method, recipe, make)

    def _kept(
        self, what: str, recipe: TrainingRecipe, make: Callable[[Progress], TrainedNetwork]
    ) -> TrainedNetwork:
        """Train, or read what was trained before; both are rounded to float16."""
        path = path_of(self.job, self.task, what, None, WEIGHTS)
        if not path.exists():
            write_bytes(path, pack_weights(make(self._teller(what)).state))
            self._trainings += 1
        return restore_network(
            self.space,
            self.arch,
            unpack_weights(path),
            recipe,
            HARDWARE_OF_BITS[8],
            seed=self.job.seed,
        )

    def _train(
        self,
        recipe: TrainingRecipe,
        tell: Progress,
        *,
        start: TrainedNetwork | None = None,
        hardware: Hardware = HARDWARE_OF_BITS[8],
    ) -> TrainedNetwork:
        return train_network(
            self.space,
            self.arch,
            self.task,
            recipe,
            hardware,
            seed=self.job.seed,
            start=start,
            progress=tell,
        )

    def _teller(self, what: str) -> Progress:
        job = self.job

        def tell(done: int, total: int, message: str) -> None:
            share = (self._trainings + done / total) / job.trainings
            self._progress(min(99, round(100 * share)), 100, f"{job.name}: {what}")

        return tell

    # ------------------------------------------------------------------------ measurements

    def _without_converters(self, method: str, bits: int) -> list[Result]:
        trained, hardware = self._second_stage(method), HARDWARE_OF_BITS[bits]
        network, found = trained.digital, []
        for adc, choose in ((ONE_GAIN, one_gain), (OWN_RANGES, own_ranges)):
            ranges = choose(network, hardware, self.task)
            analog = ranges.analog(network, hardware)
            gain = next(iter(ranges.bounds.values())) if adc == ONE_GAIN else None
            found += self._measured(trained, analog, method, bits, adc, gain, ranges.rule)
        return found

    def _with_converters(self, method: str, bits: int) -> list[Result]:
        first, hardware = self._first_stage(), HARDWARE_OF_BITS[bits]
        start = one_gain(first.digital, hardware, self.task, rules=(TRAINING_RULE,))
        hardware = with_adc_gain(hardware, next(iter(start.bounds.values())))
        recipe = recipe_of(method, self.job.effort.epochs)
        tell = self._teller(f"{method}, {bits} bit")
        trained = self._train(recipe, tell, start=first, hardware=hardware)
        found = []
        for groups in self.job.groups:
            analog = _grouped(trained, groups)
            gain = analog.hardware.converters.output_bound
            found += self._measured(
                trained, analog, method, bits, ONE_GAIN, gain, TRAINING_RULE, groups
            )
        return found

    def _measured(  # noqa: PLR0913
        self,
        trained: TrainedNetwork,
        analog: AnalogModel,
        method: str,
        bits: int,
        adc: str,
        gain: float | None,
        rule: RangeRule,
        groups: str = "together",
    ) -> list[Result]:
        """Measure on chips whose drift is read finely, then on those that read it as it comes."""
        job, data = self.job, self.task.parts[PART]
        both = job.network == MAIN and adc == ONE_GAIN and bits == min(BITS)
        digital = digital_accuracy(trained.digital, data)
        found = []
        for drift_read in (OWN, FINE) if both else (FINE,):
            if drift_read == FINE:
                _read_drift_finely(analog)
            correct = correct_over_time(
                analog,
                data,
                chips=job.effort.chips,
                path=(job.seed, f"{self.arch.key}/analognets"),
                times_s=tuple(TIMES_S.values()),
            )
            found.append(
                Result(
                    network=job.network,
                    method=method,
                    bits=bits,
                    seed=job.seed,
                    adc=adc,
                    groups=groups,
                    drift_read=drift_read,
                    gain=gain,
                    ranges="learned" if METHODS[method].converters else describe(rule),
                    digital=digital,
                    accuracy=tuple(tuple(row) for row in correct.mean(axis=2).tolist()),
                )
            )
        return found


def _read_drift_finely(analog: AnalogModel) -> None:
    """Let the tiles measure their drift with conversions of 8 bits; the network keeps its own."""
    for _, layer in analog_layers(analog):
        converters = layer.hardware.converters
        fine = replace(converters, dac_bits=FINE_BITS, adc_bits=FINE_BITS)
        for tile in layer.crossbar_tiles():
            tile.hardware = replace(layer.hardware, converters=fine)


def _grouped(trained: TrainedNetwork, groups: str) -> AnalogModel:
    """The trained network on chips that read its groups in another way."""
    hardware = trained.analog.hardware
    mapping = replace(hardware.mapping, groups=groups)  # type: ignore[arg-type]
    analog = restore_network(
        trained.space,
        trained.architecture,
        trained.state,
        trained.recipe,
        replace(hardware, mapping=mapping),
        seed=trained.seed,
    ).analog
    assert all(layer.hardware == analog.hardware for _, layer in analog_layers(analog))
    return analog
