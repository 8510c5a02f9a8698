"""What several networks share: checks of their arguments and inputs, Keras's layers, recurrent layers."""

from collections.abc import Sequence
from functools import partial
from itertools import chain
from typing import Any, Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector

from genre.errors import GenreError, SizeError

CellName: TypeAlias = Literal["lstm", "gru", "rnn"]
"""A recurrent cell: the LSTM, the GRU, or the vanilla RNN with tanh."""

CELLS: dict[str, type[nn.LSTM] | type[nn.GRU] | type[nn.RNN]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}

#: Batch norm with the defaults of Keras and TensorFlow, whose momentum of 0.99 is 0.01 in PyTorch.
keras_norm1d = partial(nn.BatchNorm1d, eps=1e-3, momentum=0.01)
keras_norm2d = partial(nn.BatchNorm2d, eps=1e-3, momentum=0.01)

#: What makes :func:`conv_blocks` accept a smaller input.
FEWER = "fewer layers or a smaller stride"


def check_input(
    model: nn.Module,
    x: Tensor,
    channels: int = 1,
    bands: int | None = None,
    frames: int | None = None,
    min_size: tuple[int, int] | None = None,
    instead: str | None = None,
) -> None:
    """Raises a :class:`SizeError` unless the input ``(B, C, F, T)`` has the size that a network is built for.

    ``None`` stands for any number of bands or frames; :func:`check_min_size` says what the last two arguments are.
    """
    name, x_channels, (x_bands, x_frames) = type(model).__name__, x.shape[1], x.shape[-2:]
    if x_channels != channels:
        raise SizeError(
            f"{name} takes inputs of {channels} channel{'s' if channels > 1 else ''}: found {x_channels}; "
            "use a feature to fit (one channel; three with picture), or a network that has in_channels"
        )
    if bands not in (None, x_bands) or frames not in (None, x_frames):
        expected = f"{bands} bands" + ("" if frames is None else f" by {frames} frames")
        fitting = f"bands: {x_bands}" + ("" if frames is None else f", frames: {x_frames}")
        raise SizeError(
            f"{name} is built for {expected}: found {x_bands} bands by {x_frames} frames; "
            f"change the feature or the segments to fit, or build the model with {fitting}"
        )
    if min_size is not None:
        check_min_size(model, (x_bands, x_frames), min_size, instead)


def check_min_size(model: nn.Module, size: Sequence[int], min_size: tuple[int, int], instead: str | None) -> None:
    """Raises a :class:`SizeError` if the convolutions and pools of a network leave nothing of an input.

    Both sizes are bands and frames; ``instead`` is what the network can be built with to take a smaller input.
    """
    (bands, frames), (min_bands, min_frames) = size, min_size
    if bands < min_bands or frames < min_frames:
        expected = f"{min_frames} frames" if min_bands == 1 else f"{min_bands} bands by {min_frames} frames"
        advice = f", or build the model with {instead}" if instead else ""
        raise SizeError(
            f"{type(model).__name__} needs at least {expected}: found {bands} bands by {frames} frames; "
            f"use longer segments or a feature with more bands{advice}"
        )


def check_counts(**counts: int) -> None:
    """Raises a :class:`~genre.GenreError` unless every value is an integer of at least 1."""
    for name, count in counts.items():
        if not isinstance(count, int) or count < 1:
            raise GenreError(f"{name} must be a whole number of at least 1; found {count}")


def check_rates(**rates: float) -> None:
    """Raises a :class:`~genre.GenreError` unless every dropout rate is at least 0 and below 1."""
    for name, rate in rates.items():
        if not 0 <= rate < 1:
            raise GenreError(f"{name} is the share that is dropped, at least 0 and below 1; found {rate}")


def filters_per_layer(filters: int | Sequence[int], layers: int, multiples: Sequence[int] = (1,)) -> list[int]:
    """The number of filters of each convolution, from a list, or from the number of the first one.

    That number is multiplied by ``multiples``, whose last factor holds for all further convolutions.
    """
    check_counts(layers=layers)
    if isinstance(filters, int):
        filters = [filters * multiples[min(layer, len(multiples) - 1)] for layer in range(layers)]
    for number in filters:
        check_counts(filters=number)
    if len(filters) != layers:
        raise GenreError(
            f"filters has {len(filters)} numbers for {layers} layers; give one for each layer, or a single number"
        )
    return list(filters)


def stride_pair(stride: int | Sequence[int]) -> tuple[int, int]:
    """The strides over bands and frames, from one number for both or from two."""
    pair = (stride, stride) if isinstance(stride, int) else tuple(stride)
    if len(pair) != 2:
        raise GenreError(f"stride is one number, or two for bands and frames; found {len(pair)} numbers")
    for step in pair:
        check_counts(stride=step)
    return pair


class SameMaxPool2d(nn.Module):
    """Max-pooling with TensorFlow's "same" padding: an axis of length n becomes ceil(n / stride) long.

    The padding is −inf, which is never the maximum. If its amount is odd, the end gets one more. The amount depends on
    the length: with kernel 3 and stride 2, an even axis is padded by (0, 1) and an odd one by (1, 1).

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
        padding: list[int] = []
        for length, step in zip(reversed(x.shape[-2:]), reversed(self.stride), strict=True):  # F.pad: last axis first
            windows = (length + step - 1) // step  # rounded up, without a negative number: ONNX divides towards zero
            # Not max(), which would tie an exported graph to the lengths of its example.
            total: Any = torch.sym_max((windows - 1) * step + self.kernel - length, 0)
            padding += [total // 2, total - total // 2]
        return F.max_pool2d(F.pad(x, padding, value=float("-inf")), self.kernel, self.stride)


def conv_blocks(filters: Sequence[int], stride: int | Sequence[int] = 2, dropout: float = 0.0) -> nn.Sequential:
    """The blocks of Gaitanou and of Khamees: valid convolution, ReLU, "same" max-pool, batch norm, dropout.

    ``(B, 1, F, T)`` to ``(B, filters[-1], height, width)``, see :func:`map_size`.
    """
    check_rates(dropout=dropout)
    blocks = nn.Sequential()
    for inputs, outputs, kernel in zip([1, *filters], filters, kernels(len(filters)), strict=False):
        blocks += nn.Sequential(
            nn.Conv2d(inputs, outputs, kernel),
            nn.ReLU(),
            SameMaxPool2d(kernel, stride),
            keras_norm2d(outputs),
            nn.Dropout(dropout),
        )
    return blocks


def kernels(layers: int) -> list[int]:
    """The kernels of the convolutions and pools of :func:`conv_blocks`: 3 × 3 in the first two blocks, then 2 × 2."""
    return [3 if layer < 2 else 2 for layer in range(layers)]


def map_size(model: nn.Module, size: Sequence[int], layers: int, stride: int | Sequence[int] = 2) -> tuple[int, int]:
    """Height and width of the map that :func:`conv_blocks` make of an input of this size."""
    check_min_size(model, size, min_size(layers, stride), FEWER)
    height, width = size
    rows, columns = stride_pair(stride)
    for kernel in kernels(layers):  # a block takes kernel − 1 off, then divides by the stride and rounds up
        height, width = -((kernel - 1 - height) // rows), -((kernel - 1 - width) // columns)
    return height, width


def min_size(layers: int, stride: int | Sequence[int] = 2) -> tuple[int, int]:
    """Bands and frames of the smallest input of :func:`conv_blocks`: the one with a map of 1 × 1."""
    bands, frames = 1, 1
    rows, columns = stride_pair(stride)
    for kernel in reversed(kernels(layers)):
        bands, frames = rows * (bands - 1) + kernel, columns * (frames - 1) + kernel
    return bands, frames


class BlockCNN(nn.Module):
    """The CNNs of Gaitanou and of Khamees: :func:`conv_blocks`, a flattened map, two dense layers.

    ``filters`` has the number of every block; ``units`` are those of the first dense layer.
    """

    def __init__(
        self,
        num_classes: int,
        bands: int,
        frames: int,
        filters: Sequence[int],
        stride: int | Sequence[int],
        dropout: float,
        units: int,
        dense_dropout: float,
    ) -> None:
        super().__init__()
        self.bands, self.frames = bands, frames
        height, width = map_size(self, (bands, frames), len(filters), stride)
        self.convolutions = conv_blocks(filters, stride, dropout)
        self.head = nn.Sequential(
            nn.Flatten(),  # (B, filters, height, width) → (B, filters · height · width)
            *dense_layers(filters[-1] * height * width, units, num_classes, dense_dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, bands, frames)`` to ``(B, num_classes)`` logits."""
        check_input(self, x, bands=self.bands, frames=self.frames)
        x = self.convolutions(x)  # (B, 1, bands, frames) → (B, filters, height, width)
        logits: Tensor = self.head(x)
        return logits


def dense_layers(inputs: int, units: int, num_classes: int, dropout: float) -> nn.Sequential:
    """The two dense layers of Gaitanou and of Khamees: ``(B, inputs)`` to ``(B, num_classes)`` logits."""
    check_rates(dense_dropout=dropout)
    return nn.Sequential(nn.Linear(inputs, units), nn.ReLU(), nn.Dropout(dropout), nn.Linear(units, num_classes))


def l2(*modules: nn.Module, factor: float = 1e-3) -> Tensor:
    """Keras's ``kernel_regularizer=l2(factor)``: factor · Σw² over the weights of these modules.

    Biases and batch norm, which are vectors, are left out.
    """
    weights = (p for p in chain.from_iterable(m.parameters() for m in modules) if p.ndim > 1)
    return factor * parameters_to_vector(weights).square().sum()


def cell_class(cell: str) -> type[nn.LSTM] | type[nn.GRU] | type[nn.RNN]:
    """The class of a cell."""
    if cell not in CELLS:
        raise GenreError(f"cell must be one of {', '.join(CELLS)}; found {cell}")
    return CELLS[cell]


def stacked(cell: CellName, inputs: int, units: int, layers: int = 1, dropout: float = 0.0) -> nn.RNNBase:
    """Stacked recurrent layers, batch first, with dropout between them: ``(B, T, inputs)`` to ``(B, T, units)``."""
    between = dropout if layers > 1 else 0.0  # torch warns of a rate without effect
    return cell_class(cell)(inputs, units, num_layers=layers, batch_first=True, dropout=between)


def last_step(recurrence: nn.RNNBase, x: Tensor) -> Tensor:
    """The output of the last layer at the last step, ``(B, T, inputs)`` to ``(B, units)``."""
    states: Tensor = recurrence(x)[0]
    return states[:, -1]
