"""The AnalogNets benchmark as a page and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import numpy as np

from analognas.benchmarks.analognets_cases import (
    BITS,
    FIXED,
    GAINS,
    LEARNED,
    NOISE,
    NONE,
    OUTPUT_QUANTILES,
    OWN,
    RANGE_RULES,
    TIMES_S,
    describe,
)
from analognas.benchmarks.analognets_tables import (
    AnalogNetsReport,
    Comparison,
    comparisons,
    tables,
)
from analognas.benchmarks.tables import markdown_table

FORMAT_VERSION = 1


def verdict(report: AnalogNetsReport) -> str:
    """Where the constraint in training helps, and how often it does not."""
    everything = comparisons(report)
    main = [one for one in everything if one.is_main]
    shown = "; ".join(
        f"{bits} bit {_mean(one for one in main if (one.bits, one.other) == (bits, NOISE)):+.1f}"
        for bits in BITS
    )
    clear = sum(one.is_clear and one.difference > 0 for one in main)
    return (
        f"`{LEARNED}` against `{NOISE}` on the same chip, mean over the times, in points: {shown}. "
        f"It is ahead of `{NONE}` and `{NOISE}` by more than two standard errors in {clear} of "
        f"{len(main)} comparisons, and behind in {sum(one.difference < 0 for one in main)}; "
        f"against everything on this page it is behind in "
        f"{sum(one.difference < 0 for one in everything)} of {len(everything)}."
    )


def _mean(found: Iterable[Comparison]) -> float:
    return float(np.mean([one.difference for one in found]))


def _losses(report: AnalogNetsReport) -> str:
    lost = [one for one in comparisons(report) if one.difference < 0]
    if not lost:
        return "In none of the comparisons is the training with converters behind."
    return "\n".join(
        f"- {one.bits} bit, {one.time}: {-one.difference:.1f} ± {one.error:.1f} points behind "
        f"`{one.other}`, {_where(one)}{'' if one.is_clear else ' (within two standard errors)'}."
        for one in lost
    )


def _where(one: Comparison) -> str:
    if one.drift_read == OWN:
        return f"both with the drift read at {one.bits} bits"
    return one.adc


def to_markdown(report: AnalogNetsReport, *, data_file: str) -> str:
    """Write the page; `data_file` names the JSON file beside it."""
    facts = {**report.facts, "for machines": f"`{data_file}`"}
    counted = [
        [
            name,
            f"`{one.key}`",
            f"{one.parameters:,}",
            f"{one.multiplications:,}",
            f"{100 * one.utilisation_fraction:.1f} %",
        ]
        for name, one in report.networks.items()
    ]
    rules = ", ".join(describe(rule) for rule in RANGE_RULES)
    quantiles = ", ".join(f"{100 * one:g} %" for one in OUTPUT_QUANTILES)
    parts = [
        f"# AnalogNets training: {report.title}",
        f"Made by `{report.command}`. All accuracies are simulated; parameters, multiplications "
        "and utilisation are counted.",
        verdict(report),
        "\n".join(f"- {name}: {value}" for name, value in facts.items()),
        "## What is compared",
        "After Zhou et al., AnalogNets, arXiv:2111.06503 and IEEE Micro 42 (2022). On the chip "
        "AON-CiM the ADCs have one gain S for all layers: the ADC of a layer ends at S times its "
        "input range times its largest weight. Details of chip and training beyond the abstract "
        "are recalled, not verified; cells are those of the 2019 statistics; the periphery's noise "
        "is the standard AIMC model's. Drift is compensated by one factor per layer, measured "
        "through the noisy array and its ADCs with conversions of 8 bits (see below). The layer "
        "tables of the paper's networks are not public: the networks here are our own.",
        "The first stage is in full precision with weights clipped at two standard deviations. "
        f"Second stages continue from it: `{NONE}` as before, `{NOISE}` with Gaussian noise of "
        f"eta times the layer's largest weight, `{FIXED}` and `{LEARNED}` with DAC and ADC of the "
        "chip too. S starts where it is best for the first stage; the latter trains it with the "
        "weights.",
        "A training without converters gets its ranges afterwards, and fair ones: of input ranges "
        f"({rules} of the inputs) and {len(GAINS)} gains ({GAINS[0]:.2g} to {GAINS[-1]:.3g}), or "
        f"of ADC ranges by layer ({quantiles} of the outputs), those with the smallest "
        "cross-entropy on the validation part, converted without noise.",
        markdown_table(["network", "key", "parameters", "multiplications", "array used"], counted),
    ]
    for table in tables(report):
        cells = [[cell or "-" for cell in row] for row in table.rows]
        parts += [f"## {table.title}", table.note, markdown_table(table.columns, cells)]
        if table.title.startswith("Noise"):
            parts += [
                "### Where the constraint loses",
                f"`{LEARNED}` against every other row and the table below, paired by seed, ± one "
                "standard error over the seeds, which few seeds leave uncertain.",
                _losses(report),
            ]
    return "\n\n".join(parts) + "\n"


def to_json(report: AnalogNetsReport) -> dict[str, Any]:
    """Everything that was found, for machines."""
    return {
        "format_version": FORMAT_VERSION,
        "label": "simulated",
        "command": report.command,
        "facts": dict(report.facts),
        "times_s": list(TIMES_S.values()),
        "networks": {name: asdict(one) for name, one in report.networks.items()},
        "results": [asdict(one) for one in report.results],
    }
