"""Label sets of real architectures with made-up accuracies."""

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from analognas.hardware_variants import sample_variants
from analognas.limits import make_fits
from analognas.search_spaces import Architecture, SearchSpace, make_space
from analognas.simulator import HERMES_DEFAULT, Hardware
from analognas.simulator.chip import load_chip
from analognas.surrogates import LabelTable
from analognas.tasks import Limits

TIMES_S = (1.0, 86_400.0)
MakeLabels = Callable[..., LabelTable]


def make_labels(
    networks: int = 24,
    *,
    variants: int = 0,
    replicated: int = 5,
    seed: int = 0,
    hardware: Hardware = HERMES_DEFAULT,
    worse: float = 0.0,
) -> LabelTable:
    """Wider is better; low ADC bits are worse, on 2 chips of all variants for every network."""
    space = make_space("tinyml", input_shape=(1, 8, 8), n_classes=10)
    fits = make_fits(space, Limits(64, 300_000, 12_000_000), load_chip("hermes"))
    rng = np.random.default_rng(seed)
    archs = {(arch := space.sample(rng, fits)).key: arch for _ in range(networks)}
    pool = sample_variants(hardware, variants, 0) if variants else ()
    rows: dict[str, list[dict[str, object]]] = {"labels": [], "networks": [], "variants": []}
    for index, (key, arch) in enumerate(archs.items()):
        for training in range(3 if index < replicated else 1):
            mean = 0.15 * np.log10(space.parameters(arch)) + 0.02 * rng.standard_normal() - worse
            rows["networks"].append(_network(space, arch, training, hardware))
            name = {"key": key, "seed": training}
            rows["labels"] += _measured(name, mean, 100)
            for variant in pool:
                bits = variant.hardware.converters.adc_bits or 16
                rows["variants"] += _measured(
                    {**name, "variant": variant.id}, mean - 0.04 * (8 - bits), 50
                )
    table = pd.DataFrame([variant.to_dict() for variant in pool])
    return LabelTable(
        pd.DataFrame(rows["labels"]),
        pd.DataFrame(rows["networks"]),
        card="# Made up\n",
        variants=pd.DataFrame(rows["variants"]) if pool else None,
        hardware=table if pool else None,
    )


def _measured(name: dict[str, object], mean: float, clips: int) -> list[dict[str, object]]:
    return [
        {
            **name,
            "chip": chip,
            "t_s": t_s,
            "accuracy": float(np.clip(mean - 0.01 * chip - 0.005 * place, 0.0, 1.0)),
            "clips": clips,
            "sampling_sd": 0.01,
        }
        for chip in range(2)
        for place, t_s in enumerate(TIMES_S)
    ]


def _network(
    space: SearchSpace, arch: Architecture, seed: int, hardware: Hardware
) -> dict[str, object]:
    return {
        "key": arch.key,
        "seed": seed,
        "architecture": json.dumps(arch.to_dict()),
        "parameters": space.parameters(arch),
        "multiplications": space.multiplications(arch),
        "recipe": "{}",
        "hardware": hardware.name,
        "hardware_hash": hardware.hash,
        "simulator_version": "1",
        "task": "digits",
        "data_name": "sklearn-digits",
        "data_key": "fedcba",
        "split": "random",
        "part": "validation",
        "cores": 4,
        "chips": 2,
        **dict.fromkeys(("digital_accuracy", "energy_nJ", "latency_us"), 0.9),
        **dict.fromkeys(("training_seconds", "evaluation_seconds"), 1.0),
    }


@pytest.fixture(scope="session")
def make_surrogate_labels() -> MakeLabels:
    return make_labels


@pytest.fixture(scope="session")
def nominal_labels() -> LabelTable:
    return make_labels()


@pytest.fixture(scope="session")
def varied_labels() -> LabelTable:
    return make_labels(30, variants=6)
