"""`report.html`: what a run found, on one page that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import jinja2
from markupsafe import Markup
from matplotlib.figure import Figure

from analognas import __version__
from analognas.files import write_text, writing
from analognas.records import ONE_DAY_S
from analognas.reporting.contents import RunContents, command_line, read_run
from analognas.reporting.expected import words_for
from analognas.reporting.figures import ShownNetwork, plot_drift, plot_front, plot_gap
from analognas.reporting.lives import fresh_entry, life_entries
from analognas.reporting.shown import inline, network_entries, shown_networks
from analognas.reporting.style import BASELINES, PICKS
from analognas.reporting.tables import optimism_sentences
from analognas.reporting.wording import (
    facts,
    flat,
    summary_sentences,
    time_name,
    warnings,
)

NAME = "report.html"
TEMPLATE = "report.html.j2"
FIGURES = ("front", "drift", "gap")
PNG_DPI = 160
MOST_POINTS = 3000  # candidates drawn behind the front; more only make the page heavy


def write_report(run_directory: Path | str) -> Path:
    """Write `report.html` into a run folder, from the files of the run alone.

    Returns:
        The file.

    Raises:
        UserError: The folder holds no run, or a damaged one.
    """
    path = Path(run_directory)
    write_text(path / NAME, render_report(read_run(path)))
    return path / NAME


def render_report(run: RunContents) -> str:
    """Return the page of a run; the same run gives the same page."""
    shown = shown_networks(run.bundles)
    first = run.bundles[0].evaluation if run.bundles else None
    page = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    ).from_string(
        (resources.files("analognas.reporting") / "templates" / TEMPLATE).read_text("utf-8")
    )
    return page.render(
        version=__version__,
        picks=PICKS,
        baselines=BASELINES,
        title=run.title,
        said=words_for(run.config),
        summary=summary_sentences(run.bundles, words_for(run.config)),
        facts=facts(run),
        warnings=warnings(run),
        networks=network_entries(run.bundles, shown),
        has_baselines=any(network.baseline for network in shown),
        enough=run.config.min_accuracy,
        lives=life_entries(run.bundles, run.config.min_accuracy),
        optimism=" ".join(optimism_sentences(run.bundles)),
        fresh=fresh_entry(run.reevaluation, run.config),
        times=[time_name(t_s) for t_s in first.analog.times_s] if first else [],
        low_name=first.analog.low_name if first else "",
        chips=first.analog.chips if first else 0,
        seed=run.config.seed,
        figures=dict.fromkeys(FIGURES, Markup())
        | {name: inline(*figure) for name, figure in _figures(run, shown).items()},
        thinned=_thinned(run),
        scope=run.scope,
        basis=run.basis,
        split=run.split,
        command=command_line(run.config),
        settings=flat(run.settings),
        environment=flat(run.environment),
        provenance=flat(run.provenance),
    )


def write_figures(run_directory: Path | str, folder: Path) -> list[Path]:
    """Write the figures of a run's report as PNG files, for slides and README files.

    Returns:
        The files: front.png, drift.png and gap.png, as far as the run has what they show.
    """
    run = read_run(Path(run_directory))
    written = []
    for name, (figure, _) in _figures(run, shown_networks(run.bundles)).items():
        figure.set_facecolor("white")
        with writing(folder / f"{name}.png") as path:
            figure.savefig(path, dpi=PNG_DPI)
        written.append(folder / f"{name}.png")
    return written


def _figures(run: RunContents, shown: Sequence[ShownNetwork]) -> dict[str, tuple[Figure, str]]:
    """Figures of a run with their descriptions."""
    figures = {}
    if len(run.candidates) or shown:
        kind = words_for(run.config).in_figures
        front = run.candidates["front"]
        behind = run.candidates[~front]
        drawn = front | run.candidates.index.isin(behind.index[:: _step(len(behind))])
        figures["front"] = (
            plot_front(run.candidates[drawn], shown, t_s=ONE_DAY_S, kind=kind),
            f"Accuracy after one day, {kind}, against modelled energy of every scored network, "
            "with the front and the measured networks",
        )
    if shown:
        figures["drift"] = (
            plot_drift(shown),
            "Simulated accuracy of the measured networks over one year",
        )
        figures["gap"] = (
            plot_gap(shown, t_s=ONE_DAY_S, kind=words_for(run.config).in_figures),
            "Accuracy of the measured networks after one day, as it was "
            f"{words_for(run.config).kind} and as it was simulated on the test part",
        )
    return figures


def _thinned(run: RunContents) -> str:
    """Say how many candidates are drawn, if not all are."""
    behind = int((~run.candidates["front"]).sum())
    step = _step(behind)
    return f"{-(-behind // step)} of {behind}" if step > 1 else ""


def _step(behind: int) -> int:
    return max(1, -(-behind // MOST_POINTS))
