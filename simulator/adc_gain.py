"""One gain for the ADCs of all layers: the `output_bound` that a whole network shares.

In a chip whose ADCs have no adjustable gain, the full scale of an ADC is one charge. With one scale
per layer (`mapping.scaling = "layer"`), where the largest weight `W_max` of a layer is the largest
conductance and its input range `r_DAC` the longest pulse, that charge stands for the digital output

    r_ADC = S r_DAC W_max

in layer l, with the same S everywhere: the identity of Zhou et al., "AnalogNets", IEEE Micro 42
(2022). S is `converters.output_bound`, the number of fully driven rows at the largest weight that
reach the end of an ADC. A layer can choose r_DAC and W_max, not its ADC range.
"""

from dataclasses import replace

from analognas.simulator.hardware import Hardware
from analognas.simulator.layers import AnalogLayer, AnalogModel, analog_layers


def adc_gain(analog: AnalogModel) -> float:
    """The `output_bound` that all analog layers share.

    Raises:
        ValueError: A layer has no ADC, or two have different bounds.
    """
    bounds: dict[float, str] = {}
    for name, layer in analog_layers(analog):
        converters = layer.hardware.converters
        if converters.adc_bits is None:
            raise ValueError(
                f"Every analog layer must have an ADC, but {name!r} has none. Give "
                "`converters.adc_bits` a number."
            )
        bounds.setdefault(converters.output_bound, name)
    if len(bounds) != 1:
        places = ", ".join(f"{bound:g} in {name!r}" for bound, name in bounds.items())
        raise ValueError(
            f"`converters.output_bound` must be the same in all layers, but it is {places}. Use "
            "one hardware for the whole network, or call `set_adc_gain` first."
        )
    return next(iter(bounds))


def set_adc_gain(analog: AnalogModel, output_bound: float) -> None:
    """Give the ADCs of all layers the same `output_bound`; what is digital stays as it is.

    Args:
        analog: Not programmed; its `hardware` and that of its layers are replaced.
        output_bound: S, positive.

    Raises:
        ValueError: The model is programmed, or the bound is not positive.
    """
    if analog.chips:
        raise ValueError(
            "The gain of the ADCs must be set before programming, but the model is on "
            f"{len(analog.chips)} chips. Make a new one with `to_analog`."
        )
    analog.hardware = with_adc_gain(analog.hardware, output_bound)
    for _, layer in analog_layers(analog):
        _set(layer, with_adc_gain(layer.hardware, output_bound))


def with_adc_gain(hardware: Hardware, output_bound: float) -> Hardware:
    """Copy of `hardware` with another `converters.output_bound`."""
    converters = replace(hardware.converters, output_bound=output_bound)
    return replace(hardware, converters=converters)


def _set(layer: AnalogLayer, hardware: Hardware) -> None:
    layer.hardware = hardware
    for tile in layer.crossbar_tiles():
        tile.hardware = hardware
