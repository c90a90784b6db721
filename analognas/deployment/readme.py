"""The text file of a bundle: what it holds and how good the network is."""

from __future__ import annotations

from collections.abc import Mapping

from analognas import __version__
from analognas.deployment import bundle as files
from analognas.deployment.bundle import Origin
from analognas.deployment.chosen_hardware import ChosenHardware
from analognas.records import EVALUATION_TIMES_S, Evaluation
from analognas.simulator.chip import Placement

FILE_TEXTS: Mapping[str, str] = {
    files.ARCHITECTURE: "the network's layers; input of `analognas evaluate`",
    files.WEIGHTS: "trained weights and input ranges, float32",
    files.NETWORK: "the digital network: `input` (batch, channels, height, width) to `logits`",
    files.PLACEMENT: "which core of the chip holds which part of which layer",
    files.ACCURACY: "simulated accuracy at every time, for every chip",
    files.COST: "modelled cost of every layer, the total in the last row",
    files.PICK: "what the network was picked for, and the accuracy that was expected of it",
    files.EVALUATION: "everything that was measured, with settings and hashes",
}


CHOSEN_TEXTS: Mapping[str, str] = {
    files.CHOSEN: "what the search chose about the hardware of this network",
    files.HARDWARE_FILE: "what was simulated, with these choices",
    files.CHIP_FILE: "the chip that the costs are of, with these choices",
}


def describe(
    origin: Origin,
    evaluation: Evaluation,
    placement: Placement,
    scope: str,
    chosen: ChosenHardware | None = None,
) -> str:
    """Say in plain text what a bundle holds and how good the network is.

    Args:
        origin: What the network was picked for.
        evaluation: How it did.
        placement: Of the network on its chip.
        scope: What the modelled costs cover.
        chosen: What the search chose about its hardware, if it searched any.
    """
    cost, analog = evaluation.cost, evaluation.analog
    names = {t_s: name for name, t_s in EVALUATION_TIMES_S.items()}
    texts = FILE_TEXTS if chosen is None else {**FILE_TEXTS, **CHOSEN_TEXTS}
    expected, meaning = "predicted", "predicted: by the surrogate, before it was trained."
    if origin.found:
        expected = "found"
        meaning = "found: simulated by the search, validation part, after a shorter training."
    lines = [
        f"Network {evaluation.key} ({origin.name}), made by analognas {__version__}",
        "",
        f"task       {evaluation.task}, split {evaluation.split}, data {evaluation.data_key}",
        f"hardware   {evaluation.hardware} ({evaluation.hardware_hash}), "
        f"simulator {evaluation.simulator_version}",
        *([] if chosen is None else [f"chosen     {chosen.text}"]),
        f"seed       {evaluation.seed}",
        "",
        f"Accuracy on the {evaluation.part} part, {analog.chips} simulated chips:",
        "",
        f"  {'time':<9}{'mean':>8}{'sd':>8}{analog.low_name:>20}{expected:>12}",
    ]
    for t_s, mean, sd, low in zip(
        analog.times_s, analog.mean(), analog.spread(), analog.low(), strict=True
    ):
        said = origin.found_at(t_s) or origin.predicted_at(t_s)
        predicted = f"{said.mean:12.4f}" if said else f"{'-':>12}"
        time = names.get(t_s, f"{t_s:g} s")
        lines.append(f"  {time:<9}{mean:8.4f}{sd:8.4f}{low:20.4f}{predicted}")
    lines += [
        f"  {'digital':<9}{evaluation.digital_accuracy:8.4f}   (same weights, no analog effect)",
        "",
        "mean, sd: simulated. " + meaning,
        "",
        f"parameters {evaluation.parameters}, multiplications {evaluation.multiplications}",
        f"cores      {cost.cores} of chip {cost.chip}, "
        f"{100 * cost.utilisation_fraction:.1f} % of their cells hold weights",
        f"energy     {cost.energy_nJ:.1f} nJ per inference (modelled, {cost.read_mode} reads)",
        f"latency    {cost.latency_us:.2f} us per inference (modelled)",
        "",
        f"Placement: {placement.summary()}",
        "",
        scope,
        "",
        *(f"{name:<24}{text}" for name, text in texts.items()),
    ]
    return "\n".join(lines) + "\n"
