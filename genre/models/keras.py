"""What the papers' Keras networks do and ``torch.nn`` has no layer for."""

from collections.abc import Sequence
from itertools import chain

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector


class SameMaxPool2d(nn.Module):
    """Max-pooling with TensorFlow's "same" padding: an axis of length n comes out ceil(n / stride) long.

    The padding is −inf, so it never wins, and an odd amount leaves the larger part at the end. It depends
    on the length, which a fixed ``padding`` cannot: with kernel 3 and stride 2 an even axis gets (0, 1) and
    an odd one (1, 1).

    Args:
        kernel: Side of the square window.
        stride: Step between windows on both axes.
    """

    def __init__(self, kernel: int, stride: int = 2) -> None:
        super().__init__()
        self.kernel = kernel
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to ``(B, C, ceil(H / stride), ceil(W / stride))``."""
        padding = (*self._padding(x.shape[-1]), *self._padding(x.shape[-2]))
        return F.max_pool2d(F.pad(x, padding, value=float("-inf")), self.kernel, self.stride)

    def _padding(self, length: int) -> tuple[int, int]:
        windows = -(-length // self.stride)
        total = max((windows - 1) * self.stride + self.kernel - length, 0)
        return total // 2, total - total // 2


Blocks = Sequence[tuple[int, int]]
"""Filters and kernel of each block; the kernel is that of the convolution and of the pool."""


def conv_blocks(blocks: Blocks, dropout: float = 0.0) -> nn.Sequential:
    """The blocks of Gaitanou's and Khamees's networks: valid convolution, ReLU, "same" pool by 2, batch norm.

    Batch norm has Keras's defaults: momentum 0.99 there is 0.01 here, and eps is 1e-3.
    """
    layers: list[nn.Module] = []
    inputs = 1
    for filters, kernel in blocks:
        layers += [
            nn.Conv2d(inputs, filters, kernel),
            nn.ReLU(),
            SameMaxPool2d(kernel),
            nn.BatchNorm2d(filters, momentum=0.01, eps=1e-3),
            nn.Dropout(dropout),
        ]
        inputs = filters
    return nn.Sequential(*layers)


def length_after(blocks: Blocks, length: int) -> int:
    """What the blocks leave of an axis: each takes kernel − 1 off it, then halves it, rounding up."""
    for _, kernel in blocks:
        length = -((kernel - 1 - length) // 2)
    return length


def smallest_length(blocks: Blocks) -> int:
    """The length of an axis that the blocks reduce to one."""
    length = 1
    for _, kernel in reversed(blocks):
        length = 2 * length - 1 + kernel - 1
    return length


def l2(*modules: nn.Module, factor: float = 1e-3) -> Tensor:
    """Keras's ``kernel_regularizer=l2(factor)``: factor · Σw² over the weights of these modules.

    Biases and batch norm, which are vectors, are left out.
    """
    kernels = (p for p in chain.from_iterable(m.parameters() for m in modules) if p.ndim > 1)
    return factor * parameters_to_vector(kernels).square().sum()
