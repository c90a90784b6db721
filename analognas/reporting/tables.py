"""The networks of a run as tables; every column says what kind of number it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from analognas.deployment.bundle import Bundle
from analognas.records import ONE_DAY_S
from analognas.reporting.wording import time_name

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
        "1 day (predicted)": ".4f",
    }
)
ACCURACY_FORMATS: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(("simulated", "sd over chips", "low", "predicted"), ".4f")
)


def network_records(bundles: Sequence[Bundle]) -> list[Record]:
    """One record a network: size, modelled cost, and its accuracies as fractions."""
    return [_network_record(bundle) for bundle in bundles]


def accuracy_records(bundle: Bundle) -> list[Record]:
    """One record a time: the simulated accuracy of a network and the predicted one."""
    analog = bundle.evaluation.analog
    records: list[Record] = []
    for t_s, mean, sd, low in zip(
        analog.times_s, analog.mean(), analog.spread(), analog.low(), strict=True
    ):
        said = bundle.origin.predicted_at(t_s)
        records.append(
            {
                "time": time_name(t_s),
                "simulated": mean,
                "sd over chips": sd,
                "low": low,
                "low is": analog.low_name,
                "predicted": said.mean if said else None,
            }
        )
    return records


def _network_record(bundle: Bundle) -> Record:
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
    said = bundle.origin.predicted_at(ONE_DAY_S)
    record["1 day (predicted)"] = said.mean if said else None
    return record
