"""Train the targets of the benchmark of cheaper labels, and measure them on simulated chips."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

import torch
from torch import nn

from analognas.benchmarks.cheaper_labels_jobs import (
    CARRIED,
    FULL,
    HEIRS,
    TIMES_S,
    Job,
    Parent,
    Result,
    Share,
    path_of,
)
from analognas.benchmarks.inheritance import inherit, nearest
from analognas.deployment.network import using_threads
from analognas.evaluation import correct_over_time
from analognas.files import write_text
from analognas.labelling.job import PART
from analognas.labelling.weights import unpack_weights
from analognas.records import AccuracyOverTime
from analognas.search_spaces import Architecture, make_space
from analognas.simulator import Hardware, calibrate_input_ranges, to_analog, to_digital
from analognas.training import (
    Progress,
    TrainedNetwork,
    TrainingRecipe,
    restore_network,
    train_network,
)

CALIBRATION_INPUTS = 256  # of the training part, for batch norms and input ranges
SAME_FUNCTION = 1e-4  # largest difference of outputs, relative to the largest output


def measure(share: Share, progress: Progress) -> None:
    """Do what is not yet in the folder, on one thread."""
    todo = [job for job in share.jobs if not path_of(share.setting, share.folder, job).exists()]
    with using_threads(1):
        bench = _Bench(share) if todo else None
        for number, job in enumerate(todo):
            assert bench is not None
            progress(number, len(todo), job.name)
            text = json.dumps(asdict(bench.measure(job))) + "\n"
            write_text(path_of(share.setting, share.folder, job), text)
    progress(1, 1, "done")


@dataclass(frozen=True, eq=False)
class _Heir:
    """A network that has inherited its weights, and from whom."""

    network: nn.Module
    parent: Architecture
    weights: Mapping[str, torch.Tensor]
    distance: float


class _Bench:
    def __init__(self, share: Share) -> None:
        setting = share.setting
        self.setting = setting
        self.task = setting.task.load()
        self.space = make_space(
            setting.space, input_shape=self.task.input_shape, n_classes=self.task.n_classes
        )
        self.hardware = Hardware.parse_toml(setting.hardware)
        self.recipe = TrainingRecipe(**setting.recipe)
        self.inputs = torch.from_numpy(self.task.train.stratified(CALIBRATION_INPUTS).inputs)
        self._parents: dict[str, tuple[Architecture, Parent]] = {
            parent.key: (Architecture.from_dict(parent.architecture), parent)
            for parent in setting.parents
        }

    def measure(self, job: Job) -> Result:
        setting = self.setting
        arch = Architecture.from_dict(job.architecture)
        began = time.perf_counter(), time.process_time()
        heir = self._inherit(arch) if job.arm in HEIRS else None
        trained = self._train(job, arch, heir)
        seconds, cpu_seconds = time.perf_counter() - began[0], time.process_time() - began[1]
        correct = correct_over_time(
            trained.analog,
            self.task.parts[PART],
            chips=setting.chips,
            path=(setting.seed, arch.key),
            times_s=TIMES_S,
        )
        return Result(
            key=job.key,
            arm=job.arm,
            accuracy=AccuracyOverTime.from_answers(TIMES_S, correct).accuracy,
            seconds=seconds,
            cpu_seconds=cpu_seconds,
            parent=heir.parent.key if heir else None,
            distance=heir.distance if heir else None,
            preserved=self._is_preserved(heir) if heir else None,
        )

    def _train(self, job: Job, arch: Architecture, heir: _Heir | None) -> TrainedNetwork:
        setting = self.setting
        start = None
        if heir is not None:
            analog = to_analog(heir.network, self.hardware)
            start = TrainedNetwork(self.space, arch, analog, self.recipe, setting.seed, 0.0)
        if job.arm == CARRIED:
            assert start is not None
            return self._calibrated(start)
        return train_network(
            self.space,
            arch,
            self.task,
            self.recipe if job.arm == FULL else replace(self.recipe, epochs=setting.epochs),
            self.hardware,
            seed=setting.seed,
            start=start,
        )

    def _inherit(self, arch: Architecture) -> _Heir:
        """Weights of the nearest parent, carried over."""
        trained, alignment = nearest(arch, [other for other, _ in self._parents.values()])
        _, parent = self._parents[trained.key]
        state = unpack_weights(self.setting.labels / parent.weights)
        network = inherit(
            self.space,
            arch,
            trained,
            state,
            alignment,
            inputs=self.inputs,
            seed=self.setting.seed,
        )
        return _Heir(network, trained, state, alignment.distance)

    @torch.no_grad()
    def _is_preserved(self, heir: _Heir) -> bool:
        """Whether the weights compute what the parent's do, before any training."""
        restored = restore_network(
            self.space, heir.parent, heir.weights, self.recipe, self.hardware, seed=0
        )
        old, new = to_digital(restored.analog)(self.inputs), heir.network(self.inputs)
        return float((new - old).abs().max()) <= SAME_FUNCTION * float(old.abs().max())

    @torch.no_grad()
    def _calibrated(self, start: TrainedNetwork) -> TrainedNetwork:
        """Batch norms, then input ranges, of what the training inputs do in the new network."""
        network = start.digital
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.reset_running_stats()
                module.momentum = None  # the plain mean over batches: here, over the only one
        network.train()(self.inputs)
        analog = to_analog(network.eval(), self.hardware).eval()
        calibrate_input_ranges(analog, self.inputs)
        return replace(start, analog=analog)
