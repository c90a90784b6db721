"""The networks of a run as tables; every column says what kind of number it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from analognas.deployment.bundle import Bundle
from analognas.records import ONE_DAY_S
from analognas.reporting.wording import duration, time_name
from analognas.searching.measured import measured_life
from analognas.searching.objectives import TIME_TITLES

Record = Mapping[str, object]

# What fits on a terminal, and how it is written; everything else is for JSON.
TERMINAL_FORMATS: Mapping[str, str] = MappingProxyType(
    {
        "network": "",
        "parameters": "",
        "cores": "",
        "energy (uJ, modelled)": ".3g",
        "digital": ".4f",
        "1 s (simulated)": ".4f",
        "1 day (simulated)": ".4f",
        "1 day (sd over chips)": ".4f",
        "1 year (simulated)": ".4f",
    }
)
PREDICTED, FOUND = "1 day (predicted)", "1 day (found, validation part)"
# One of the two stands in the tables of a run, with what it was too optimistic by.
OPTIMISM: Mapping[str, str] = MappingProxyType(
    {PREDICTED: "1 day (predicted minus simulated)", FOUND: "1 day (found minus test part)"}
)
OPTIMISM_WORDS: Mapping[str, str] = MappingProxyType(
    {
        PREDICTED: "Optimism of the prediction, predicted minus simulated accuracy",
        FOUND: "Accuracy that the search found on the validation part, after shorter trainings, "
        "minus that of the winners on the test part",
    }
)
HARDWARE, AS_GIVEN = "hardware", "as given"
LIFE, YIELD = "service life (simulated)", "yield (simulated)"
ACCURACY_FORMATS: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(("simulated", "sd over chips", "low", "predicted", "found (validation)"), ".4f")
)


def network_records(bundles: Sequence[Bundle], min_accuracy: float | None = None) -> list[Record]:
    """One record a network: size, modelled cost, and its accuracies as fractions.

    Args:
        bundles: The networks.
        min_accuracy: Which accuracy is enough; with it, service life and yield are told as well.
    """
    kind = _kind(bundles)
    searched = any(bundle.chosen is not None for bundle in bundles)
    return [
        _network_record(bundle, kind)
        | _life(bundle, min_accuracy)
        | (_hardware(bundle) if searched else {})
        for bundle in bundles
    ]


def terminal_formats(records: Sequence[Record]) -> Mapping[str, str]:
    """Columns that fit on a terminal, of those that the records have, and their formats."""
    wanted = {**TERMINAL_FORMATS}
    for kind, gap in OPTIMISM.items():
        wanted |= {kind: ".4f", gap: "+.4f"}
    known = {column for record in records for column in record} or {*TERMINAL_FORMATS}
    first = records[0] if records else {}
    wanted |= {one: "" for one in first if one.startswith(LIFE) and not one.endswith(", s")}
    wanted |= {f"{YIELD}, {TIME_TITLES[word]}": ".2f" for word in ("1day", "1year")}
    wanted[HARDWARE] = ""
    return {column: form for column, form in wanted.items() if column in known}


def optimism_of_winners(bundles: Sequence[Bundle]) -> Record | None:
    """By how much more was expected of the picks after a day than they reached, in fractions.

    None where nothing was expected of any.
    """
    kind = _kind(bundles)
    gaps = {
        bundle.key: gap
        for bundle in bundles
        if not bundle.origin.baseline and (gap := _gap(bundle)) is not None
    }
    if not gaps:
        return None
    return {
        "what": OPTIMISM[kind],
        "networks": gaps,
        "mean": sum(gaps.values()) / len(gaps),
    }


def optimism_sentences(bundles: Sequence[Bundle]) -> tuple[str, ...]:
    """The same for people."""
    found = optimism_of_winners(bundles)
    if found is None:
        return ()
    mean, networks = found["mean"], found["networks"]
    assert isinstance(mean, float)
    assert isinstance(networks, Mapping)
    gaps = ", ".join(f"{100 * gap:+.1f}" for gap in networks.values())
    return (
        f"{OPTIMISM_WORDS[_kind(bundles)]}, after 1 day: {100 * mean:+.1f} points on average over "
        f"{len(networks)} winner{'s' * (len(networks) > 1)} ({gaps}).",
    )


def _kind(bundles: Sequence[Bundle]) -> str:
    """What was known of the networks before: predictions, or what the search has simulated."""
    return FOUND if any(bundle.origin.found for bundle in bundles) else PREDICTED


def _expected(bundle: Bundle) -> float | None:
    said = bundle.origin.found_at(ONE_DAY_S) or bundle.origin.predicted_at(ONE_DAY_S)
    return None if said is None else said.mean


def _gap(bundle: Bundle) -> float | None:
    expected = _expected(bundle)
    return None if expected is None else expected - bundle.evaluation.analog.at(ONE_DAY_S)


def _life(bundle: Bundle, min_accuracy: float | None) -> dict[str, object]:
    if min_accuracy is None:
        return {}
    analog = bundle.evaluation.analog
    life = measured_life(analog, min_accuracy)
    yields = {f"{YIELD}, {TIME_TITLES[word]}": share for word, share in life.yields.items()}
    return {
        "accuracy that is enough": min_accuracy,
        f"{LIFE}, mean": duration(life.life_s),
        f"{LIFE}, {analog.low_name}": duration(life.low_life_s),
        f"{LIFE}, mean, s": life.life_s,
        f"{LIFE}, {analog.low_name}, s": life.low_life_s,
        **yields,
    }


def accuracy_records(bundle: Bundle) -> list[Record]:
    """One record a time: the simulated accuracy of a network, and the one predicted or found."""
    analog = bundle.evaluation.analog
    origin = bundle.origin
    records: list[Record] = []
    for t_s, mean, sd, low in zip(
        analog.times_s, analog.mean(), analog.spread(), analog.low(), strict=True
    ):
        said = origin.found_at(t_s) or origin.predicted_at(t_s)
        records.append(
            {
                "time": time_name(t_s),
                "simulated": mean,
                "sd over chips": sd,
                "low": low,
                "low is": analog.low_name,
                "found (validation)" if origin.found else "predicted": said.mean if said else None,
            }
        )
    return records


def _network_record(bundle: Bundle, kind: str) -> dict[str, object]:
    evaluation, analog = bundle.evaluation, bundle.evaluation.analog
    record: dict[str, object] = {
        "network": bundle.title,
        "key": bundle.key,
        "folder": str(bundle.folder),
        "parameters": evaluation.parameters,
        "cores": evaluation.cost.cores,
        "energy (uJ, modelled)": evaluation.cost.energy_nJ / 1e3,
        "latency (us, modelled)": evaluation.cost.latency_us,
        "digital": evaluation.digital_accuracy,
    }
    for t_s, mean, sd in zip(analog.times_s, analog.mean(), analog.spread(), strict=True):
        record[f"{time_name(t_s)} (simulated)"] = mean
        record[f"{time_name(t_s)} (sd over chips)"] = sd
    record[kind], record[OPTIMISM[kind]] = _expected(bundle), _gap(bundle)
    return record


def _hardware(bundle: Bundle) -> dict[str, object]:
    """What a search has chosen about the hardware of a network; baselines have that of the run."""
    if bundle.chosen is None:
        return {HARDWARE: AS_GIVEN}
    return {
        HARDWARE: bundle.chosen.text,
        "chosen": dict(bundle.chosen.choices),
        "layers kept digital": list(bundle.chosen.keep_digital),
    }
