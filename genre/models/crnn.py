"""Convolutional recurrent networks: Gaitanou et al.; Choi et al., the origin of all others here."""

from collections.abc import Sequence

from torch import Tensor, nn

from genre.models.cnn import FEWER, gaitanou_blocks
from genre.models.keras import conv_blocks, smallest_length
from genre.models.layers import Cell, check_counts, check_rates, last_step, stacked, stride_pair
from genre.models.sizes import need_at_least, need_channels


class GaitanouCRNN(nn.Module):
    """The CRNN of Gaitanou, Hahn, Pechal and Ørslund on MFCC: ``GaitanouCNN``'s blocks, then two LSTM layers.

    Source: "Music Genre Classification: CNN and CRNN", Table I. The layer sizes are inferred: they are not in the
    text, and these are the ones that give all eight parameter counts of the table.

    400,074 trainable parameters with 10 genres at every input size; the published 399,050 are of Keras,
    where an LSTM layer has one bias vector and not two (4 · 128 fewer in each layer).

    Args:
        num_classes: Number of genres.
        layers: Number of convolutional blocks.
        filters: Filters of the first convolution, of which the second has twice and all further ones have four times as
            many; or a list with those of each.
        stride: Stride of the max-pools, one for both axes or one for bands and one for frames.
        cell: The recurrent cell: "lstm", "gru" or "rnn" (tanh).
        recurrent_layers: Number of recurrent layers.
        units: Units of each recurrent layer.
        dropout: Rate of the dropout behind each block.
        recurrent_dropout: Rate of the dropout behind each recurrent layer.
        dense_dropout: Rate of the dropout before the last layer.

    Raises:
        SizeError: If an input is smaller.
        GenreError: If the cell is unknown, or a number or a rate is out of its range.
    """

    def __init__(
        self,
        num_classes: int,
        layers: int = 4,
        filters: int | Sequence[int] = 32,
        stride: int | Sequence[int] = 2,
        cell: Cell = "lstm",
        recurrent_layers: int = 2,
        units: int = 128,
        dropout: float = 0.1,
        recurrent_dropout: float = 0.0,
        dense_dropout: float = 0.3,
    ) -> None:
        super().__init__()
        check_counts(recurrent_layers=recurrent_layers, units=units)
        check_rates(recurrent_dropout=recurrent_dropout, dense_dropout=dense_dropout)
        blocks = gaitanou_blocks(layers, filters)
        self.smallest_bands, self.smallest_frames = (smallest_length(blocks, step) for step in stride_pair(stride))
        self.convolutions = conv_blocks(blocks, dropout, stride)
        # Of whatever cell: checkpoints know its weights by this name.
        self.lstm = stacked(cell, blocks[-1][0], units, recurrent_layers, recurrent_dropout)
        self.dropout = nn.Dropout(recurrent_dropout)
        self.head = nn.Sequential(
            nn.Linear(units, 128),
            nn.ReLU(),
            nn.Dropout(dense_dropout),
            nn.Linear(128, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, F, T)`` to ``(B, num_classes)`` logits, with F and T of at least 19 for the published blocks."""
        need_channels(self, x.shape[1])
        need_at_least(self, x.shape[-2:], self.smallest_bands, self.smallest_frames, instead=FEWER)
        x = self.convolutions(x)  # (B, 1, F, T) → (B, 128, f, t)
        x = x.permute(0, 3, 2, 1).flatten(1, 2)  # (B, 128, f, t) → (B, t · f, 128), time by time
        x = self.dropout(last_step(self.lstm, x))  # (B, t · f, 128) → (B, 128)
        logits: Tensor = self.head(x)
        return logits


class CRNN(GaitanouCRNN):
    """``GaitanouCRNN`` under a short name, which the command line finds, too."""


class ChoiCRNN(nn.Module):
    """The CRNN of Choi, Fazekas, Sandler and Cho: four convolutions, then two GRU layers.

    Source: "Convolutional Recurrent Neural Networks for Music Classification" (2017), in the sizes of its
    public code. The paper's input is 29 s at 12 kHz, 96 mel bands × 1366 frames, which the pools bring to
    15 steps of 128.

    392,780 trainable parameters with 10 genres as ``nn.GRU`` (192 fewer in the Keras of its time, where a GRU
    layer has one bias vector and not two).

    Ours: pools round up, so that 1366 frames give 15 steps and no input is too short, where the public code
    pads with 37 zero frames on each side; batch norm of the input has one scale and shift for all bands and
    frames, as a parameter for each frame would fix their number; of more than 96 bands, the mean of what is
    left is taken.

    Args:
        num_classes: Number of genres.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(1, momentum=0.01, eps=1e-3)  # Keras's defaults, here and in the blocks
        self.convolutions = nn.Sequential()
        for inputs, filters, pool in ((1, 64, 2), (64, 128, 3), (128, 128, 4), (128, 128, 4)):
            self.convolutions += nn.Sequential(
                nn.Conv2d(inputs, filters, 3, padding=1),
                nn.BatchNorm2d(filters, momentum=0.01, eps=1e-3),
                nn.ELU(),
                nn.MaxPool2d(pool, ceil_mode=True),
                nn.Dropout(0.1),
            )
        self.gru = nn.GRU(128, 32, num_layers=2, batch_first=True)
        self.dropout = nn.Dropout(0.3)
        self.classifier = nn.Linear(32, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, F, T)`` to ``(B, num_classes)`` logits."""
        need_channels(self, x.shape[1])
        x = self.convolutions(self.norm(x))  # (B, 1, F, T) → (B, 128, F/96, T/96)
        x, _ = self.gru(x.mean(2).transpose(1, 2))  # (B, 128, F/96, T/96) → (B, T/96, 32)
        logits: Tensor = self.classifier(self.dropout(x[:, -1]))
        return logits
