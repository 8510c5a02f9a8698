"""The SpectralCNN of Singh and Gupta on spectrograms, mel spectrograms and MFCC."""

import torch.nn.functional as F
from torch import Tensor, nn

from genre.models.layers import check_input, check_rates


class SpectralCNN(nn.Module):
    """SpectralCNN (Singh and Gupta): five convolutional blocks, three dense layers.

    Paper: "Empirical Analysis of Music Genre Classification using CNNs".

    Stated: five convolutional and three dense layers, with batch norm and dropout between them.
    Code: the layer sizes. The public code has two dense layers, and 40,416 parameters with 3 input channels.
    Ours: the middle dense layer (64 to 64); a global average pool, which takes any input of at least 32 bands by 32
    frames, where the code's pools are tied to the size of one picture.

    Args:
        num_classes: Number of genres.
        in_channels: Channels of the input; the code's pictures have 3.
        dropout: Dropout rate at the end of each block.
        dense_dropout: Dropout rate before the last layer.

    Raises:
        SizeError: An input has other channels or is too small.
        GenreError: A rate is out of its range.

    Example:
        >>> import torch
        >>> from genre.models import SpectralCNN
        >>> network = SpectralCNN(num_classes=10)
        >>> network(torch.randn(2, 1, 64, 130)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self, num_classes: int, in_channels: int = 1, dropout: float = 0.1, dense_dropout: float = 0.5
    ) -> None:
        super().__init__()
        check_rates(dropout=dropout, dense_dropout=dense_dropout)
        self.in_channels = in_channels
        self.input_norm = nn.BatchNorm2d(in_channels)
        self.blocks = nn.Sequential(
            _block(in_channels, 16, dropout),
            _block(16, 16, dropout),
            _block(16, 32, dropout),
            _block(32, 32, dropout),
            _block(32, 64, dropout),
        )
        self.dense = nn.Sequential(
            nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(),
            nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(),
            nn.Dropout(dense_dropout),
            nn.Linear(64, num_classes),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """``(B, in_channels, frequency, time)`` to ``(B, num_classes)`` logits."""
        check_input(self, x, channels=self.in_channels, min_size=(32, 32))  # five pools halve it
        x = self.blocks(self.input_norm(x))  # (B, 64, frequency // 32, time // 32)
        x = F.adaptive_avg_pool2d(x, 1).flatten(1)  # (B, 64)
        logits: Tensor = self.dense(x)
        return logits


def _block(in_channels: int, channels: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, channels, 3, padding=1),
        nn.BatchNorm2d(channels),
        nn.LeakyReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(dropout),
    )
