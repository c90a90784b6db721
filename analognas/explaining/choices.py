"""The columns that a surrogate sees, grouped by the choices that they tell of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analognas.hardware_features import HARDWARE_COLUMNS
from analognas.surrogate_features import JOINT_COLUMNS, TILE_COLUMNS
from analognas.surrogates.feature_table import TIME_COLUMN

CHOICES: Mapping[str, tuple[str, ...]] = {
    "size (parameters, multiplications)": (
        "log10_parameters",
        "log10_multiplications",
        "log10_multiplications_per_parameter",
        "log10_activations",
        "log10_matrix_vector_multiplications",
    ),
    "depth": ("depth", "layers", "blocks"),
    "width": (
        "log2_stem_width",
        "log2_last_width",
        "log2_mean_width",
        "log2_largest_width",
        "log2_smallest_width",
    ),
    "depthwise, 1x1 and regular layers": (
        "regular_layers",
        "depthwise_layers",
        "pointwise_layers",
        "depthwise_parameter_share",
        "depthwise_multiplication_share",
        "pointwise_parameter_share",
        "pointwise_multiplication_share",
    ),
    "kernels and what they sum": (
        "stem_kernel_area",
        "mean_kernel_area",
        "rectangular_layer_share",
        "mean_log2_fan_in",
        "weighted_log2_fan_in",
        "largest_log2_fan_in",
        "smallest_log2_fan_in",
        "smallest_log2_fan_in_and_out",
    ),
    "skips and branches": (
        "identity_shortcuts",
        "projection_shortcuts",
        "mean_branches",
        "most_branches",
        "is_resnet",
    ),
    "strides": ("log2_stem_positions", "log2_final_positions", "log2_downsampling"),
    "where the weights lie": (
        "largest_layer_parameter_share",
        "largest_layer_multiplication_share",
        "stem_multiplication_share",
        "head_parameter_share",
        "first_half_parameter_share",
    ),
    "tiles": TILE_COLUMNS,
    "errors of this hardware, summed over layers": JOINT_COLUMNS,
    "hardware and time, by this network": (*HARDWARE_COLUMNS, TIME_COLUMN),
}
OTHER = "other"  # columns of surrogates that know more


def choices_of(columns: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The groups of these columns; those that no choice names come last."""
    named = {column for group in CHOICES.values() for column in group}
    groups = {
        name: tuple(column for column in group if column in columns)
        for name, group in CHOICES.items()
    }
    groups[OTHER] = tuple(column for column in columns if column not in named)
    return {name: group for name, group in groups.items() if group}
