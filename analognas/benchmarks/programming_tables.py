"""The programming benchmark as tables."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import fmean, stdev

from analognas.benchmarks.programming_cases import (
    DENSE,
    MAIN,
    SPARSE,
)
from analognas.benchmarks.programming_report import (
    KINDS,
    Difference,
    ProgrammingReport,
    differences,
    interval,
)
from analognas.benchmarks.simulator_tables import Table
from analognas.simulator.programming import Match


def tables(report: ProgrammingReport) -> list[Table]:
    """Everything, for people."""
    found = [_grid(report, DENSE), _grid(report, SPARSE), _work(report), _special(report)]
    found += [_losses(report), _network(report)]
    found += [_levels(name, match) for name, match in report.matches.items()]
    return [table for table in found if table.rows]


def _percent(values: Iterable[float]) -> str:
    values = list(values)
    spread = stdev(values) if len(values) > 1 else 0.0
    return f"{100 * fmean(values):.2f} ± {100 * spread:.2f}"


def _grid(report: ProgrammingReport, kind: str) -> Table:
    rows = []
    for case in report.cases:
        if case.name:
            continue
        values = {name: report.errors(case, name, kind) for name in MAIN}
        best = min(MAIN, key=lambda name: fmean(values[name]))
        rows.append(
            (
                str(case.devices),
                f"{case.ir_drop:g}",
                str(case.adc_bits),
                *(_percent(values[name]) for name in MAIN),
                best,
            )
        )
    return Table(
        f"Error of products, {kind} inputs",
        f"In %, mean ± standard deviation over {report.seeds} cores; right after programming.",
        ("devices per polarity", "IR drop", "ADC bits", *MAIN, "smallest"),
        tuple(rows),
    )


def _work(report: ProgrammingReport) -> Table:
    rows = []
    for case in report.cases:
        if case.name or case.ir_drop > 0 or case.adc_bits not in (4, 8):
            continue
        for name in MAIN:
            logs = [one for one in report.cores if one.case == case and one.method == name]
            cells = logs[0].log.cells
            rows.append(
                (
                    str(case.devices),
                    str(case.adc_bits),
                    name,
                    f"{fmean(one.log.set_pulses for one in logs) / cells:.2f}",
                    f"{fmean(one.log.reset_pulses for one in logs) / cells:.2f}",
                    f"{fmean(one.log.cell_reads for one in logs) / cells:.1f}",
                    f"{fmean(one.log.row_reads for one in logs):,.0f}",
                    f"{fmean(one.log.mvms for one in logs):,.0f}",
                    f"{100 * fmean(one.log.converged_fraction for one in logs):.1f}",
                    f"{fmean(one.log.energy_uJ for one in logs):,.0f}",
                    f"{fmean(one.log.time_ms for one in logs):.1f}",
                    f"{fmean(one.seconds for one in logs):.2f}",
                )
            )
    return Table(
        "Work of programming a core",
        "Pulses and readings per cell, products and energy per core, without IR drop. Modelled "
        "from pulses of 50 ns and 2 V (SET 90 uA, recalled; RESET 450 uA, second-hand; voltage "
        "and 16 devices at a time are assumptions) and 52.8 nJ and 521 ns per product (derived "
        "from the 64-core chip's 4-phase figures); a row that is read counts as a product, an "
        "upper bound. Converged: cells (verify) or weights (gdp) within what was asked for, as the "
        "programmer measured it; a coarse ADC accepts almost anything.",
        (
            "devices per polarity",
            "ADC bits",
            "method",
            "SET / cell",
            "RESET / cell",
            "reads / cell",
            "rows read",
            "products",
            "converged, %",
            "energy, uJ (modelled)",
            "time, ms (modelled)",
            "simulation, s",
        ),
        tuple(rows),
    )


def _special(report: ProgrammingReport) -> Table:
    rows = []
    for case in report.cases:
        if not case.name:
            continue
        for name in case.methods:
            logs = [one for one in report.cores if one.case == case and one.method == name]
            pulses = fmean(one.log.pulses for one in logs) / logs[0].log.cells
            rows.append(
                (
                    case.name,
                    str(case.devices),
                    name,
                    *(_percent(report.errors(case, name, kind)) for kind in KINDS),
                    f"{pulses:.2f}",
                )
            )
    return Table(
        "Special cases",
        f"Error in %, mean ± standard deviation over {report.seeds} cores; 8-bit ADC unless said "
        "otherwise. After a day every cell has drifted by the law of what it holds, and one factor "
        "per core undoes the common part.",
        ("case", "devices per polarity", "method", *KINDS, "pulses / cell"),
        tuple(rows),
    )


def _losses(report: ProgrammingReport) -> Table:
    groups: dict[tuple[str, str, str, str], list[Difference]] = {}
    for one in differences(report):
        if one.is_loss:
            what = one.case.name or f"grid, IR drop {one.case.ir_drop:g}"
            key = (what, str(one.case.devices), one.kind, one.other)
            groups.setdefault(key, []).append(one)
    rows = []
    for key, losses in groups.items():
        bits = ", ".join(str(one.case.adc_bits) for one in losses)
        low, high = (100 * pick(one.mean for one in losses) for pick in (min, max))
        gap = f"+{low:.2f}" if len(losses) == 1 else f"+{low:.2f} to +{high:.2f}"
        rows.append((*key, bits, gap))
    return Table(
        "Where gradient descent loses",
        "Every comparison of the tables above, on three kinds of inputs, in which the error of "
        "`gdp` is larger beyond its 95 % interval over cores (points, paired by core).",
        ("case", "devices per polarity", "inputs", "better", "ADC bits", "gdp minus it"),
        tuple(rows),
    )


def _network(report: ProgrammingReport) -> Table:
    network, rows = report.network, []
    for one in network.results:
        cells = []
        for values in one.accuracy.values():
            mean, half = interval(values)
            cells.append(f"{100 * mean:.2f} ± {100 * half:.2f}")
        pulses = "" if one.log is None else f"{one.log.pulses / one.log.cells:.2f}"
        rows.append((one.hardware, one.method, *cells, pulses))
    times = tuple(network.results[0].accuracy) if network.results else ()
    return Table(
        "Accuracy of a trained network",
        f"`{network.network}` ({network.parameters:,} parameters) on {network.task}: "
        f"{network.epochs} epochs of hardware-aware training on cells of two devices, "
        f"{network.test_images} test images, digital accuracy {100 * network.digital_accuracy:.2f} "
        f"%. In %, mean over {network.chips} chips and its 95 % interval over chips; one "
        "factor per tile compensates drift: `gdc` refers to a read-out after programming and keeps "
        "errors of scale, `gdc_exact` to the exact weights and removes them too. One image is "
        f"{100 / network.test_images:.2f} points: an interval over chips says nothing about other "
        "images.",
        ("hardware", "method", *times, "pulses / cell"),
        tuple(rows),
    )


def _levels(name: str, match: Match) -> Table:
    rows = tuple(
        (
            f"{one.level:g}",
            f"{one.mean_uS:+.3f}",
            f"{one.sigma_uS:.3f}",
            f"{one.rms_uS:.3f}",
            f"{100 * one.accepted_fraction:.1f}",
            f"{one.statistical_uS:.3f}",
            f"{one.statistical_uS * match.scale:.3f}",
            f"{one.scale:.2f}",
        )
        for one in match.levels
    )
    return Table(
        f"Statistical cell that stands for write-and-verify: {name}",
        f"`programming_noise_scale = {match.scale:.3f}` gives the mean square error "
        f"over the levels above 0; per level it is off by {100 * match.misfit:.0f} % (root mean "
        "square). The statistical error has no mean: what is systematic (mean error; cells are "
        "approached from below) it cannot stand for.",
        (
            "level",
            "mean error, uS",
            "spread, uS",
            "RMS, uS",
            "accepted, %",
            "statistical, uS",
            "matched, uS",
            "factor at this level",
        ),
        rows,
    )
