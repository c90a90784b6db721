"""A search space of one's own: genes, and a way between genotypes and networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise

from analognas import SearchOutcome, run_search

Codes = Mapping[str, int | str]


@dataclass(frozen=True)
class Perceptron:
    widths: tuple[int, ...]  # of the hidden layers

    @property
    def key(self) -> str:  # equal networks must have equal keys
        return "-".join(map(str, self.widths))

    def to_dict(self) -> dict[str, object]:
        return asdict(self)


Fits = Callable[[Perceptron], bool]


class PerceptronSpace:
    genes: Mapping[str, tuple[int | str, ...]] = {
        "layers": (1, 2, 3),
        **{f"width_{layer}": (8, 16, 32, 64, 128) for layer in (1, 2, 3)},
    }

    def decode(self, codes: Codes, fits: Fits | None = None) -> Perceptron | None:
        layers = range(1, int(codes["layers"]) + 1)
        network = Perceptron(tuple(int(codes[f"width_{layer}"]) for layer in layers))
        return network if fits is None or fits(network) else None

    def codes(self, network: Perceptron, /) -> dict[str, int | str]:
        codes = {gene: values[0] for gene, values in self.genes.items()}
        widths = {f"width_{at}": width for at, width in enumerate(network.widths, start=1)}
        return codes | {"layers": len(network.widths), **widths}


def evaluate(network: Perceptron) -> dict[str, float]:
    """Stands for a training: wide layers help, each further layer a little."""
    weights = sum(a * b for a, b in pairwise((64, *network.widths, 10)))
    quality = sum(width / (width + 20.0) / 2.0**at for at, width in enumerate(network.widths))
    return {"accuracy": quality / 1.75, "weights": float(weights)}


def main() -> SearchOutcome:
    objectives = ("max:accuracy", "min:weights", "weights<=20000")
    return run_search(PerceptronSpace(), evaluate, objectives, budget=80)


if __name__ == "__main__":
    print(main().summary())  # noqa: T201
