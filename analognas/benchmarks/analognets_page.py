"""The AnalogNets benchmark as a page and as JSON."""

from __future__ import annotations

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
    RANGE_RULES,
    TIMES_S,
    describe,
)
from analognas.benchmarks.analognets_tables import (
    AnalogNetsReport,
    comparisons,
    tables,
)
from analognas.benchmarks.tables import markdown_table

FORMAT_VERSION = 1


def verdict(report: AnalogNetsReport) -> str:
    """Two sentences: where the constraint in training helps, and how often it does not."""
    everything = comparisons(report)
    noise = [one for one in everything if one.other == NOISE]
    lost = [one for one in everything if one.difference < 0]
    shown = "; ".join(
        f"{bits} bit {_signed(_mean(one.difference for one in noise if one.bits == bits))}"
        for bits in BITS
    )
    return (
        f"Converters in training against noise only, mean over the times, in points: {shown}. The "
        f"training with converters is behind in {len(lost)} of {len(everything)} comparisons."
    )


def _mean(values: Any) -> float:
    return float(np.mean(list(values)))


def _signed(value: float) -> str:
    return f"{value:+.1f}"


def _losses(report: AnalogNetsReport) -> str:
    lost = [one for one in comparisons(report) if one.difference < 0]
    if not lost:
        return "In none of the comparisons is the training with converters behind."
    return "\n".join(
        f"- {one.bits} bit, {one.time}: {-one.difference:.1f} ± {one.error:.1f} points behind "
        f"`{one.other}`{'' if one.is_clear else ' (within two standard errors)'}."
        for one in lost
    )


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
        parts += [f"## {table.title}", table.note, markdown_table(table.columns, table.rows)]
        if table.title.startswith("Noise"):
            parts += [
                "### Where the constraint loses",
                f"`{LEARNED}` minus the others with one S, paired by seed, ± one standard error "
                "over the seeds.",
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
