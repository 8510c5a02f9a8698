"""Recurrent baselines: Khamees et al., Wu et al."""

from torch import Tensor, nn

from genre.models.indrnn import dropout_over_time, norm_over_time
from genre.models.layers import Cell, cell_class, check_counts, check_rates, last_step, stacked
from genre.models.sizes import need_channels, need_exactly


class KhameesLSTM(nn.Module):
    """The RNN-LSTM of Khamees, Hejazi, Alshurideh and Salloum on 13 MFCC: two LSTM and two dense layers.

    Source: "Classifying Audio Music Genres Using CNN and RNN", which states the layers, with ReLU and dropout.
    Their sizes and the rate are from the public tutorial code that it follows: 58,314 trainable parameters with
    10 genres; the 57,802 of Keras are the same network, where an LSTM layer has one bias vector and not two.

    Args:
        num_classes: Number of genres.
        bands: MFCC coefficients (or any other bands) of the input.
        cell: The recurrent cell: "lstm", "gru" or "rnn" (tanh).
        layers: Number of recurrent layers.
        units: Units of each recurrent layer.
        dropout: Rate of the dropout behind each recurrent layer.
        dense_dropout: Rate of the dropout before the last layer.

    Raises:
        SizeError: If an input has other bands.
        GenreError: If the cell is unknown, or a number or a rate is out of its range.
    """

    def __init__(
        self,
        num_classes: int,
        bands: int = 13,
        cell: Cell = "lstm",
        layers: int = 2,
        units: int = 64,
        dropout: float = 0.0,
        dense_dropout: float = 0.3,
    ) -> None:
        super().__init__()
        check_counts(layers=layers, units=units)
        check_rates(dropout=dropout, dense_dropout=dense_dropout)
        self.bands = bands
        # Of whatever cell: checkpoints know its weights by this name.
        self.lstm = stacked(cell, bands, units, layers, dropout)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Sequential(
            nn.Linear(units, 64),
            nn.ReLU(),
            nn.Dropout(dense_dropout),
            nn.Linear(64, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, bands, T)`` to ``(B, num_classes)`` logits."""
        need_channels(self, x.shape[1])
        need_exactly(self, x.shape[-2:], bands=self.bands)
        x = last_step(self.lstm, x.squeeze(1).transpose(1, 2))  # (B, 1, bands, T) → (B, T, bands) → (B, 64)
        logits: Tensor = self.head(self.dropout(x))
        return logits


class WuRNN(nn.Module):
    """The vanilla RNN and the LSTM that IndRNN is measured against, in the layout of ``IndRNN``; also a GRU.

    Source: Wu et al., "Music Genre Classification Using Independent Recurrent Neural Network" (2018), as
    reported by Engelkes, "Music Genre Classification Capabilities of Enhanced Neural Network
    Architectures". Their sizes are not published: these are ours, those of our ``IndRNN``. With the defaults
    and 10 genres, 167,690 (RNN) and 663,050 (LSTM) trainable parameters, two bias vectors in each recurrent
    layer.

    Args:
        num_classes: Number of genres.
        bands: Bands of the input.
        units: Units of each layer.
        layers: Number of layers.
        cell: The recurrent cell: "rnn" (tanh), "lstm" or "gru", which is not Wu's.
        dropout: Rate of the dropout behind each layer, one mask for all steps.

    Raises:
        SizeError: If an input has other bands.
        GenreError: If the cell is unknown, or a number or the rate is out of its range.
    """

    def __init__(
        self,
        num_classes: int,
        bands: int = 128,
        units: int = 128,
        layers: int = 5,
        cell: Cell = "rnn",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_counts(layers=layers, units=units)
        check_rates(dropout=dropout)
        self.bands = bands
        kind = cell_class(cell)
        self.recurrences = nn.ModuleList(kind(units if i else bands, units) for i in range(layers))
        self.norms = nn.ModuleList(nn.BatchNorm1d(units) for _ in range(layers))
        self.dropout = nn.Dropout1d(dropout)
        self.classifier = nn.Linear(units, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, bands, T)`` to ``(B, num_classes)`` logits."""
        need_channels(self, x.shape[1])
        need_exactly(self, x.shape[-2:], bands=self.bands)
        x = x.squeeze(1).permute(2, 0, 1)  # (B, 1, bands, T) → (T, B, bands)
        for recurrence, norm in zip(self.recurrences, self.norms, strict=True):
            x, _ = recurrence(x)  # (T, B, units)
            x = dropout_over_time(self.dropout, norm_over_time(norm, x))
        logits: Tensor = self.classifier(x[-1])
        return logits
