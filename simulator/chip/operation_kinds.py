"""Which of torch's operations are work of which kind, and which only move data."""

from collections.abc import Mapping

from torch import nn

from analognas.simulator.chip.digital_work import DigitalKind


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


OPERATIONS: Mapping[DigitalKind, frozenset[str]] = {
    "relu": _words(
        """_prelu_kernel clamp clamp_max clamp_min hardtanh leaky_relu maximum minimum prelu relu
        rrelu rrelu_with_noise threshold"""
    ),
    "sigmoid": _words("sigmoid"),
    "tanh": _words("tanh"),
    "softmax": _words("_log_softmax _safe_softmax _softmax"),
    "add": _words("add rsub sub sum"),
    "multiply": _words("div mul"),
    "pooling": _words(
        """_adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_avg_pool1d avg_pool1d avg_pool2d
        avg_pool3d mean mkldnn_adaptive_avg_pool2d"""
    ),
    "max_pool": _words(
        """adaptive_max_pool2d adaptive_max_pool3d amax fractional_max_pool2d max
        max_pool2d_with_indices max_pool3d_with_indices mkldnn_max_pool2d mkldnn_max_pool3d"""
    ),
    "normalisation": _words(
        """_batch_norm_no_update _fused_rms_norm _native_batch_norm_legit
        _native_batch_norm_legit_no_training cudnn_batch_norm miopen_batch_norm native_batch_norm
        native_group_norm native_layer_norm"""
    ),
    "embedding": _words("_embedding_bag _embedding_bag_forward_only embedding"),
}
KINDS: Mapping[str, DigitalKind] = {
    operation: kind for kind, operations in OPERATIONS.items() for operation in operations
}
BATCH_NORMS = frozenset(name for name in OPERATIONS["normalisation"] if "batch_norm" in name)

# Products that torch's own table of operations with multiply-accumulates does not have.
VECTOR_PRODUCTS = _words("addmv dot mv vdot")

# Names without the underscores of those that work in place; views need not be told.
MOVES = _words(
    """_copy_from _pack_padded_sequence _pad_packed_sequence _reshape_copy _to_copy _unsafe_view
    as_strided_copy block_diag cat channel_shuffle clone col2im constant_pad_nd contiguous copy
    diag_embed empty empty_like expand_copy fill flip full full_like gather im2col index index_copy
    index_fill index_put index_select lift_fresh masked_fill masked_scatter masked_select new_empty
    new_full new_ones new_zeros ones_like pixel_shuffle pixel_unshuffle rand_like randn_like
    reflection_pad1d reflection_pad2d reflection_pad3d repeat repeat_interleave replication_pad1d
    replication_pad2d replication_pad3d resize roll scatter select_scatter set slice_scatter stack
    take tril triu unfold_copy upsample_nearest1d upsample_nearest2d upsample_nearest3d where zero
    zeros zeros_like"""
)

# Modules that compute one thing out of many operations.
NORMALISATIONS = (nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.LocalResponseNorm)
