"""The CNN and the CRNN of Gaitanou, Hahn, Pechal and Ørslund on MFCC.

Paper: "Music Genre Classification: CNN and CRNN", Table I.

Stated: a CNN and a CRNN with LSTM layers, the sizes of their inputs and eight numbers of trainable parameters. GRU
layers, fewer layers, fewer filters, a larger stride and other dropout were tried; they are arguments here.
Inferred: all layer sizes. The text lacks them; these are the ones that give all eight numbers of the table.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from genre.models.layers import (
    FEWER,
    BlockCNN,
    CellName,
    check_counts,
    check_input,
    check_rates,
    conv_blocks,
    dense_layers,
    filters_per_layer,
    last_step,
    min_size,
    stacked,
)

#: The filters of the blocks as multiples of those of the first one: 32, 64, 128, 128.
MULTIPLES = (1, 2, 4)


class GaitanouCNN(BlockCNN):
    """The CNN of Gaitanou et al. (Table I): four convolutional blocks, a flattened map, two dense layers.

    Trainable parameters with 10 genres, as published: 447,178 (20 bands × 331 frames), 774,858 (40 × 331),
    3,494,602 (20 × 3308) and 6,869,706 (40 × 3308). The input sizes are stated, the layer sizes are inferred from
    these numbers.

    Args:
        num_classes: Number of genres.
        bands: MFCC coefficients (or any other bands) of the input.
        frames: Frames of the input; the paper's 331 and 3308 are 3 s and 30 s.
        layers: Number of convolutional blocks.
        filters: Filters of the first block; the second has twice and all further ones have four times as many. Or a
            list with the filters of each block.
        stride: Stride of the max-pools, one for both axes or one for bands and one for frames.
        dropout: Dropout rate at the end of each block.
        dense_dropout: Dropout rate before the last layer.

    Raises:
        SizeError: The size is too small for the blocks, or an input has another size.
        GenreError: A number or a rate is out of its range.

    Example:
        >>> import torch
        >>> from genre.models import GaitanouCNN
        >>> network = GaitanouCNN(num_classes=10)
        >>> network(torch.randn(2, 1, 20, 331)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        num_classes: int,
        bands: int = 20,
        frames: int = 331,
        layers: int = 4,
        filters: int | Sequence[int] = 32,
        stride: int | Sequence[int] = 2,
        dropout: float = 0.1,
        dense_dropout: float = 0.3,
    ) -> None:
        filters = filters_per_layer(filters, layers, MULTIPLES)
        super().__init__(num_classes, bands, frames, filters, stride, dropout, 128, dense_dropout)


class CNN(GaitanouCNN):
    """``GaitanouCNN`` under a short name, which the command line finds, too.

    Example:
        >>> import torch
        >>> from genre.models import CNN
        >>> network = CNN(num_classes=10)
        >>> network(torch.randn(2, 1, 20, 331)).shape
        torch.Size([2, 10])
    """


class GaitanouCRNN(nn.Module):
    """The CRNN of Gaitanou et al. (Table I): the blocks of :class:`GaitanouCNN`, two LSTM and two dense layers.

    400,074 trainable parameters with 10 genres at every input size. The published 399,050 are those of Keras, where
    an LSTM layer has one bias vector and not two (4 · 128 fewer per layer). The layer sizes are inferred from this
    number.

    Args:
        num_classes: Number of genres.
        layers: Number of convolutional blocks.
        filters: Filters of the first block; the second has twice and all further ones have four times as many. Or a
            list with the filters of each block.
        stride: Stride of the max-pools, one for both axes or one for bands and one for frames.
        cell: The recurrent cell: "lstm", "gru" or "rnn" (tanh).
        recurrent_layers: Number of recurrent layers.
        units: Units of each recurrent layer.
        dropout: Dropout rate at the end of each block.
        recurrent_dropout: Dropout rate after each recurrent layer.
        dense_dropout: Dropout rate before the last layer.

    Raises:
        SizeError: An input is too small.
        GenreError: The cell is unknown, or a number or a rate is out of its range.

    Example:
        >>> import torch
        >>> from genre.models import GaitanouCRNN
        >>> network = GaitanouCRNN(num_classes=10)
        >>> network(torch.randn(2, 1, 20, 331)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        num_classes: int,
        layers: int = 4,
        filters: int | Sequence[int] = 32,
        stride: int | Sequence[int] = 2,
        cell: CellName = "lstm",
        recurrent_layers: int = 2,
        units: int = 128,
        dropout: float = 0.1,
        recurrent_dropout: float = 0.0,
        dense_dropout: float = 0.3,
    ) -> None:
        super().__init__()
        check_counts(recurrent_layers=recurrent_layers, units=units)
        check_rates(recurrent_dropout=recurrent_dropout)
        filters = filters_per_layer(filters, layers, MULTIPLES)
        self.min_size = min_size(layers, stride)
        self.convolutions = conv_blocks(filters, stride, dropout)
        # Whatever the cell: checkpoints store its weights under this name.
        self.lstm = stacked(cell, filters[-1], units, recurrent_layers, recurrent_dropout)
        self.dropout = nn.Dropout(recurrent_dropout)
        self.head = dense_layers(units, 128, num_classes, dense_dropout)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, F, T)`` to ``(B, num_classes)`` logits; with the defaults, F and T are at least 19."""
        check_input(self, x, min_size=self.min_size, instead=FEWER)
        x = self.convolutions(x)  # (B, 1, F, T) → (B, 128, f, t)
        x = x.permute(0, 3, 2, 1).flatten(1, 2)  # (B, 128, f, t) → (B, t · f, 128), time by time
        x = self.dropout(last_step(self.lstm, x))  # (B, t · f, 128) → (B, 128)
        logits: Tensor = self.head(x)
        return logits


class CRNN(GaitanouCRNN):
    """``GaitanouCRNN`` under a short name, which the command line finds, too.

    Example:
        >>> import torch
        >>> from genre.models import CRNN
        >>> network = CRNN(num_classes=10)
        >>> network(torch.randn(2, 1, 20, 331)).shape
        torch.Size([2, 10])
    """
