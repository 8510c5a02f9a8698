"""The seven networks of Yaacob and Goldrich on mel spectrograms of FMA-small.

Paper: "Music Genre Classification Using Neural Networks".

Stated: the names of seven networks (CRNN, stacked CRNN, RNN, deep and shallow CNN in one and in two dimensions), L2 and
a softmax; a deeper CRNN and other dropout were tried.
Code: the CRNN. Its layers, sizes, dropout and L2 factor are those of the public network that the paper builds on.
Ours: the sizes of the other six, which are made of the CRNN's blocks, LSTM and head.

All counts are those of 8 genres and 128 bands.
"""

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from genre.models.layers import (
    CellName,
    check_counts,
    check_input,
    check_rates,
    filters_per_layer,
    l2,
    last_step,
    stacked,
)


class Head(nn.Module):
    """The CRNN's last layers: dropout, a linear layer of 64, dropout, the classifier."""

    def __init__(self, inputs: int, num_classes: int, dropout: float) -> None:
        super().__init__()
        check_rates(dense_dropout=dropout)
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(inputs, 64)
        self.classifier = nn.Linear(64, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inputs)`` to ``(B, num_classes)`` logits."""
        x = self.dense(self.dropout(x))  # (B, inputs) → (B, 64)
        logits: Tensor = self.classifier(self.dropout(x))
        return logits


class Yaacob(nn.Module):
    """What the networks share: convolutions (except in the RNN), the head, and the L2 term."""

    head: Head

    def penalty(self) -> Tensor:
        """The L2 term of the training loss: 1e-3 · Σw² over the convolutions and the dense layer of 64."""
        return l2(*(layer for layer in self.modules() if isinstance(layer, nn.Conv1d | nn.Conv2d)), self.head.dense)


class YaacobCRNN(Yaacob):
    """The CRNN of Yaacob and Goldrich, plain or stacked: blocks along time, the last step of an LSTM, the head.

    133,568 trainable parameters; 133,184 in Keras, where an LSTM layer has one bias vector and not two. The stacked
    CRNN, with two LSTM layers, has 208,064; its size is ours.

    Args:
        num_classes: Number of genres.
        bands: Bands of the input; the public CRNN's is 128 bands × 640 frames.
        recurrent_layers: 1 for the CRNN, 2 for the stacked CRNN.
        layers: Number of convolutional blocks; more than 3 for the paper's deeper CRNN.
        filters: Filters of each convolution, or a list with those of each.
        cell: The recurrent cell: "lstm", "gru" or "rnn" (tanh).
        units: Units of each recurrent layer.
        dropout: Dropout rate at the end of each block.
        recurrent_dropout: Dropout rate between the recurrent layers.
        dense_dropout: Dropout rate before each of the two dense layers.
        lstm_layers: The former name of ``recurrent_layers``.

    Raises:
        SizeError: An input has other bands or fewer frames.
        GenreError: The cell is unknown, or a number or a rate is out of its range.

    Example:
        >>> import torch
        >>> from genre.models import YaacobCRNN
        >>> network = YaacobCRNN(num_classes=10)
        >>> network(torch.randn(2, 1, 128, 640)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        num_classes: int,
        bands: int = 128,
        recurrent_layers: int = 1,
        layers: int = 3,
        filters: int | Sequence[int] = 56,
        cell: CellName = "lstm",
        units: int = 96,
        dropout: float = 0.4,
        recurrent_dropout: float = 0.0,
        dense_dropout: float = 0.4,
        lstm_layers: int | None = None,
    ) -> None:
        super().__init__()
        recurrent_layers = recurrent_layers if lstm_layers is None else lstm_layers
        check_counts(recurrent_layers=recurrent_layers, units=units)
        check_rates(recurrent_dropout=recurrent_dropout)
        filters = filters_per_layer(filters, layers)
        self.bands = bands
        self.min_frames = min_length(layers, kernel=5)
        self.convolutions = conv_pool(bands, filters, dropout, kernel=5, axes=1)
        # Whatever the cell: checkpoints store its weights under this name.
        self.lstm = stacked(cell, filters[-1], units, recurrent_layers, recurrent_dropout)
        self.head = Head(units, num_classes, dense_dropout)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, bands, T)`` to ``(B, num_classes)`` logits; with three blocks, T is at least 36."""
        check_input(self, x, bands=self.bands, min_size=(1, self.min_frames), instead="fewer layers")
        x = self.convolutions(x.squeeze(1))  # (B, 1, bands, T) → (B, 56, ~T/8)
        x = last_step(self.lstm, x.transpose(1, 2))  # (B, 56, ~T/8) → (B, ~T/8, 56) → (B, 96)
        logits: Tensor = self.head(x)
        return logits


class YaacobRNN(Yaacob):
    """The RNN of Yaacob and Goldrich: the CRNN without its convolutions.

    93,512 trainable parameters. The size is ours.

    Args:
        num_classes: Number of genres.
        bands: Bands of the input.
        cell: The recurrent cell: "lstm", "gru" or "rnn" (tanh).
        layers: Number of recurrent layers.
        units: Units of each recurrent layer.
        dropout: Dropout rate between the recurrent layers.
        dense_dropout: Dropout rate before each of the two dense layers.

    Raises:
        SizeError: An input has other bands.
        GenreError: The cell is unknown, or a number or a rate is out of its range.

    Example:
        >>> import torch
        >>> from genre.models import YaacobRNN
        >>> network = YaacobRNN(num_classes=10)
        >>> network(torch.randn(2, 1, 128, 640)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        num_classes: int,
        bands: int = 128,
        cell: CellName = "lstm",
        layers: int = 1,
        units: int = 96,
        dropout: float = 0.0,
        dense_dropout: float = 0.4,
    ) -> None:
        super().__init__()
        check_counts(layers=layers, units=units)
        check_rates(dropout=dropout)
        self.bands = bands
        # Whatever the cell: checkpoints store its weights under this name.
        self.lstm = stacked(cell, bands, units, layers, dropout)
        self.head = Head(units, num_classes, dense_dropout)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, bands, T)`` to ``(B, num_classes)`` logits."""
        check_input(self, x, bands=self.bands)
        x = last_step(self.lstm, x.squeeze(1).transpose(1, 2))  # (B, 1, bands, T) → (B, T, bands) → (B, 96)
        logits: Tensor = self.head(x)
        return logits


class YaacobCNN1D(Yaacob):
    """The 1D CNNs of Yaacob and Goldrich: the CRNN's blocks with bands as channels, the mean over time, the head.

    Trainable parameters: 103,568 (deep), 71,872 (shallow). The sizes are ours.

    Args:
        num_classes: Number of genres.
        bands: Bands of the input.
        layers: Number of convolutional blocks: 5 in the deep network, 3 in the shallow one.
        filters: Filters of each convolution, or a list with those of each.
        dropout: Dropout rate at the end of each block.
        dense_dropout: Dropout rate before each of the two dense layers.
        blocks: The former name of ``layers``.

    Raises:
        SizeError: An input has other bands or fewer frames.
        GenreError: A number or a rate is out of its range.

    Example:
        >>> import torch
        >>> from genre.models import YaacobCNN1D
        >>> network = YaacobCNN1D(num_classes=10)
        >>> network(torch.randn(2, 1, 128, 640)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        num_classes: int,
        bands: int = 128,
        layers: int = 5,
        filters: int | Sequence[int] = 56,
        dropout: float = 0.4,
        dense_dropout: float = 0.4,
        blocks: int | None = None,
    ) -> None:
        super().__init__()
        layers = layers if blocks is None else blocks
        filters = filters_per_layer(filters, layers)
        self.bands = bands
        self.min_frames = min_length(layers, kernel=5)
        self.convolutions = conv_pool(bands, filters, dropout, kernel=5, axes=1)
        self.head = Head(filters[-1], num_classes, dense_dropout)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, bands, T)`` to ``(B, num_classes)`` logits; T is at least 156 (deep) or 36 (shallow)."""
        check_input(self, x, bands=self.bands, min_size=(1, self.min_frames), instead="fewer layers")
        x = self.convolutions(x.squeeze(1))  # (B, 1, bands, T) → (B, 56, ~T / 2^layers)
        logits: Tensor = self.head(x.mean(-1))
        return logits


class YaacobCNN2D(Yaacob):
    """The 2D CNNs of Yaacob and Goldrich: blocks of 3 × 3 convolutions, the mean over the map, the head.

    Trainable parameters: 118,408 (deep), 61,624 (shallow). The sizes are ours; five valid blocks fit into 128 bands.

    Args:
        num_classes: Number of genres.
        layers: Number of convolutional blocks: 5 in the deep network, 3 in the shallow one.
        filters: Filters of each convolution, or a list with those of each.
        dropout: Dropout rate at the end of each block.
        dense_dropout: Dropout rate before each of the two dense layers.
        blocks: The former name of ``layers``.

    Raises:
        SizeError: An input is too small.
        GenreError: A number or a rate is out of its range.

    Example:
        >>> import torch
        >>> from genre.models import YaacobCNN2D
        >>> network = YaacobCNN2D(num_classes=10)
        >>> network(torch.randn(2, 1, 128, 640)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        num_classes: int,
        layers: int = 5,
        filters: int | Sequence[int] = 56,
        dropout: float = 0.4,
        dense_dropout: float = 0.4,
        blocks: int | None = None,
    ) -> None:
        super().__init__()
        layers = layers if blocks is None else blocks
        filters = filters_per_layer(filters, layers)
        self.min_length = min_length(layers, kernel=3)
        self.convolutions = conv_pool(1, filters, dropout, kernel=3, axes=2)
        self.head = Head(filters[-1], num_classes, dense_dropout)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, F, T)`` to ``(B, num_classes)`` logits; F and T are at least 94 (deep) or 22 (shallow)."""
        check_input(self, x, min_size=(self.min_length, self.min_length), instead="fewer layers")
        x = self.convolutions(x)  # (B, 1, F, T) → (B, 56, ~F / 2^layers, ~T / 2^layers)
        logits: Tensor = self.head(x.mean((-2, -1)))
        return logits


def conv_pool(inputs: int, filters: Sequence[int], dropout: float, kernel: int, axes: int) -> nn.Sequential:
    """The CRNN's blocks along one axis or two: convolution, batch norm, ReLU, max-pool 2, dropout."""
    check_rates(dropout=dropout)
    layers: tuple[Callable[..., nn.Module], ...] = (nn.Conv1d, nn.BatchNorm1d, nn.MaxPool1d)
    if axes == 2:
        layers = (nn.Conv2d, nn.BatchNorm2d, nn.MaxPool2d)
    convolution, norm, pool = layers
    stack = nn.Sequential()
    for channels, outputs in zip([inputs, *filters], filters, strict=False):
        stack += nn.Sequential(
            convolution(channels, outputs, kernel),
            norm(outputs, momentum=0.1, eps=1e-3),  # momentum 0.9 in Keras
            nn.ReLU(),
            pool(2),
            nn.Dropout(dropout),
        )
    return stack


def min_length(layers: int, kernel: int) -> int:
    """The length of an axis that the blocks reduce to 1, as a block makes n of 2n + kernel − 1."""
    return kernel * (1 << layers) - (kernel - 1)
