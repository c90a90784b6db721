"""`analognas bench simulator`, `fidelity`, `programming` and `chip`: what everything rests on."""

from pathlib import Path
from typing import Annotated

import typer

from analognas.cli.bench.findings import show_findings
from analognas.cli.options import Device


def simulator(
    only: Annotated[str | None, typer.Option(help="Some of the models: resnet32,ds-cnn")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="2 chips, few repetitions, ratios only: some minutes.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Page to write (.md); a .json is put beside it.")
    ] = None,
    device: Device = "auto",
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of torch (default: its own choice).")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights, inputs and chips.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Time the simulator against the same networks in plain FP32 PyTorch.

    Hardware-aware training steps, evaluations of many chips, peak memory, and how the cost grows.
    Leave the machine alone meanwhile.
    """
    from analognas.benchmarks.simulator_models import MODELS
    from analognas.benchmarks.simulator_speed import (
        SpeedConfig,
        run_simulator_speed,
        write_page,
    )
    from analognas.benchmarks.simulator_tables import tables, to_json
    from analognas.benchmarks.simulator_timing import FULL, QUICK
    from analognas.cli.output import progress, say

    config = SpeedConfig(
        models=tuple(only.split(",")) if only is not None else tuple(MODELS),
        effort=QUICK if quick else FULL,
        device=device,
        threads=threads,
        seed=seed,
        out=out,
    )
    with progress("speed of the simulator") as bar:
        report = run_simulator_speed(config, bar.update)
    facts = [f"{name}: {value}" for name, value in report.facts.items()]
    show_findings(tables(report), to_json(report), facts, as_json=json)
    if out is not None:
        data = write_page(report, out)
        say(f"Written: {out} and {data}.")


def fidelity(
    quick: Annotated[
        bool, typer.Option("--quick", help="Few draws and small samples, to look around.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Page to write (.md); a .json is put beside it.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all draws.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check that the simulator does what the papers say.

    Every effect against its closed form, and the error of whole tiles against a second
    implementation in NumPy. Exit code 1 if anything deviates more than it may.
    """
    from analognas.benchmarks.fidelity.report import tables, to_json, verdict
    from analognas.benchmarks.simulator_fidelity import (
        FULL,
        QUICK,
        FidelityConfig,
        run_fidelity,
        write_page,
    )
    from analognas.cli.output import progress, say
    from analognas.errors import RunFailed

    config = FidelityConfig(effort=QUICK if quick else FULL, seed=seed, out=out)
    with progress("fidelity of the simulator") as bar:
        report = run_fidelity(config, bar.update)
    show_findings(tables(report), to_json(report), [verdict(report)], as_json=json)
    if out is not None:
        data = write_page(report, out)
        say(f"Written: {out} and {data}.")
    if report.failures:
        raise RunFailed(f"The simulator deviates: {'; '.join(report.failures)}.")


def programming(
    quick: Annotated[
        bool, typer.Option("--quick", help="Two cores of few kinds and two chips: two minutes.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Page to write (.md); a .json is put beside it.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="First seed of the cores.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare write-and-verify with gradient-descent programming.

    Error of products on held-out inputs, pulses, energy and time, accuracy of a
    trained network. The page keeps the cases in which gradient descent loses.
    """
    from analognas.benchmarks.programming import (
        FULL,
        QUICK,
        ProgrammingConfig,
        run_programming,
        write_page,
    )
    from analognas.benchmarks.programming_page import to_json, verdict
    from analognas.benchmarks.programming_tables import tables
    from analognas.cli.output import progress, say

    config = ProgrammingConfig(effort=QUICK if quick else FULL, seed=seed, out=out)
    with progress("programming") as bar:
        report = run_programming(config, bar.update)
    show_findings(tables(report), to_json(report), [verdict(report)], as_json=json)
    if out is not None:
        data = write_page(report, out)
        say(f"Written: {out} and {data}.")


def chip(
    out: Annotated[
        Path | None, typer.Option(help="Page to write (.md); a .json is put beside it.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare the cost model of chips with published figures.

    Fits the energies of one chip to one published network and predicts the other. Exit code 1 if
    a figure does not follow from the chip files.
    """
    from analognas.benchmarks.chip_cost import run_chip_cost, write_page
    from analognas.benchmarks.chip_cost_tables import tables, to_json, verdict
    from analognas.cli.output import say
    from analognas.errors import RunFailed

    report = run_chip_cost(out)
    show_findings(tables(report), to_json(report), [verdict(report)], as_json=json)
    if out is not None:
        data = write_page(report, out)
        say(f"Written: {out} and {data}.")
    if report.failures:
        raise RunFailed(f"Figures do not follow: {'; '.join(report.failures)}.")
