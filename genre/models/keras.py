"""What the papers' Keras networks do and ``torch.nn`` has no layer for."""

from collections.abc import Sequence
from itertools import chain

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector

from genre.models.layers import check_rates, stride_pair


class SameMaxPool2d(nn.Module):
    """Max-pooling with TensorFlow's "same" padding: an axis of length n comes out ceil(n / stride) long.

    The padding is −inf, so it never wins, and an odd amount leaves the larger part at the end. It depends
    on the length, which a fixed ``padding`` cannot: with kernel 3 and stride 2 an even axis gets (0, 1) and
    an odd one (1, 1).

    Args:
        kernel: Side of the square window.
        stride: Step between windows, one for both axes or one for each.
    """

    def __init__(self, kernel: int, stride: int | Sequence[int] = 2) -> None:
        super().__init__()
        self.kernel = kernel
        self.stride = stride_pair(stride)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to ``(B, C, ceil(H / stride), ceil(W / stride))``."""
        rows, columns = self.stride
        padding = (*self._padding(x.shape[-1], columns), *self._padding(x.shape[-2], rows))
        return F.max_pool2d(F.pad(x, padding, value=float("-inf")), self.kernel, self.stride)

    def _padding(self, length: int, stride: int) -> tuple[int, int]:
        windows = -(-length // stride)
        total = max((windows - 1) * stride + self.kernel - length, 0)
        return total // 2, total - total // 2


Blocks = Sequence[tuple[int, int]]
"""Filters and kernel of each block; the kernel is that of the convolution and of the pool."""


def conv_blocks(blocks: Blocks, dropout: float = 0.0, stride: int | Sequence[int] = 2) -> nn.Sequential:
    """The blocks of Gaitanou's and Khamees's networks: valid convolution, ReLU, "same" pool by 2, batch norm, dropout.

    Batch norm has Keras's defaults: momentum 0.99 there is 0.01 here, and eps is 1e-3.

    Args:
        blocks: Filters and kernel of each block.
        dropout: Rate of the dropout at the end of each block.
        stride: Stride of the pools, one for both axes or one for each.

    Raises:
        GenreError: The rate or the stride is out of its range.
    """
    check_rates(dropout=dropout)
    layers: list[nn.Module] = []
    inputs = 1
    for filters, kernel in blocks:
        layers += [
            nn.Conv2d(inputs, filters, kernel),
            nn.ReLU(),
            SameMaxPool2d(kernel, stride),
            nn.BatchNorm2d(filters, momentum=0.01, eps=1e-3),
            nn.Dropout(dropout),
        ]
        inputs = filters
    return nn.Sequential(*layers)


def length_after(blocks: Blocks, length: int, stride: int = 2) -> int:
    """What the blocks leave of an axis: each takes kernel − 1 off it, then divides it by the stride, rounding up."""
    for _, kernel in blocks:
        length = -((kernel - 1 - length) // stride)
    return length


def smallest_length(blocks: Blocks, stride: int = 2) -> int:
    """The smallest length of an axis of which the blocks leave something."""
    length = 1
    for _, kernel in reversed(blocks):
        length = stride * (length - 1) + 1 + kernel - 1
    return length


def l2(*modules: nn.Module, factor: float = 1e-3) -> Tensor:
    """Keras's ``kernel_regularizer=l2(factor)``: factor · Σw² over the weights of these modules.

    Biases and batch norm, which are vectors, are left out.
    """
    kernels = (p for p in chain.from_iterable(m.parameters() for m in modules) if p.ndim > 1)
    return factor * parameters_to_vector(kernels).square().sum()
