"""Find the layers that go onto crossbars, by running a model once."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

from analognas.simulator.mapping import LayerShape, layer_shape


def trace_layers(model: nn.Module, input_shape: Sequence[int]) -> tuple[LayerShape, ...]:
    """Describe every `nn.Linear` and `nn.Conv2d` that takes part in an inference.

    The model is run once on one input of zeros, in evaluation mode; afterwards it is as it was. A
    module that is used several times is one matrix on the chip, and its multiplications add up.
    Every other kind of layer (`Conv1d`, `ConvTranspose2d`, attention, recurrent cells, ...) is
    digital here and does not appear.

    Args:
        model: Takes one tensor with a batch axis in front.
        input_shape: Of one input, without the batch axis: `(channels, height, width)` for images.

    Returns:
        The layers in the order in which they are first executed, under their module names.

    Raises:
        ValueError: If the model cannot be run on such an input.
    """
    if not input_shape or any(size < 1 for size in input_shape):
        raise ValueError(
            "`input_shape` must hold the positive sizes of one input without the batch axis, such "
            f"as (1, 49, 10), but got {tuple(input_shape)}."
        )
    names = {
        module: name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d)
    }
    layers: dict[str, LayerShape] = {}

    def record(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        assert isinstance(module, nn.Linear | nn.Conv2d)
        outputs = module.out_features if isinstance(module, nn.Linear) else module.out_channels
        mvms = output.numel() // outputs  # of a batch of one
        name = names[module]
        if name in layers:
            layers[name] = replace(layers[name], mvms=layers[name].mvms + mvms)
        else:
            layers[name] = layer_shape(name, module, mvms=mvms)

    with _evaluation_mode(model), torch.no_grad():
        hooks = [module.register_forward_hook(record) for module in names]
        try:
            model(_zeros_for(model, input_shape))
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            raise ValueError(
                f"The model must accept one input of shape {tuple(input_shape)}, but it answers: "
                f"{error}. Give the shape of one input without the batch axis."
            ) from error
        finally:
            for hook in hooks:
                hook.remove()
    return tuple(layers.values())


def _zeros_for(model: nn.Module, input_shape: Sequence[int]) -> Tensor:
    """One input of zeros, where the weights lie and of their kind."""
    for parameter in model.parameters():
        if parameter.is_floating_point():
            return parameter.new_zeros((1, *input_shape))
    return torch.zeros((1, *input_shape))


@contextmanager
def _evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while; every module gets its own training flag back."""
    training = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, flag in training:
            module.training = flag
