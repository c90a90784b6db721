"""A label table with a known law: accuracy from features, seed noise and time."""

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from analognas.surrogates import LabelTable

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
