"""The sentences and number formats of a report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from analognas.deployment.bundle import Bundle
from analognas.records import EVALUATION_TIMES_S, ONE_DAY_S, AccuracyOverTime
from analognas.reporting.contents import RunContents
from analognas.reporting.expected import Words, words_for

NO_BREAK = "\u00a0"
TIMES = "\u00d7"
SUPERSCRIPTS = str.maketrans(
    "0123456789", "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079"
)
MINUS = "\u2212"


def time_name(t_s: float) -> str:
    """Name a time after programming as the records do."""
    names = {seconds: name for name, seconds in EVALUATION_TIMES_S.items()}
    return names.get(t_s, f"{t_s:g} s")


def percent(fraction: float, digits: int = 1) -> str:
    """Write a fraction as a percentage, without the sign."""
    return f"{100 * fraction:.{digits}f}"


def points(difference: float) -> str:
    """Write a difference of two fractions in percentage points, always with a sign."""
    text = f"{100 * difference:+.1f}"
    return text.replace("-", MINUS) if text not in ("+0.0", "-0.0") else "0.0"


def significant(value: float, digits: int = 3) -> str:
    """Write a number with some significant digits and thin groups, never with an exponent."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}".replace(",", "\u202f")


def grouped(value: int) -> str:
    """Write a whole number in groups of three digits."""
    return f"{value:,}".replace(",", "\u202f")


def approximately(value: int) -> str:
    """Write a large whole number as a power of ten, a small one in full."""
    if value < 1_000_000:
        return grouped(value)
    exponent = len(str(value)) - 1
    superscript = str(exponent).translate(SUPERSCRIPTS)
    return f"{value / 10**exponent:.1f} {TIMES} 10{superscript}"


def duration(seconds: float) -> str:
    """Write a service life in its natural unit; simulations end after a year."""
    if seconds >= EVALUATION_TIMES_S["1 year"]:
        return "1 year or more"
    for name, unit_s in (("months", 2_592_000.0), ("days", 86_400.0), ("hours", 3_600.0)):
        if seconds >= unit_s:
            return f"{seconds / unit_s:.3g} {name}"
    return f"{seconds:.3g} s"


def mean_and_sd(analog: AccuracyOverTime, t_s: float) -> str:
    """Write simulated accuracy at a time as `93.1 % ± 0.4`."""
    index = analog.times_s.index(t_s)
    return f"{percent(analog.mean()[index])}{NO_BREAK}% ± {percent(analog.spread()[index])}"


def summary_sentences(bundles: Sequence[Bundle], said: Words) -> tuple[str, ...]:
    """Say in plain words what the run found, and where a baseline does better."""
    picks = [bundle for bundle in bundles if not bundle.origin.baseline]
    baselines = [bundle for bundle in bundles if bundle.origin.baseline]
    if not picks:
        return (said.unknown,)
    best = picks[0]  # picks come in the order in which they were to be most accurate
    evaluation, analog = best.evaluation, best.evaluation.analog
    last_s = analog.times_s[-1]
    sentences = [
        f"The network picked for the highest {said.best} accuracy ({best.title}) gives the right "
        f"answer on {mean_and_sd(analog, ONE_DAY_S)} of the test part one day after programming, "
        f"and on {mean_and_sd(analog, last_s)} after {time_name(last_s)}, simulated on "
        f"{analog.chips} chips; without any analog effect the same weights reach "
        f"{percent(evaluation.digital_accuracy)}{NO_BREAK}%.",
        f"It takes {_cores(evaluation.cost.cores)} of the chip, {grouped(evaluation.parameters)} "
        f"parameters and a modelled {significant(evaluation.cost.energy_nJ / 1e3)}{NO_BREAK}μJ and "
        f"{significant(evaluation.cost.latency_us)}{NO_BREAK}μs per inference.",
    ]
    if baselines:
        sentences.append(_against_baselines(picks, baselines))
    return tuple(sentences)


def _cores(count: int) -> str:
    return "1 core" if count == 1 else f"{count} cores"


def _against_baselines(picks: Sequence[Bundle], baselines: Sequence[Bundle]) -> str:
    """Compare the most accurate pick with every baseline, by means after one day."""
    ours = picks[0].evaluation
    parts = []
    for baseline in baselines:
        other = baseline.evaluation
        difference = ours.analog.at(ONE_DAY_S) - other.analog.at(ONE_DAY_S)
        word = "more" if difference >= 0 else "less"
        ratio = significant(ours.cost.energy_nJ / other.cost.energy_nJ, 2)
        parts.append(
            f"{100 * abs(difference):.1f} points {word} accurate than {baseline.title} at {ratio} "
            "times its energy"
        )
    listed = parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
    return (
        f"One day after programming it is {listed}. These named networks went through the same "
        "training and measurement; differences smaller than the spreads mean nothing."
    )


def facts(run: RunContents) -> list[tuple[str, str]]:
    """List what belongs beside every result: data, split, hardware, chip, seeds, versions."""
    first = run.bundles[0].evaluation if run.bundles else None
    config, said = run.config, run.provenance
    shared = None if config.search_hardware else first  # or every network has its own
    hardware = shared.hardware if shared else said.get("hardware") or config.hardware or "default"
    hardware_hash = shared.hardware_hash if shared else said.get("hardware_hash", "")
    entries = [
        ("task", config.task),
        ("data", str(said.get("data_name") or config.data or "the task's own")),
        ("split", run.split),
        ("data hash", first.data_key if first else str(said.get("data_key", ""))),
        ("hardware", f"{hardware} {hardware_hash}".strip()),
        ("chip", f"{shared.cost.chip}, {shared.cost.read_mode} reads" if shared else config.chip),
        ("search space", _space(run)),
        ("searched hardware", _searched_hardware(run)),
        ("sampler", config.strategy),
        _effort(run),
        (
            "networks measured",
            f"{len(run.bundles)} on {first.analog.chips} chips" if first else "0",
        ),
        ("seed", str(config.seed)),
        ("versions", _versions(run, first.simulator_version if first else "")),
    ]
    return [(name, value) for name, value in entries if value]


def warnings(run: RunContents) -> list[str]:
    """List what a reader must know before believing a number."""
    found = list(run.warnings)
    if len(run.candidates) and not run.candidates["front"].any():
        found.append("The search has not come to its end: there is no front yet.")
    if not run.bundles and run.config.winners > 0:
        found.append(words_for(run.config).unknown)
    alone = not run.config.search_hardware  # else hardware of their own is what was searched
    used = {(b.evaluation.hardware_hash, b.evaluation.data_key) for b in run.bundles}
    if alone and len(used) > 1:
        found.append(
            "The networks were measured on different hardware or data: do not compare them."
        )
    return found


def _effort(run: RunContents) -> tuple[str, str]:
    count, seconds = grouped(len(run.candidates)), run.search_seconds
    if run.config.trains:
        return "trained furthest", f"{count} networks; {seconds:.0f} s for all trainings, one core"
    return "networks scored", f"{count} in {seconds:.1f} s"


def _space(run: RunContents) -> str:
    size = str(run.provenance.get("space_size", ""))
    return (
        f"{run.config.space}, {approximately(int(size))} "
        f"{'designs of network and hardware' if run.config.search_hardware else 'networks'}"
        if size.isdigit()
        else run.config.space
    )


def _searched_hardware(run: RunContents) -> str:
    """What the search decided beside the networks; empty if nothing."""
    searched = run.provenance.get("searched_hardware", {})
    if not isinstance(searched, Mapping):
        return ""
    return "; ".join(f"{title}: {values}" for title, values in searched.items())


def _versions(run: RunContents, simulator: str) -> str:
    names = ("analognas", "torch", "python")
    parts = [f"{name} {run.environment[name]}" for name in names if name in run.environment]
    return ", ".join(parts + ([f"simulator {simulator}"] if simulator else []))


def humanise(key: str) -> str:
    """Turn the key of a record into words."""
    return key.replace("_", " ").replace("max ", "at most ", 1)


def flat(content: Mapping[str, object], prefix: str = "") -> list[tuple[str, str]]:
    """List every value of nested records under its path; absent ones are left out."""
    entries: list[tuple[str, str]] = []
    for key, value in content.items():
        name = f"{prefix}{humanise(str(key))}"
        if isinstance(value, Mapping):
            entries += flat(value, f"{name}: ")
        elif isinstance(value, list | tuple):
            if value:
                entries.append((name, ", ".join(str(item) for item in value)))
        elif value is not None:
            entries.append((name, str(value)))
    return entries
