"""The surrogates that exist, and how a stored one is read."""

from collections.abc import Callable, Mapping
from functools import partial

from analognas.surrogates.adaptation import AdaptedSurrogate
from analognas.surrogates.base import Surrogate, lookup
from analognas.surrogates.line import PARAMETERS_COLUMN, LineSurrogate
from analognas.surrogates.model_file import read_model_file
from analognas.surrogates.xgboost_trees import XGBoostSurrogate

SURROGATES: Mapping[str, Callable[[], Surrogate]] = {
    "xgboost": XGBoostSurrogate,
    "parameter-count": partial(LineSurrogate, "parameter-count", PARAMETERS_COLUMN),
    "mean": partial(LineSurrogate, "mean", None),
}


def read_surrogate(text: str) -> Surrogate:
    """Read any stored surrogate; a corrupt or foreign text is a `ValueError`."""
    kind = read_model_file(text).kind
    if kind == AdaptedSurrogate.kind:
        return AdaptedSurrogate.from_json(text)
    return lookup(SURROGATES, kind, "surrogate")().from_json(text)
