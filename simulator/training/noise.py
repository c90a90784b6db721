"""Laws of the weight noise in training, one frozen record each; `AnyWeightNoise` is their union.

All widths are relative to the largest weight of a column or of the layer. The strength of the
recipe (`HwaRecipe.weight_noise`) and its ramp multiply every Gaussian width; rounding and
probabilities act in full from the first step on.

Which of the two scales is right follows from the tile. Here every column is rescaled by its
largest weight whenever it is written, with the scale as a digital factor behind the ADC: what other
simulators call channel-wise remapping happens by itself, at every step and without a state. A
column whose weights are ten times smaller feels ten times less noise, the relative noise is the
same. `relative_to="layer"` is for hardware that has one scale per layer, and for comparison with
work that assumed it.
"""

from typing import Annotated, Literal, Self

from annotated_types import Ge, Gt, Le, MinLen
from pydantic import ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

from analognas.simulator.devices.pcm_2019 import Pcm2019
from analognas.simulator.devices.pcm_hermes import PcmHermes

STRICT = ConfigDict(extra="forbid")
Scope = Literal["column", "layer"]
Bits = Annotated[int, Ge(2), Le(16)]
Probability = Annotated[float, Ge(0), Le(1)]

# Nandakumar et al., ICECS 2019: programming noise in uS over the relative conductance, at
# g_max = 25 uS. Here relative to g_max.
PCM_POLYNOMIAL = (0.26348 / 25.0, 1.9650 / 25.0, -1.1731 / 25.0)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class CellNoise:
    """The hardware's own cells: the spread of a weight at `HwaRecipe.noise_time_s`, tabulated.

    `relative_to` is None for what the hardware scales its weights by.
    """

    kind: Literal["cell"] = "cell"
    relative_to: Scope | None = None


@dataclass(frozen=True, kw_only=True, config=STRICT)
class AdditiveNoise:
    """`w + sigma max|w| xi`, as in Joshi et al., Nat. Commun. 11, 2473 (2020), who used 0.038."""

    kind: Literal["additive"] = "additive"
    sigma: Annotated[float, Ge(0)]
    relative_to: Scope = "column"


@dataclass(frozen=True, kw_only=True, config=STRICT)
class MultiplicativeNoise:
    """`w (1 + sigma xi)`: small weights are nearly exact."""

    kind: Literal["multiplicative"] = "multiplicative"
    sigma: Annotated[float, Ge(0)]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class PolynomialNoise:
    """`w + max|w| p(|w| / max|w|) xi`: a width that depends on the weight.

    Args:
        kind: Names the law in stored recipes.
        coefficients: Of p, from the constant on; by default the programming noise of phase-change
            memory, as in the training of Rasch et al., Nat. Commun. 14, 5282 (2023). Where p is
            negative, there is no noise.
        keep_sign: Reflect noise that would change a weight's sign.
        relative_to: Over what the largest weight is taken.
    """

    kind: Literal["polynomial"] = "polynomial"
    coefficients: Annotated[tuple[float, ...], MinLen(1)] = PCM_POLYNOMIAL
    keep_sign: bool = False
    relative_to: Scope = "column"


@dataclass(frozen=True, kw_only=True, config=STRICT)
class PcmNoise:
    """Phase-change memory, effect by effect, with the mean drift compensated.

    In this order: stuck cells, programming noise, spread of the drift exponents, 1/f read noise. A
    weight of zero has two empty cells and stays zero; the others keep their sign, noise being
    reflected.

    Args:
        kind: Names the law in stored recipes.
        t_s: Seconds after programming.
        cell: The statistics; its scales switch or strengthen one effect each.
        stuck_at_reset: Share of the weights that are zero.
        stuck_at_g_max: Share of the weights with one cell at the largest conductance, of either
            polarity.
        stuck_at_random: Share of the weights of random magnitude, evenly up to the largest.
        relative_to: Over what the largest weight is taken.
    """

    kind: Literal["pcm"] = "pcm"
    t_s: Annotated[float, Ge(0)] = 86_400.0
    cell: Annotated[Pcm2019 | PcmHermes, Field(discriminator="kind")] = Pcm2019()
    stuck_at_reset: Probability = 0.0
    stuck_at_g_max: Probability = 0.0
    stuck_at_random: Probability = 0.0
    relative_to: Scope = "column"

    @property
    def stuck(self) -> float:
        """Share of the weights with a stuck cell of any kind."""
        return self.stuck_at_reset + self.stuck_at_g_max + self.stuck_at_random

    @model_validator(mode="after")
    def _check_shares(self) -> Self:
        if self.stuck > 1:
            raise ValueError(
                "`stuck_at_reset + stuck_at_g_max + stuck_at_random <= 1` must hold, but got "
                f"{self.stuck}. They are shares of the same weights."
            )
        return self


@dataclass(frozen=True, kw_only=True, config=STRICT)
class DorefaNoise:
    """`round(bound tanh(w) / tanh(max|w|))` on a grid: Zhou et al., arXiv:1606.06160 (2016).

    The network is trained for the transformed weights; they replace the weights when the training
    ends.

    Args:
        kind: Names the law in stored recipes.
        bits: The grid has `2^bits - 2` steps from `-bound` to `bound`.
        bound: Largest magnitude after the transformation.
    """

    kind: Literal["dorefa"] = "dorefa"
    bits: Bits
    bound: Annotated[float, Gt(0)] = 0.6


@dataclass(frozen=True, kw_only=True, config=STRICT)
class DiscretizeNoise:
    """Rounding to a grid of `2^bits - 2` steps over `+-max|w|`, then additive noise.

    Args:
        kind: Names the law in stored recipes.
        bits: Of the grid.
        sigma: Width of the noise that is added, relative to `max|w|`.
        relative_to: Over what the largest weight is taken.
    """

    kind: Literal["discretize"] = "discretize"
    bits: Bits
    sigma: Annotated[float, Ge(0)] = 0.0
    relative_to: Scope = "column"


AnyWeightNoise = Annotated[
    CellNoise
    | AdditiveNoise
    | MultiplicativeNoise
    | PolynomialNoise
    | PcmNoise
    | DorefaNoise
    | DiscretizeNoise,
    Field(discriminator="kind"),
]
