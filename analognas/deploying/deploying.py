"""Put a network on chips: place, program, age, compensate, measure."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analognas import __version__
from analognas.allocator import keep_freed_memory
from analognas.deploying.chip_hardware import (
    COMPENSATIONS,
    compensated,
    recalibrates,
)
from analognas.deploying.conductance_table import conductance_table, read_conductances
from analognas.deploying.core_map import PlacedTile, placed_tiles
from analognas.deploying.kept_chips import FinishedChip, KeptChips, TileLog
from analognas.deploying.measuring import Exam, measure_over_time, prepare_exam
from analognas.deploying.placing_source import place_source
from analognas.deploying.records import MEASURED, ChipDeployment, LayerSettings
from analognas.deploying.settings import DeploymentSettings
from analognas.deploying.sources import Source
from analognas.deploying.writing import give_conductances
from analognas.errors import UserError, checking
from analognas.hardware_choice import check_ages, cost_notes
from analognas.simulator import (
    SIMULATOR_VERSION,
    AnalogModel,
    analog_layers,
    chips_that_fit,
    program,
    spawn_generator,
)
from analognas.simulator.chip import estimate_cost
from analognas.simulator.layers.chip_norms import batch_norms
from analognas.simulator.programming import ProgrammingMethod, programming_method

if TYPE_CHECKING:
    import pyarrow as pa

    from analognas.simulator.chip import Placement

Progress = Callable[[int, int, str], None]  # done, total, message
CHIPS_AT_ONCE = 5  # of statistical programming; each round is kept


@dataclass(frozen=True, eq=False)
class Finished:
    """A deployment and, by number of the chip, its conductances."""

    deployment: ChipDeployment
    analog: AnalogModel
    tiles: tuple[PlacedTile, ...]
    conductances: Callable[[int], pa.Table]


def deploy(
    source: Source,
    settings: DeploymentSettings,
    *,
    keep_in: Path | None = None,
    progress: Progress | None = None,
) -> Finished:
    """Place, program, age, compensate and measure.

    Args:
        source: The network and its data.
        settings: How.
        keep_in: Folder of the deployment, beside which finished chips are kept; None: in memory.
        progress: Told how many chips are finished.

    Raises:
        UserError: The network does not fit, or a setting is not possible.
    """
    start = time.perf_counter()
    keep_freed_memory()
    _check(settings, source)
    with checking("hardware"):
        hardware = settings.resolved()
    placement = _place(source, settings)
    with checking(source.title):
        analog = source.on(hardware, keep_digital=settings.keep_digital)
        tiles = tuple(placed_tiles(analog, placement))
        exam = prepare_exam(
            source.reference or source.network,
            source.test,
            batch=source.batch,
            device=settings.device,
        )
    _check_recalibration(analog, source, settings)
    with checking("read mode"):
        cost = estimate_cost(placement, settings.chip, settings.read_mode)
    finished, tables = _all_chips(analog, tiles, source, exam, settings, keep_in, progress)
    deployment = ChipDeployment(
        title=source.title,
        data=source.data,
        key=source.key,
        hardware=hardware,
        chip=settings.chip,
        placement=placement,
        cost=cost,
        layers=_layer_settings(analog, tiles),
        programming=MEASURED if settings.conductances else settings.programming,
        compensation=settings.compensation,
        times_s=settings.times_s,
        chips=finished,
        digital_accuracy=exam.digital_accuracy,
        examples=len(source.test),
        parameters=sum(p.numel() for p in source.network.parameters()),
        seed=settings.seed,
        notes=(*source.notes, *cost_notes(hardware, settings.chip, settings.read_mode)),
        seconds=time.perf_counter() - start,
    )
    return Finished(deployment, analog, tiles, tables)


def _check(settings: DeploymentSettings, source: Source) -> None:
    if settings.chips < 1:
        raise UserError(f"`chips` must be at least 1, but got {settings.chips}.")
    if settings.compensation not in COMPENSATIONS:
        compensated(settings.resolved(), settings.compensation)
    if not settings.times_s or list(settings.times_s) != sorted(settings.times_s):
        raise UserError(f"The times must rise, but got {settings.times_s}. Sort them.")
    check_ages(settings.resolved(), settings.times_s)
    if len(source.calibration) == 0 or len(source.test) == 0:
        raise UserError(
            f"{source.title} must come with inputs, but there are none. Give some by --inputs and "
            "--test."
        )
    with checking("--programming"):
        programming_method(settings.programming)


def _place(source: Source, settings: DeploymentSettings) -> Placement:
    with checking(source.title):
        return place_source(
            source.network,
            source.input_shape,
            settings.chip,
            batch=source.batch,
            keep_digital=settings.keep_digital,
        )


def _check_recalibration(analog: AnalogModel, source: Source, settings: DeploymentSettings) -> None:
    if not recalibrates(settings.compensation):
        return
    if not batch_norms(analog.network):
        raise UserError(
            "`adabs` must have batch norms to calibrate, but the network has none. Choose the "
            "compensation none or gdc."
        )
    if source.batch == 1:
        raise UserError(
            "`adabs` must see several inputs at once, but the model was exported for one. Export "
            "it with a larger or a dynamic batch, or choose the compensation gdc."
        )


def _all_chips(  # noqa: PLR0913
    analog: AnalogModel,
    tiles: Sequence[PlacedTile],
    source: Source,
    exam: Exam,
    settings: DeploymentSettings,
    keep_in: Path | None,
    progress: Progress | None,
) -> tuple[tuple[FinishedChip, ...], Callable[[int], pa.Table]]:
    method = programming_method(settings.programming)
    path = (settings.seed, source.key)
    measured = None
    numbers = list(range(settings.chips))
    if settings.conductances is not None:
        measured = read_conductances(settings.conductances, tiles, settings.chip)
        numbers = sorted(measured)
    kept = None if keep_in is None else KeptChips(keep_in, _fingerprint(source, settings, method))
    done = {} if kept is None else kept.finished()
    done = {number: chip for number, chip in done.items() if number in numbers}
    tables: dict[int, pa.Table] = {}
    waiting = [number for number in numbers if number not in done]
    at_once = 1 if settings.programming != "statistical" else CHIPS_AT_ONCE
    at_once = max(1, min(at_once, chips_that_fit(analog)))
    calibration = source.batches() if recalibrates(settings.compensation) else None

    def tell(message: str) -> None:
        if progress is not None:
            progress(len(done), len(numbers), message)

    for first in range(0, len(waiting), at_once):
        chips = waiting[first : first + at_once]
        tell(f"programming {_named(chips)}")
        generator = spawn_generator(*path, "program")
        if measured is not None:
            give_conductances(
                analog, {number: measured[number] for number in chips}, generator=generator
            )
        else:
            with checking("--programming"):
                program(analog, chips=chips, generator=generator, method=method)
        results = measure_over_time(
            analog,
            exam,
            times_s=settings.times_s,
            path=path,
            calibration=calibration,
            told=partial(_tell_time, tell, _named(chips)),
        )
        for place, result in enumerate(results):
            chip = FinishedChip(result, _logs(tiles, place))
            table = conductance_table(tiles, place, result.chip)
            if kept is None:
                tables[result.chip] = table
            else:
                kept.keep(chip, table)
            done[result.chip] = chip
    tell("done")
    ordered = tuple(done[number] for number in sorted(done))
    return ordered, tables.__getitem__ if kept is None else kept.conductances


def _tell_time(tell: Callable[[str], None], chips: str, text: str) -> None:
    tell(f"{chips}, {text}")


def _named(chips: Sequence[int]) -> str:
    return f"chip {chips[0]}" if len(chips) == 1 else f"chips {chips[0]} to {chips[-1]}"


def _logs(tiles: Sequence[PlacedTile], place: int) -> tuple[TileLog, ...]:
    return tuple(
        TileLog(one.layer, one.block, one.placed.core, one.tile.logs[place])
        for one in tiles
        if one.tile.logs
    )


def _layer_settings(analog: AnalogModel, tiles: Sequence[PlacedTile]) -> tuple[LayerSettings, ...]:
    found = []
    for name, layer in analog_layers(analog):
        mine = [one for one in tiles if one.layer == name]
        found.append(
            LayerSettings(
                layer=name,
                kind=type(layer.digital).__name__,
                rows=layer.product.rows,
                columns=max(one.tile.block.column_stop for one in mine),
                input_range=layer.input_range.item() if layer.has_range else None,
                blocks=len(mine),
                first_core=min(one.placed.core for one in mine),
            )
        )
    return tuple(found)


def _fingerprint(
    source: Source, settings: DeploymentSettings, method: ProgrammingMethod
) -> Mapping[str, Any]:
    """All that a chip depends on but its number."""
    return {
        "analognas": __version__,
        "simulator": SIMULATOR_VERSION,
        "network": source.key,
        "data": source.data_key,
        "hardware": settings.resolved().hash,
        "chip": settings.chip.hash,
        "method": asdict(method),
        "compensation": settings.compensation,
        "times_s": list(settings.times_s),
        "keep_digital": list(settings.keep_digital),
        "seed": settings.seed,
        "conductances": None
        if settings.conductances is None
        else [str(settings.conductances), settings.conductances.stat().st_mtime_ns],
    }
