"""The networks of a run as its page shows them: texts, colours and drawings, no new numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from matplotlib.figure import Figure

from analognas.deployment.bundle import DIGITAL, PLACEMENT, TOTAL, Bundle, PredictedAccuracy
from analognas.deployment.winners import FOLDER
from analognas.records import ONE_DAY_S
from analognas.reporting.chip_figure import plot_chip
from analognas.reporting.figures import Prediction, ShownNetwork, network_styles
from analognas.reporting.layer_words import describe_layer
from analognas.reporting.style import VARIABLES, layer_colours, to_svg
from analognas.reporting.wording import TIMES, grouped, percent, points, significant
from analognas.simulator.chip import Placement
from analognas.simulator.mapping import LayerShape

ABSENT = "\u2013"  # what a table shows for a number that does not exist


@dataclass(frozen=True)
class Moment:
    """One network at one time, as texts."""

    mean: str
    sd: str
    predicted: str
    interval: str
    gap: str


def shown_networks(bundles: Sequence[Bundle], t_s: float = ONE_DAY_S) -> tuple[ShownNetwork, ...]:
    """Give every network a colour, a marker and its prediction at `t_s`."""
    styles = network_styles([bundle.origin.baseline for bundle in bundles])
    shown = []
    for bundle, (colour, marker) in zip(bundles, styles, strict=True):
        said = _expected(bundle, t_s)
        predicted = Prediction(said.mean, said.lower, said.upper) if said else None
        shown.append(
            ShownNetwork(
                name=bundle.title,
                evaluation=bundle.evaluation,
                predicted=predicted,
                baseline=bundle.origin.baseline,
                colour=colour,
                marker=marker,
            )
        )
    return tuple(shown)


def network_entries(
    bundles: Sequence[Bundle], shown: Sequence[ShownNetwork]
) -> list[dict[str, Any]]:
    """Return what the page says about every network; keys are those of the template."""
    entries = [_entry(bundle, network) for bundle, network in zip(bundles, shown, strict=True)]
    first = next((entry for entry in entries if entry["baseline"]), None)
    for entry in entries:
        entry["first_baseline"] = entry is first and entry is not entries[0]
    return entries


def inline(figure: Figure, description: str) -> Markup:
    """Return a figure as markup for the page; texts in it are escaped already."""
    return Markup(to_svg(figure, description))


def _entry(bundle: Bundle, network: ShownNetwork) -> dict[str, Any]:
    evaluation, cost = bundle.evaluation, bundle.evaluation.cost
    placement = Placement.from_dict(bundle.placement, source=str(bundle.folder / PLACEMENT))
    return {
        "name": network.name,
        "key": bundle.key,
        "baseline": network.baseline,
        "colour": f"var({VARIABLES[network.colour]})",
        "folder": f"{FOLDER}/{bundle.folder.name}",
        "parameters": grouped(evaluation.parameters),
        "used": placement.used_cores,
        "cores": placement.chip_cores,
        "summary": placement.summary(),
        "hardware": bundle.chosen.text if bundle.chosen else "",
        "kept_digital": ", ".join(bundle.chosen.keep_digital) if bundle.chosen else "",
        "square": placement.rows == placement.columns,
        "shared": len({(held.core, held.layer) for held in placement.cores}) > placement.used_cores,
        "replicated": any(held.replica for held in placement.cores),
        "utilisation": percent(cost.utilisation_fraction),
        "energy_uJ": significant(cost.energy_nJ / 1e3),
        "latency_us": significant(cost.latency_us),
        "digital": percent(evaluation.digital_accuracy),
        "predicted": percent(network.predicted.mean) if network.predicted else ABSENT,
        "has_prediction": bool(bundle.origin.predicted or bundle.origin.found),
        "over_time": _moments(bundle),
        "chip": inline(
            plot_chip(placement), f"Cores of the chip that {network.name} uses, coloured by layer"
        ),
        "layers": _layers(bundle, placement),
        "digital_steps": _digital(bundle),
        "total_mvms": grouped(sum(layer.mvms for layer in placement.layers)),
    }


def _moments(bundle: Bundle) -> list[Moment]:
    analog = bundle.evaluation.analog
    return [
        _moment(mean, sd, _expected(bundle, t_s))
        for t_s, mean, sd in zip(analog.times_s, analog.mean(), analog.spread(), strict=True)
    ]


def _expected(bundle: Bundle, t_s: float) -> PredictedAccuracy | None:
    """What was predicted of a network, or found by the search."""
    found = bundle.origin.found_at(t_s)
    if found is not None:
        return PredictedAccuracy(t_s, found.mean)
    return bundle.origin.predicted_at(t_s)


def _moment(mean: float, sd: float, said: PredictedAccuracy | None) -> Moment:
    if said is None:
        return Moment(percent(mean), percent(sd), ABSENT, "", ABSENT)
    interval = ""
    if said.lower is not None and said.upper is not None:
        interval = f"[{percent(said.lower)}, {percent(said.upper)}]"
    gap = points(mean - said.mean)
    return Moment(percent(mean), percent(sd), percent(said.mean), interval, gap)


def _layers(bundle: Bundle, placement: Placement) -> list[dict[str, Any]]:
    shapes = {shape.name: shape for shape in placement.layers}
    rows = [row for row in bundle.layers if row["layer"] not in (DIGITAL, TOTAL)]
    whole = bundle.evaluation.cost.energy_nJ
    return [
        _layer(number, row, shapes[row["layer"]], whole) | {"colour": colour}
        for number, (row, colour) in enumerate(
            zip(rows, layer_colours(len(rows)), strict=True), start=1
        )
    ]


def _digital(bundle: Bundle) -> dict[str, str] | None:
    """What the digital steps take together, if the chip file says it."""
    row = next((row for row in bundle.layers if row["layer"] == DIGITAL), None)
    return None if row is None else _cost(row, bundle.evaluation.cost.energy_nJ)


def _layer(
    number: int, row: Mapping[str, str], shape: LayerShape, whole_nJ: float
) -> dict[str, Any]:
    return {
        "number": number,
        "name": shape.name,
        "what": describe_layer(shape),
        "matrix": f"{shape.rows} {TIMES} {shape.columns}",
        "cores": row["cores"],
        "used": percent(float(row["utilisation_fraction"])),
        "mvms": grouped(shape.mvms),
        **_cost(row, whole_nJ),
    }


def _cost(row: Mapping[str, str], whole_nJ: float) -> dict[str, str]:
    energy_nJ = float(row["energy_nJ"])
    return {
        "energy_uJ": f"{energy_nJ / 1e3:.2f}",
        "share": f"{100 * energy_nJ / whole_nJ:.1f}" if whole_nJ else "0",
        "latency_us": f"{float(row['latency_us']):.2f}",
    }
