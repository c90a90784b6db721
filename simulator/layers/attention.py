"""Analog twin of multi-head attention: projections on crossbars, all between them digital."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from analognas.simulator.layers.matrices import HardwareOf, matrix_layer


class AnalogAttention(nn.Module):
    """Twin of `nn.MultiheadAttention`, with the same arguments and results.

    The matrices are `in_proj` (queries, keys and values side by side, `3E` columns) and `out_proj`,
    or `q_proj`, `k_proj`, `v_proj` and `out_proj` where keys or values have a width of their own.
    Queries, keys and values that are the same tensor are read from `in_proj` at once; a tensor that
    is only one of them goes through all its columns, and the others' outputs are left unused.

    Args:
        digital: The layer to compute; its parameters are used, not copied.
        hardware_of: The hardware of a matrix by its name.
        name: Path of the layer in its network.
    """

    bias_k: nn.Parameter | None
    bias_v: nn.Parameter | None
    separate_bias: nn.Parameter | None  # (3E,), of separate projections

    def __init__(
        self, digital: nn.MultiheadAttention, hardware_of: HardwareOf, name: str = ""
    ) -> None:
        super().__init__()
        self._original = (digital,)  # in a tuple: its parameters belong to the matrices
        self.embed_dim = digital.embed_dim
        self.kdim = digital.kdim
        self.vdim = digital.vdim
        self.num_heads = digital.num_heads
        self.head_dim = digital.head_dim
        self.dropout = digital.dropout
        self.batch_first = digital.batch_first
        self.add_zero_attn = digital.add_zero_attn
        # Under torch's name: its transformer layers ask for it.
        self._qkv_same_embed_dim = digital._qkv_same_embed_dim
        packed = digital._qkv_same_embed_dim
        self.bias_k = digital.bias_k  # type: ignore[assignment]
        self.bias_v = digital.bias_v  # type: ignore[assignment]
        self.register_parameter("separate_bias", None if packed else digital.in_proj_bias)
        bias = digital.in_proj_bias if packed else None
        for weight_name in _weight_names(packed=packed):
            part = weight_name.removesuffix("_weight")
            weight = getattr(digital, weight_name)
            self.add_module(part, matrix_layer(weight, bias, f"{name}.{part}", hardware_of))
        out = dict(digital.out_proj.named_parameters())
        out_name = f"{name}.out_proj"
        self.out_proj = matrix_layer(out["weight"], out.get("bias"), out_name, hardware_of)

    @property
    def digital(self) -> nn.MultiheadAttention:
        """The layer itself, with the present weights."""
        (digital,) = self._original
        for weight_name in _weight_names(packed=self._qkv_same_embed_dim):
            matrix = self.get_submodule(weight_name.removesuffix("_weight"))
            setattr(digital, weight_name, matrix.weight)
        digital.in_proj_bias = self.in_proj_bias  # type: ignore[assignment]
        digital.bias_k, digital.bias_v = self.bias_k, self.bias_v
        out, matrix = digital.out_proj, self.out_proj
        out.weight, out.bias = matrix.weight, matrix.bias  # type: ignore[assignment]
        return digital.train(self.training)

    @property
    def in_proj_weight(self) -> Tensor | None:
        if not self._qkv_same_embed_dim:
            return None
        weight = self.get_submodule("in_proj").weight
        assert isinstance(weight, Tensor)
        return weight

    @property
    def in_proj_bias(self) -> Tensor | None:
        if not self._qkv_same_embed_dim:
            return self.separate_bias
        bias = self.get_submodule("in_proj").bias
        assert bias is None or isinstance(bias, Tensor)
        return bias

    def forward(  # noqa: PLR0913
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        if is_causal and attn_mask is None:
            raise ValueError(
                "`is_causal` is a hint about `attn_mask`, but got no mask. Give the causal mask."
            )
        if any(x.is_nested for x in (query, key, value)):
            raise ValueError(
                "The inputs of an analog attention must be ordinary tensors, but one is nested. "
                "Pad it, and give `key_padding_mask`."
            )
        batched = query.dim() == 3
        q, k, v = self._project(*self._batch_first(query, key, value))
        if not batched and key_padding_mask is not None:
            key_padding_mask = key_padding_mask[None]
        added = (self.bias_k is not None) + self.add_zero_attn
        if self.bias_k is not None and self.bias_v is not None:
            k = torch.cat([k, self.bias_k.expand(len(k), 1, -1)], dim=1)
            v = torch.cat([v, self.bias_v.expand(len(v), 1, -1)], dim=1)
        if self.add_zero_attn:
            k, v = F.pad(k, (0, 0, 0, 1)), F.pad(v, (0, 0, 0, 1))
        mask = self._merged(attn_mask, key_padding_mask, q, added)
        q, k, v = (self._split_heads(x) for x in (q, k, v))
        dropout = self.dropout if self.training else 0.0
        heads, weights = attend(q, k, v, mask, dropout=dropout, need_weights=need_weights)
        y: Tensor = self.out_proj(heads.transpose(1, 2).flatten(2))
        if weights is not None and average_attn_weights:
            weights = weights.mean(dim=1)
        if not batched:
            return y[0], None if weights is None else weights[0]
        return y if self.batch_first else y.transpose(0, 1), weights

    def _batch_first(self, *inputs: Tensor) -> list[Tensor]:
        """The inputs as `(B, T, E)`; those that are the same tensor stay the same."""

        def arrange(x: Tensor) -> Tensor:
            if x.dim() == 2:
                return x[None]
            return x if self.batch_first else x.transpose(0, 1)

        arranged = {id(x): arrange(x) for x in inputs}
        return [arranged[id(x)] for x in inputs]

    def _project(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if self._qkv_same_embed_dim:
            in_proj = self.get_submodule("in_proj")
            distinct = {id(x): x for x in (query, key, value)}
            outputs = {number: in_proj(x).chunk(3, dim=-1) for number, x in distinct.items()}
            return outputs[id(query)][0], outputs[id(key)][1], outputs[id(value)][2]
        q, k, v = (
            self.get_submodule(name)(x)
            for name, x in (("q_proj", query), ("k_proj", key), ("v_proj", value))
        )
        if self.separate_bias is not None:
            b_q, b_k, b_v = self.separate_bias.chunk(3)
            return q + b_q, k + b_k, v + b_v
        return q, k, v

    def _merged(
        self, attn_mask: Tensor | None, key_padding_mask: Tensor | None, q: Tensor, added: int
    ) -> Tensor | None:
        """Both masks as one that is added to the scores; everyone may see the added keys."""
        masks = []
        if attn_mask is not None:
            mask = _additive(attn_mask, q.dtype)
            if mask.dim() == 3:
                mask = mask.view(len(q), self.num_heads, *mask.shape[1:])
            masks.append(mask)
        if key_padding_mask is not None:
            masks.append(_additive(key_padding_mask, q.dtype)[:, None, None])
        merged = None
        for mask in masks:
            mask = F.pad(mask, (0, added))
            merged = mask if merged is None else merged + mask
        return merged

    def _split_heads(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:-1], self.num_heads, self.head_dim).transpose(1, 2)


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor | None,
    *,
    dropout: float,
    need_weights: bool,
) -> tuple[Tensor, Tensor | None]:
    """`softmax(q k^T / sqrt(D) + mask) v`, the whole of it digital.

    Args:
        q: `(B, heads, T, D)`; `k` and `v` have their own T.
        k: Keys.
        v: Values.
        mask: Added to the scores `(B, heads, T, T of the keys)`; broadcasts.
        dropout: Probability that a weight is zero.
        need_weights: Return the weights too, which takes the memory of all scores.
    """
    if not need_weights:
        return F.scaled_dot_product_attention(q, k, v, mask, dropout_p=dropout), None
    scores = (q / math.sqrt(q.shape[-1])) @ k.transpose(-2, -1)
    weights = F.dropout((scores if mask is None else scores + mask).softmax(dim=-1), dropout)
    return weights @ v, weights


def _weight_names(*, packed: bool) -> tuple[str, ...]:
    """Torch's names of the projections of the inputs."""
    return ("in_proj_weight",) if packed else ("q_proj_weight", "k_proj_weight", "v_proj_weight")


def _additive(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """A boolean mask (True: ignore) or an additive one, as an additive one."""
    if mask.dtype != torch.bool:
        return mask.to(dtype)
    return torch.zeros_like(mask, dtype=dtype).masked_fill_(mask, -math.inf)
