"""Where the errors of analog hardware come from: by time, by effect, by layer."""

from analognas.simulator.analysis.conductances import ConductanceHistogram, conductance_histogram
from analognas.simulator.analysis.effect_budget import EffectError, effect_budget
from analognas.simulator.analysis.effects import (
    EFFECTS,
    active_effects,
    only_effects,
    without_effects,
)
from analognas.simulator.analysis.layer_error import (
    LayerError,
    LayerErrorSummary,
    layer_errors,
    summarise_layers,
)
from analognas.simulator.analysis.layer_sensitivity import (
    LayerSensitivity,
    Sensitivity,
    layer_sensitivity,
    with_digital_layers,
)
from analognas.simulator.analysis.mvm_error import (
    ErrorSummary,
    MvmError,
    MvmWorkload,
    mvm_error,
    summarise,
)

__all__ = [
    "EFFECTS",
    "ConductanceHistogram",
    "EffectError",
    "ErrorSummary",
    "LayerError",
    "LayerErrorSummary",
    "LayerSensitivity",
    "MvmError",
    "MvmWorkload",
    "Sensitivity",
    "active_effects",
    "conductance_histogram",
    "effect_budget",
    "layer_errors",
    "layer_sensitivity",
    "mvm_error",
    "only_effects",
    "summarise",
    "summarise_layers",
    "with_digital_layers",
    "without_effects",
]
