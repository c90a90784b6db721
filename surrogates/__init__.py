"""Surrogates: predict accuracy under analog noise from tables of features."""

from analognas.surrogates.adaptation import AdaptedSurrogate
from analognas.surrogates.base import Prediction, Surrogate
from analognas.surrogates.evaluation import SurrogateEvaluation, evaluate_surrogates
from analognas.surrogates.feature_table import rows_of, with_times
from analognas.surrogates.label_table import NOMINAL, LabelDescription, LabelTable
from analognas.surrogates.metrics import (
    coverage,
    kendall_tau_b,
    regret_best_of_ten,
    rmse,
    spearman,
    tau_top_quarter,
)
from analognas.surrogates.noise_ceiling import NoiseCeiling, estimate_noise_ceiling
from analognas.surrogates.registry import SURROGATES, read_surrogate
from analognas.surrogates.shipped import (
    FITTED,
    LABEL_SETS,
    find_fitted,
    load_fitted,
    load_labels,
)
from analognas.surrogates.xgboost_trees import TreeSettings, XGBoostSurrogate

__all__ = [
    "FITTED",
    "LABEL_SETS",
    "NOMINAL",
    "SURROGATES",
    "AdaptedSurrogate",
    "LabelDescription",
    "LabelTable",
    "NoiseCeiling",
    "Prediction",
    "Surrogate",
    "SurrogateEvaluation",
    "TreeSettings",
    "XGBoostSurrogate",
    "coverage",
    "estimate_noise_ceiling",
    "evaluate_surrogates",
    "find_fitted",
    "kendall_tau_b",
    "load_fitted",
    "load_labels",
    "read_surrogate",
    "regret_best_of_ten",
    "rmse",
    "rows_of",
    "spearman",
    "tau_top_quarter",
    "with_times",
]
