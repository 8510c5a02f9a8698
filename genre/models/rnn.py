"""Recurrent baselines: Khamees et al., Wu et al."""

from typing import Literal

from torch import Tensor, nn

from genre.models.indrnn import dropout_over_time, norm_over_time
from genre.models.sizes import need_exactly


class KhameesLSTM(nn.Module):
    """The RNN-LSTM of Khamees, Hejazi, Alshurideh and Salloum on 13 MFCC: two LSTM and two dense layers.

    Source: "Classifying Audio Music Genres Using CNN and RNN", which states the layers, with ReLU and dropout.
    Their sizes and the rate are from the public tutorial code that it follows: 58,314 trainable parameters with
    10 genres; the 57,802 of Keras are the same network, where an LSTM layer has one bias vector and not two.

    Args:
        num_classes: Number of genres.
        bands: MFCC coefficients (or any other bands) of the input.

    Raises:
        SizeError: If an input has other bands.
    """

    def __init__(self, num_classes: int, bands: int = 13) -> None:
        super().__init__()
        self.bands = bands
        self.lstm = nn.LSTM(bands, 64, num_layers=2, batch_first=True)
        self.head = nn.Sequential(
            nn.Linear(64, 64),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(64, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, bands, T)`` to ``(B, num_classes)`` logits."""
        need_exactly(self, x.shape[-2:], bands=self.bands)
        x, _ = self.lstm(x.squeeze(1).transpose(1, 2))  # (B, 1, bands, T) → (B, T, 64)
        logits: Tensor = self.head(x[:, -1])
        return logits


class WuRNN(nn.Module):
    """The vanilla RNN and the LSTM that IndRNN is measured against, in the layout of ``IndRNN``.

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
        cell: "rnn" (tanh) or "lstm".
        dropout: Rate of the dropout behind each layer, one mask for all steps.

    Raises:
        SizeError: If an input has other bands.
    """

    def __init__(
        self,
        num_classes: int,
        bands: int = 128,
        units: int = 128,
        layers: int = 5,
        cell: Literal["rnn", "lstm"] = "rnn",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.bands = bands
        kind = {"rnn": nn.RNN, "lstm": nn.LSTM}[cell]
        self.recurrences = nn.ModuleList(kind(units if i else bands, units) for i in range(layers))
        self.norms = nn.ModuleList(nn.BatchNorm1d(units) for _ in range(layers))
        self.dropout = nn.Dropout1d(dropout)
        self.classifier = nn.Linear(units, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, bands, T)`` to ``(B, num_classes)`` logits."""
        need_exactly(self, x.shape[-2:], bands=self.bands)
        x = x.squeeze(1).permute(2, 0, 1)  # (B, 1, bands, T) → (T, B, bands)
        for recurrence, norm in zip(self.recurrences, self.norms, strict=True):
            x, _ = recurrence(x)  # (T, B, units)
            x = dropout_over_time(self.dropout, norm_over_time(norm, x))
        logits: Tensor = self.classifier(x[-1])
        return logits
