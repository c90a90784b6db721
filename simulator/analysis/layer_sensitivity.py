"""Which layers a network can least afford to have analog."""

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from torch import nn

from analognas.simulator.convert import ClipInput
from analognas.simulator.layers import AnalogModel, analog_layers

Progress = Callable[[int, int, str], None]  # done, total, message


@dataclass(frozen=True)
class LayerSensitivity:
    """Accuracy of a network of which one layer differs from the others."""

    layer: str
    weights: int
    only_analog: float  # every other layer is digital
    only_digital: float  # every other layer is analog


@dataclass(frozen=True)
class Sensitivity:
    """Accuracy of the whole network, and what each layer has to do with it."""

    all_analog: float
    all_digital: float
    layers: tuple[LayerSensitivity, ...]


def layer_sensitivity(
    analog: AnalogModel,
    evaluate: Callable[[AnalogModel], float],
    *,
    progress: Progress | None = None,
) -> Sensitivity:
    """Evaluate the network with each layer as the only analog one, and as the only digital one.

    A layer on a chip of a given number is the same in every variant as long as `evaluate` programs
    from the same seed: the differences are those of the layers.

    Args:
        analog: Trained or calibrated, not programmed; it is left untouched.
        evaluate: Programs, ages and measures a copy; called twice per layer and twice more.
        progress: Told how many evaluations are done.

    Raises:
        ValueError: The model is programmed.
    """
    names = [name for name, _ in analog_layers(analog)]
    done = 0

    def measure(digital: Iterable[str], message: str) -> float:
        nonlocal done
        if progress is not None:
            progress(done, 2 + 2 * len(names), message)
        done += 1
        return evaluate(with_digital_layers(analog, digital))

    all_digital = measure(names, "no analog layer")
    all_analog = measure([], "all layers analog")
    layers = []
    for name, layer in analog_layers(analog):
        others = [other for other in names if other != name]
        only_analog = measure(others, f"only {name} analog")
        only_digital = measure([name], f"only {name} digital")
        layers.append(LayerSensitivity(name, layer.weight.numel(), only_analog, only_digital))
    if progress is not None:
        progress(done, done, "")
    return Sensitivity(all_analog, all_digital, tuple(layers))


def with_digital_layers(analog: AnalogModel, names: Iterable[str]) -> AnalogModel:
    """Copy a model with some of its analog layers as ordinary ones.

    They keep the saturation at their input range, if they have one: a trained network expects it.
    Everything else is exact.

    Args:
        analog: Not programmed; it is left untouched.
        names: Of analog layers.

    Raises:
        ValueError: The model is programmed, or a name is not that of an analog layer.
    """
    if analog.chips:
        raise ValueError(
            f"Layers must be made digital before programming, but the model is on "
            f"{len(analog.chips)} chips. Give the model as it was before `program`."
        )
    layers = dict(analog_layers(analog))
    memo: dict[int, object] = {}  # the deep copy finds these in place of the analog layers
    for name in names:
        if name not in layers:
            raise ValueError(
                f"`names` must be those of analog layers, but got {name!r}. "
                f"Choose among {list(layers)}."
            )
        layer = layers[name]
        digital: nn.Module = copy.deepcopy(layer.digital)
        hardware = layer.hardware
        has_range = hardware.input_stage.scaling == "static"
        if has_range and hardware.converters.dac_bits is not None:
            digital.register_forward_pre_hook(ClipInput(layer.input_range.item()))
        memo[id(layer)] = digital
    return copy.deepcopy(analog, memo)
