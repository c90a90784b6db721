"""Published figures of chips, and networks that stand in for those they were published for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from torch import nn

# Largest deviation of what must agree; a figure printed with few digits may differ by half of the
# last one.
TOLERANCE = 0.01

KEYWORDS = "keywords"
PERSONS = "persons"

# Zhou et al., AnalogNets: TOPS/W of two networks on AON-CiM by the bits of inputs and outputs.
EFFICIENCIES_TOPS_PER_W: Mapping[str, Mapping[str, Mapping[int, float]]] = {
    "IEEE Micro": {
        KEYWORDS: {8: 8.55, 6: 26.55, 4: 56.67},
        PERSONS: {8: 4.34, 6: 12.64, 4: 25.2},
    },
    "arXiv": {
        KEYWORDS: {8: 8.58, 4: 57.39},
        PERSONS: {8: 4.37, 4: 25.69},
    },
}


@dataclass(frozen=True)
class Printed:
    """A figure as it was printed."""

    chip: str
    read_mode: str
    quantity: str  # of `ReadMode`
    title: str
    text: str
    trust: str

    @property
    def value(self) -> float:
        return float(self.text)

    @property
    def tolerance(self) -> float:
        """Largest deviation that still agrees."""
        last_digit = float(Decimal(1).scaleb(int(Decimal(self.text).as_tuple().exponent)))
        return max(TOLERANCE * self.value, last_digit / 2)


def _printed(chip: str, modes: str, quantity: str, texts: str, trust: str) -> list[Printed]:
    """One figure for every read mode."""
    pairs = zip(modes.split(), texts.split(), strict=True)
    return [Printed(chip, mode, quantity, TITLES[quantity], text, trust) for mode, text in pairs]


TITLES: Mapping[str, str] = {
    "peak_TOPS": "peak throughput, TOPS",
    "efficiency_TOPS_per_W": "energy efficiency, TOPS/W",
    "density_TOPS_per_mm2": "throughput density, TOPS/mm2",
    "latency_ns": "latency of an MVM, ns",
    "energy_nJ_per_mvm": "energy of an MVM on one core, nJ",
    "energy_pJ_per_mac": "energy of a MAC, pJ",
    "power_W": "power, all cores busy, W",
    "area_mm2_by_density": "area by the density, mm2",
}
PHASES = "1-phase 4-phase"
BITS = "8-bit 6-bit 4-bit"

# Derived: from the published and second-hand figures by hand.
PRINTED: tuple[Printed, ...] = (
    *_printed("hermes", PHASES, "peak_TOPS", "63.1 16.1", "published"),
    *_printed("hermes", PHASES, "efficiency_TOPS_per_W", "9.76 2.48", "published"),
    *_printed("hermes", PHASES, "density_TOPS_per_mm2", "1.55 0.40", "second-hand"),
    *_printed("hermes", PHASES, "latency_ns", "132.9 521", "derived"),
    *_printed("hermes", PHASES, "energy_nJ_per_mvm", "13.4 52.8", "derived"),
    *_printed("hermes", PHASES, "energy_pJ_per_mac", "0.205 0.806", "derived"),
    *_printed("hermes", PHASES, "power_W", "6.47 6.49", "derived"),
    *_printed("hermes", PHASES, "area_mm2_by_density", "40.7 40.3", "derived"),
    *_printed("aon-cim", BITS, "peak_TOPS", "2.02 7.71 26.21", "recalled"),
)

# Recalled, and in no input of the model: what the fitted energies give is a prediction.
PEAK_EFFICIENCIES: tuple[Printed, ...] = tuple(
    _printed("aon-cim", BITS, "efficiency_TOPS_per_W", "13.55 45.55 112.44", "recalled")
)

STAND_IN_NOTE = (
    "The layers of the published networks are not known. These are networks of our own that "
    "follow their design rules (regular 3 x 3 convolutions, no more rows than the array, the whole "
    "network in one array) with about their share of the array (57 % and 67 %, recalled)."
)


@dataclass(frozen=True)
class StandIn:
    """A network in place of a published one."""

    task: str
    title: str
    network: nn.Module
    input_shape: tuple[int, int, int]


def keyword_stand_in() -> StandIn:
    """300,720 weights for 49 x 10 features: 57.4 % of 1024 x 512."""
    widths = (84, 112, 84, 84, 84)
    network = nn.Sequential(
        nn.Conv2d(1, widths[0], (10, 4), stride=2, padding=(5, 1)),
        nn.ReLU(),
        *_convolutions(widths, strides=(1, 1, 1, 1)),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(widths[-1], 12),
    )
    return StandIn(KEYWORDS, "keyword stand-in, 49 x 10 x 1, 12 classes", network, (1, 49, 10))


def person_stand_in(pixels: int = 100) -> StandIn:
    """347,408 weights for colour images: 66.3 % of 1024 x 512."""
    widths = (3, 16, 32, 32, 64, 64, 104, 112, 112)
    network = nn.Sequential(
        *_convolutions(widths, strides=(2, 2, 1, 2, 1, 2, 1, 1)),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(widths[-1], 2),
    )
    title = f"person stand-in, {pixels} x {pixels} x 3, 2 classes"
    return StandIn(PERSONS, title, network, (3, pixels, pixels))


def _convolutions(widths: tuple[int, ...], strides: tuple[int, ...]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before, after, stride in zip(widths[:-1], widths[1:], strides, strict=True):
        layers += [nn.Conv2d(before, after, 3, stride=stride, padding=1), nn.ReLU()]
    return layers
