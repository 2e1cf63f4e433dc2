"""Functions of PyTorch by how their output depends on their input; what the rules of DeepLIFT and LRP rest on."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# one number in, one number out
ELEMENTWISE = _words("""
    abs atan celu clamp clamp_max clamp_min cos cosh elu erf exp exp2 expm1 gelu hardshrink hardsigmoid hardswish hardtanh
    leaky_relu log log10 log1p log2 logsigmoid mish pow prelu reciprocal relu relu6 rpow rsqrt selu sigmoid silu sin sinh
    softplus softshrink softsign sqrt square tan tanh tanhshrink threshold
""")

# the output of a multiple is the multiple of the output, and sums go through: the gradient says all there is to say
LINEAR = _words("""
    T H mT mH get real add sub rsub neg cat stack hstack vstack dstack column_stack sum mean nanmean cumsum trace diagonal
    diag tril triu diff avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d
    interpolate upsample grid_sample view reshape flatten unflatten ravel permute transpose t adjoint movedim moveaxis
    swapaxes swapdims squeeze unsqueeze expand expand_as broadcast_to broadcast_tensors repeat repeat_interleave tile chunk
    split split_with_sizes tensor_split unbind narrow select getitem setitem index_select index_add index_copy index_put
    gather take take_along_dim scatter scatter_add masked_fill masked_select masked_scatter where pad unfold fold roll flip
    fliplr flipud rot90 contiguous clone detach to float double half bfloat16 type type_as cpu cuda dropout dropout1d
    dropout2d dropout3d alpha_dropout feature_alpha_dropout embedding linear conv1d conv2d conv3d conv_transpose1d
    conv_transpose2d conv_transpose3d pixel_shuffle pixel_unshuffle channel_shuffle view_as reshape_as copy atleast_1d
    atleast_2d atleast_3d zero fill requires_grad nan_to_num as_strided block_diag meshgrid positive
""")

# two factors: linear in each
BILINEAR = _words("mul matmul mm bmm mv dot inner outer ger kron einsum tensordot")

# the largest of each window
POOLS = frozenset(f"{how}max_pool{n}d{also}" for how in ("", "adaptive_") for n in (1, 2, 3) for also in ("", "_with_indices"))
