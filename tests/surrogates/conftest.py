"""A label table with a known law: accuracy from features, seed noise and time."""

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from analognas.surrogates import NOMINAL, LabelTable, rows_of

TIMES_S = (1.0, 3_600.0, 86_400.0, 2_592_000.0, 31_536_000.0)
SEED_SD = 0.02
MakeTable = Callable[..., tuple[LabelTable, pd.DataFrame]]


def make_label_table(
    networks: int = 40,
    *,
    chips: int = 4,
    replicated: int = 8,
    times_s: tuple[float, ...] = TIMES_S,
    seed: int = 0,
) -> tuple[LabelTable, pd.DataFrame]:
    """Labels and features; width and kind matter, five columns do not."""
    rng = np.random.default_rng(seed)
    keys = [f"{seed:04x}{index:08x}" for index in range(networks)]
    log10_parameters = rng.uniform(3.0, 5.5, networks)
    depthwise = rng.integers(0, 2, networks).astype(np.float64)
    features = pd.DataFrame(
        {
            "log10_parameters": log10_parameters,
            "depthwise": depthwise,
            **{f"nothing{index}": rng.normal(size=networks) for index in range(5)},
        },
        index=pd.Index(keys, name="key"),
    )
    labels = []
    rows = []
    for index, key in enumerate(keys):
        odds = 1.2 * (log10_parameters[index] - 4.0) - 1.5 * depthwise[index] + 1.0
        for training in range(3 if index < replicated else 1):
            luck = SEED_SD * rng.normal()
            rows.append(network_row(key, training, parameters=int(10 ** log10_parameters[index])))
            for t_s in times_s:
                mean = expit(odds - 0.05 * np.log10(t_s)) + luck
                accuracy = np.clip(mean + 0.01 * rng.normal(size=chips), 0.0, 1.0)
                labels += [
                    {
                        "key": key,
                        "seed": training,
                        "chip": chip,
                        "t_s": t_s,
                        "accuracy": value,
                        "clips": 400,
                        "sampling_sd": 0.01,
                    }
                    for chip, value in enumerate(accuracy.tolist())
                ]
    table = LabelTable(labels=pd.DataFrame(labels), networks=pd.DataFrame(rows), card="# Made up\n")
    return table, features


def make_variant_table(
    networks: int = 60,
    *,
    variants: int = 8,
    per_network: int = 4,
    replicated: int = 10,
    times_s: tuple[float, ...] = (1.0, 86_400.0),
    seed: int = 0,
) -> tuple[LabelTable, pd.DataFrame]:
    """Labels on the nominal hardware and variants of it, and the features of every target's row.

    Noise of the hardware lowers the odds, that of narrow networks more.
    """
    table, features = make_label_table(networks, replicated=replicated, times_s=times_s, seed=seed)
    rng = np.random.default_rng((seed, 1))
    noise = np.linspace(0.2, 3.0, variants)
    bits = np.resize([4.0, 7.0, 5.0, 8.0, 6.0], variants)  # whatever the seed
    ids = [f"v{index:011x}" for index in range(variants)]
    rows = []
    sizes, depthwise = (features[name].to_numpy() for name in ("log10_parameters", "depthwise"))
    for index, key in enumerate(features.index):
        odds = 1.2 * (sizes[index] - 4.0) - 1.5 * depthwise[index] + 1.0
        for v in ((index + step) % variants for step in range(per_network)):
            for training in range(3 if index < replicated else 1):
                luck = SEED_SD * rng.normal()
                for t_s in times_s:
                    hurt = noise[v] * (1.5 - 0.2 * sizes[index])
                    mean = expit(odds - hurt - 0.05 * np.log10(t_s)) + luck
                    rows += [
                        {
                            "key": key,
                            "seed": training,
                            "variant": ids[v],
                            "chip": chip,
                            "t_s": t_s,
                            "accuracy": value,
                            "clips": 200,
                            "sampling_sd": 0.02,
                        }
                        for chip, value in enumerate(
                            np.clip(mean + 0.02 * rng.normal(size=2), 0.0, 1.0).tolist()
                        )
                    ]
    hardware = pd.DataFrame(
        {
            "variant": ids,
            "hardware": "made up",
            "hardware_hash": ids,
            "recalibrated": False,
            "hardware_toml": "name = 'made up'",
        }
    )
    table = LabelTable(
        table.labels, table.networks, table.card, variants=pd.DataFrame(rows), hardware=hardware
    )
    targets = table.targets()
    described = pd.DataFrame(
        {
            "hardware_noise": [0.0, *noise],
            "hardware_adc_bits": [8.0, *bits],
        },
        index=[NOMINAL, *ids],
    )
    beside = described.loc[targets["variant"].tolist()].reset_index(drop=True)
    return table, rows_of(features, targets).reset_index(drop=True).join(beside)


def network_row(key: str, seed: int, *, parameters: int = 1000) -> dict[str, object]:
    return {
        "key": key,
        "seed": seed,
        "architecture": json.dumps({"made": "up"}),
        "digital_accuracy": 0.9,
        "parameters": parameters,
        "multiplications": 10 * parameters,
        "cores": 4,
        "energy_nJ": 100.0,
        "latency_us": 10.0,
        "training_seconds": 1.0,
        "evaluation_seconds": 1.0,
        "hardware": "hermes-default",
        "hardware_hash": "0123456789ab",
        "simulator_version": "1",
        "task": "digits",
        "data_name": "sklearn-digits",
        "data_key": "fedcba",
        "split": "random",
        "part": "validation",
        "chips": 4,
        "recipe": json.dumps({"epochs": 1}),
    }


@pytest.fixture(scope="session")
def make_table() -> MakeTable:
    return make_label_table


@pytest.fixture(scope="session")
def made_up() -> tuple[LabelTable, pd.DataFrame]:
    return make_label_table()


@pytest.fixture(scope="session")
def on_variants() -> tuple[LabelTable, pd.DataFrame]:
    return make_variant_table()


@pytest.fixture(scope="session")
def make_varied() -> MakeTable:
    return make_variant_table
