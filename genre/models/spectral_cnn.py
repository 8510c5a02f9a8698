"""SpectralCNN of Singh and Gupta."""

import torch.nn.functional as F
from torch import Tensor, nn

from genre.models.layers import check_rates
from genre.models.sizes import need_at_least, need_channels


class SpectralCNN(nn.Module):
    """Five convolutional and three dense layers (Singh and Gupta, "Empirical Analysis of Music Genre Classification").

    The paper states the numbers of layers, batch norm and dropout. The layer sizes are those of its public code,
    which has two dense layers where the paper says three: the middle one (64 to 64) is ours. The code's pools are
    tied to the size of one picture; here a global average pool takes any number of rows and frames of at least 32.

    Args:
        num_classes: The number of genres.
        in_channels: Channels of the input; the code's pictures had 3, and with two dense layers 40,416 parameters.
        dropout: Dropout after every convolutional block.
        dense_dropout: Dropout before the last layer.
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
        need_channels(self, x.shape[1], self.in_channels)
        need_at_least(self, x.shape[-2:], bands=32, frames=32)  # it is halved five times
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
