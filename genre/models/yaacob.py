"""The seven networks of Yaacob and Goldrich on mel spectrograms of FMA-small.

Source: "Music Genre Classification Using Neural Networks", which states the seven names, L2 and a softmax. They
build on a public CRNN, whose sizes, dropout, L2 factor and input are in its code. The sizes of the other six are
not published: here they are ours, in the CRNN's style, made of its blocks, its LSTM and its head. All counts below
are of 8 genres and 128 bands.

Each network has a ``penalty``: the L2 term, 1e-3 · Σw² over its convolutions and its dense layer of 64, for
the training loss to include.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from genre.models.keras import l2
from genre.models.layers import Cell, check_counts, check_rates, filters_of_layers, last_step, stacked
from genre.models.sizes import need_at_least, need_channels, need_exactly


class YaacobCRNN(nn.Module):
    """The CRNN, plain and stacked: three blocks along time, an LSTM whose last step is kept, the head.

    133,568 trainable parameters (133,184 in Keras, where an LSTM has one bias vector and not two). The
    stacked CRNN, with two LSTM layers, has 208,064.

    Args:
        num_classes: Number of genres.
        bands: Bands of the input; the public CRNN's is 128 bands × 640 frames.
        recurrent_layers: 1 for the CRNN, 2 for the stacked CRNN.
        layers: Number of convolutional blocks; more make the paper's deeper CRNN.
        filters: Filters of each convolution, or a list with those of each.
        cell: The recurrent cell: "lstm", "gru" or "rnn" (tanh).
        units: Units of each recurrent layer.
        dropout: Rate of the dropout behind each block.
        recurrent_dropout: Rate of the dropout between the recurrent layers.
        dense_dropout: Rate of the dropout before each of the two dense layers.
        lstm_layers: The former name of ``recurrent_layers``.

    Raises:
        SizeError: If an input has other bands or fewer frames.
        GenreError: If the cell is unknown, or a number or a rate is out of its range.
    """

    def __init__(
        self,
        num_classes: int,
        bands: int = 128,
        recurrent_layers: int = 1,
        layers: int = 3,
        filters: int | Sequence[int] = 56,
        cell: Cell = "lstm",
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
        self.bands = bands
        self.frames = frames_needed(layers)
        each = filters_of_layers(filters, layers)
        self.convolutions = blocks_along_time(bands, each, dropout)
        # Of whatever cell: checkpoints know its weights by this name.
        self.lstm = stacked(cell, each[-1], units, recurrent_layers, recurrent_dropout)
        self.head = Head(units, num_classes, dense_dropout)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, bands, T)`` to ``(B, num_classes)`` logits, T of at least 36 for three blocks."""
        need_channels(self, x.shape[1])
        need_exactly(self, x.shape[-2:], bands=self.bands)
        need_at_least(self, x.shape[-2:], frames=self.frames, instead="fewer layers")
        x = self.convolutions(x.squeeze(1))  # (B, 1, bands, T) → (B, 56, ~T/8)
        x = last_step(self.lstm, x.transpose(1, 2))  # (B, 56, ~T/8) → (B, ~T/8, 56) → (B, 96)
        logits: Tensor = self.head(x)
        return logits

    def penalty(self) -> Tensor:
        """The L2 term of the training loss."""
        return l2(self.convolutions, self.head.dense)


class YaacobRNN(nn.Module):
    """The RNN: the CRNN without its convolutions. 93,512 trainable parameters.

    Args:
        num_classes: Number of genres.
        bands: Bands of the input.
        cell: The recurrent cell: "lstm", "gru" or "rnn" (tanh).
        layers: Number of recurrent layers.
        units: Units of each recurrent layer.
        dropout: Rate of the dropout between the recurrent layers.
        dense_dropout: Rate of the dropout before each of the two dense layers.

    Raises:
        SizeError: If an input has other bands.
        GenreError: If the cell is unknown, or a number or a rate is out of its range.
    """

    def __init__(
        self,
        num_classes: int,
        bands: int = 128,
        cell: Cell = "lstm",
        layers: int = 1,
        units: int = 96,
        dropout: float = 0.0,
        dense_dropout: float = 0.4,
    ) -> None:
        super().__init__()
        check_counts(layers=layers, units=units)
        check_rates(dropout=dropout)
        self.bands = bands
        # Of whatever cell: checkpoints know its weights by this name.
        self.lstm = stacked(cell, bands, units, layers, dropout)
        self.head = Head(units, num_classes, dense_dropout)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, bands, T)`` to ``(B, num_classes)`` logits."""
        need_channels(self, x.shape[1])
        need_exactly(self, x.shape[-2:], bands=self.bands)
        x = last_step(self.lstm, x.squeeze(1).transpose(1, 2))  # (B, 1, bands, T) → (B, T, bands) → (B, 96)
        logits: Tensor = self.head(x)
        return logits

    def penalty(self) -> Tensor:
        """The L2 term of the training loss."""
        return l2(self.head.dense)


class YaacobCNN1D(nn.Module):
    """The CNNs in one dimension, bands as channels: the CRNN's blocks, then the mean over time.

    Trainable parameters: 103,568 (deep), 71,872 (shallow).

    Args:
        num_classes: Number of genres.
        bands: Bands of the input.
        layers: Convolutional blocks: 5 in the deep network, 3 in the shallow one.
        filters: Filters of each convolution, or a list with those of each.
        dropout: Rate of the dropout behind each block.
        dense_dropout: Rate of the dropout before each of the two dense layers.
        blocks: The former name of ``layers``.

    Raises:
        SizeError: If an input has other bands or fewer frames.
        GenreError: If a number or a rate is out of its range.
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
        self.bands = bands
        self.frames = frames_needed(layers)
        each = filters_of_layers(filters, layers)
        self.convolutions = blocks_along_time(bands, each, dropout)
        self.head = Head(each[-1], num_classes, dense_dropout)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, bands, T)`` to ``(B, num_classes)`` logits, T of at least 156 (deep) or 36 (shallow)."""
        need_channels(self, x.shape[1])
        need_exactly(self, x.shape[-2:], bands=self.bands)
        need_at_least(self, x.shape[-2:], frames=self.frames, instead="fewer layers")
        x = self.convolutions(x.squeeze(1))  # (B, 1, bands, T) → (B, 56, ~T / 2^layers)
        logits: Tensor = self.head(x.mean(-1))
        return logits

    def penalty(self) -> Tensor:
        """The L2 term of the training loss."""
        return l2(self.convolutions, self.head.dense)


class YaacobCNN2D(nn.Module):
    """The CNNs in two dimensions: blocks of 56 filters, then the mean over the map.

    The kernel is 3 × 3, with which five valid blocks fit into 128 bands. Trainable parameters: 118,408
    (deep), 61,624 (shallow).

    Args:
        num_classes: Number of genres.
        layers: Convolutional blocks: 5 in the deep network, 3 in the shallow one.
        filters: Filters of each convolution, or a list with those of each.
        dropout: Rate of the dropout behind each block.
        dense_dropout: Rate of the dropout before each of the two dense layers.
        blocks: The former name of ``layers``.

    Raises:
        SizeError: If an input is smaller.
        GenreError: If a number or a rate is out of its range.
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
        each = filters_of_layers(filters, layers)
        check_rates(dropout=dropout)
        self.smallest = 3 * (1 << layers) - 2  # n = 2n + 2 for each block, from 1
        self.convolutions = nn.Sequential()
        for inputs, outputs in zip([1, *each], each, strict=False):
            self.convolutions += nn.Sequential(
                nn.Conv2d(inputs, outputs, 3),
                nn.BatchNorm2d(outputs, momentum=0.1, eps=1e-3),
                nn.ReLU(),
                nn.MaxPool2d(2),
                nn.Dropout(dropout),
            )
        self.head = Head(each[-1], num_classes, dense_dropout)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, F, T)`` to ``(B, num_classes)`` logits, F and T of at least 94 (deep) or 22 (shallow)."""
        need_channels(self, x.shape[1])
        need_at_least(self, x.shape[-2:], self.smallest, self.smallest, instead="fewer layers")
        x = self.convolutions(x)  # (B, 1, F, T) → (B, 56, ~F / 2^layers, ~T / 2^layers)
        logits: Tensor = self.head(x.mean((-2, -1)))
        return logits

    def penalty(self) -> Tensor:
        """The L2 term of the training loss."""
        return l2(self.convolutions, self.head.dense)


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
        x = self.dense(self.dropout(x))
        logits: Tensor = self.classifier(self.dropout(x))
        return logits


def blocks_along_time(bands: int, filters: Sequence[int], dropout: float) -> nn.Sequential:
    """The CRNN's blocks: convolution over 5 frames, batch norm, ReLU, max-pool 2, dropout."""
    check_rates(dropout=dropout)
    blocks = nn.Sequential()
    for inputs, outputs in zip([bands, *filters], filters, strict=False):
        blocks += nn.Sequential(
            nn.Conv1d(inputs, outputs, 5),
            nn.BatchNorm1d(outputs, momentum=0.1, eps=1e-3),  # momentum 0.9 in Keras
            nn.ReLU(),
            nn.MaxPool1d(2),
            nn.Dropout(dropout),
        )
    return blocks


def frames_needed(layers: int) -> int:
    """The number of frames that ``blocks_along_time`` reduces to one."""
    check_counts(layers=layers)
    return 5 * (1 << layers) - 4  # n = 2n + 4 for each block, from 1
