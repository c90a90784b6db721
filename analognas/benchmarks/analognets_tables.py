"""What the AnalogNets benchmark has found, as tables and comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analognas.benchmarks.analognets_cases import (
    BITS,
    DEPTHWISE,
    FINE,
    FIXED,
    LEARNED,
    MAIN,
    NOISE,
    NONE,
    ONE_GAIN,
    OWN,
    OWN_RANGES,
    REGULAR,
    TIMES_S,
)
from analognas.benchmarks.analognets_jobs import Result
from analognas.benchmarks.simulator_tables import Table

TWO_STANDARD_ERRORS = 2.0


@dataclass(frozen=True)
class NetworkFacts:
    """What is counted of a network."""

    key: str
    parameters: int
    multiplications: int
    utilisation_fraction: float  # of the array


@dataclass(frozen=True)
class AnalogNetsReport:
    """Everything that the page says."""

    command: str
    title: str
    facts: Mapping[str, str]
    networks: Mapping[str, NetworkFacts]
    results: tuple[Result, ...]

    def group(
        self,
        network: str,
        method: str,
        bits: int,
        *,
        adc: str = ONE_GAIN,
        groups: str = "together",
        drift_read: str = FINE,
    ) -> list[Result]:
        """One result per seed."""
        key = (network, method, bits, adc, groups, drift_read)
        return [
            one
            for one in self.results
            if (one.network, one.method, one.bits, one.adc, one.groups, one.drift_read) == key
        ]


def tables(report: AnalogNetsReport) -> list[Table]:
    """All three."""
    return [_ablation(report), _drift_reads(report), _convolutions(report)]


def _ablation(report: AnalogNetsReport) -> Table:
    rows = [
        (f"{bits}", method, adc, *_cells(report.group(MAIN, method, bits, adc=adc)))
        for bits in BITS
        for method, adc in (
            (NONE, ONE_GAIN),
            (NOISE, ONE_GAIN),
            (FIXED, ONE_GAIN),
            (LEARNED, ONE_GAIN),
            (NONE, OWN_RANGES),
            (NOISE, OWN_RANGES),
        )
    ]
    return Table(
        "Noise and the ADC constraint",
        f"Network {MAIN}. Accuracy in % on the test part, mean ± standard deviation over all "
        "chips of all trainings (simulated). All rows have the same first stage and equally long "
        f"second stages. {ONE_GAIN}: the chip as it is, one gain of the ADCs for all layers. "
        f"{OWN_RANGES}: another chip, whose ADCs every layer may set, for reference.",
        ("bits", "second stage", "ADC", "S", "digital", *TIMES_S),
        tuple(rows),
    )


def _drift_reads(report: AnalogNetsReport) -> Table:
    rows = [
        (f"{bits}", method, *_cells(report.group(MAIN, method, bits, drift_read=OWN)))
        for bits in BITS
        if bits == min(BITS)
        for method in (NONE, NOISE, FIXED, LEARNED)
    ]
    return Table(
        "Drift read with few bits",
        "The same trainings with one S, on chips that measure their drift with the conversions of "
        "the network in place of 8 bits. One row at a time drives an ADC to a fraction 1 / S of "
        "its range at the most: what is below half a step is not seen, and the factor that "
        "compensates the drift is wrong.",
        ("bits", "second stage", "S", "digital", *TIMES_S),
        tuple(rows),
    )


def _convolutions(report: AnalogNetsReport) -> Table:
    rows = []
    for bits in BITS:
        for network, groups, reading in (
            (DEPTHWISE, "together", "groups together"),
            (DEPTHWISE, "apart", "groups apart"),
            (REGULAR, "together", "no groups"),
        ):
            facts = report.networks[network]
            found = report.group(network, LEARNED, bits, groups=groups)
            cells = _cells(found)
            rows.append((f"{bits}", network, f"{facts.parameters:,}", reading, *cells))
    return Table(
        "Depthwise against regular convolutions",
        f"Equal parameters (counted), the same training ({LEARNED}). Accuracy as above. Together: "
        "all rows of a block-diagonal matrix are driven at once, and its empty cells are noisy "
        "like all others (which no training here feels). Apart: one group at a time, the empty "
        "cells rest; a layer of 64 channels then takes 64 reads in place of one.",
        ("bits", "network", "parameters", "read", "S", "digital", *TIMES_S),
        tuple(rows),
    )


def _cells(found: Sequence[Result]) -> tuple[str, ...]:
    gains = [one.gain for one in found if one.gain is not None]
    shown = " / ".join(f"{gain:.1f}" for gain in gains) or "-"
    digital = f"{100 * float(np.mean([one.digital for one in found])):.1f}"
    cells = []
    for index in range(len(TIMES_S)):
        values = 100 * _chips(found, index)
        cells.append(f"{values.mean():.1f} ± {values.std(ddof=1):.1f}")
    return (shown, digital, *cells)


def _chips(found: Sequence[Result], time: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.concatenate([np.array(one.accuracy[time], dtype=np.float64) for one in found])


@dataclass(frozen=True)
class Comparison:
    """Accuracy of a learned S minus another's, in points, paired by training seed."""

    bits: int
    time: str
    other: str
    adc: str  # of the other
    drift_read: str  # of both
    difference: float
    error: float  # standard error over the seeds

    @property
    def is_clear(self) -> bool:
        return abs(self.difference) > TWO_STANDARD_ERRORS * self.error

    @property
    def is_main(self) -> bool:
        """Whether the other felt no converters and is on the same chip in its usual state."""
        usual = self.adc == ONE_GAIN and self.drift_read == FINE
        return usual and self.other in (NONE, NOISE)


def comparisons(report: AnalogNetsReport) -> list[Comparison]:
    """The learned S against all other second stages, chips and ways to read the drift."""
    opponents = [(other, ONE_GAIN, FINE) for other in (NONE, NOISE, FIXED)]
    opponents += [(other, OWN_RANGES, FINE) for other in (NONE, NOISE)]
    opponents += [(other, ONE_GAIN, OWN) for other in (NONE, NOISE, FIXED)]
    found = []
    for bits in BITS:
        for other, adc, drift_read in opponents:
            mine = report.group(MAIN, LEARNED, bits, drift_read=drift_read)
            others = report.group(MAIN, other, bits, adc=adc, drift_read=drift_read)
            if not others:  # the drift is read with few bits at the fewest only
                continue
            for index, time in enumerate(TIMES_S):
                gaps = np.array(
                    [
                        100 * (np.mean(a.accuracy[index]) - np.mean(b.accuracy[index]))
                        for a, b in zip(mine, others, strict=True)
                    ]
                )
                error = float(gaps.std(ddof=1) / np.sqrt(len(gaps))) if len(gaps) > 1 else 0.0
                gap = float(gaps.mean())
                found.append(Comparison(bits, time, other, adc, drift_read, gap, error))
    return found
