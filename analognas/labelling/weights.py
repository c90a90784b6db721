"""Trained weights as float16: half the size, and far finer than any analog device."""

from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch

from analognas.errors import UserError


def round_to_float16(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Round every floating-point tensor to the values that float16 can hold, keeping its type.

    Labels are measured on the rounded weights, so that the kept file reproduces them exactly.
    """
    return {name: _to_float16(tensor).to(tensor.dtype) for name, tensor in state.items()}


def pack_weights(state: Mapping[str, torch.Tensor]) -> bytes:
    """Turn weights into the bytes of a safetensors file; floating-point tensors become float16."""
    return safetensors.torch.save(
        {name: _to_float16(tensor).cpu().contiguous() for name, tensor in state.items()}
    )


def unpack_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read a file of `pack_weights`; float16 becomes float32.

    Raises:
        UserError: The file is missing, cut short, or no safetensors file.
    """
    try:
        state = safetensors.torch.load(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"{path} is missing. Restore the weights from a copy.") from None
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise UserError(
            f"{path} is no safetensors file ({error}). Restore it from a copy."
        ) from error
    return {
        name: tensor.float() if tensor.dtype == torch.float16 else tensor
        for name, tensor in state.items()
    }


def _to_float16(tensor: torch.Tensor) -> torch.Tensor:
    if not tensor.is_floating_point():
        return tensor
    largest = torch.finfo(torch.float16).max
    return tensor.detach().clamp(-largest, largest).to(torch.float16)
