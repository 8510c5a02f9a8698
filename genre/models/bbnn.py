"""BBNN, the bottom-up broadcast neural network of Liu et al."""

import torch
from torch import Tensor, nn

from genre.models.layers import check_input, keras_norm2d


class BBNN(nn.Module):
    """BBNN (Liu et al. 2021): a stem, three broadcast blocks that see the maps of all blocks below, a linear layer.

    Papers: Liu, Feng, Liu, Wang, Liu, "Bottom-up broadcast neural network for music genre classification" (2021);
    Engelkes, "Music Genre Classification Capabilities of Enhanced Neural Network Architectures", who trains it on GTZAN
    and Ballroom. Layers and sizes are from Liu et al. and their code; Engelkes does not state them.

    Trainable parameters, as in Liu et al.: 185,642 (10 genres), 185,576 (8), 185,741 (13). With the running
    statistics of batch norm, which Keras counts in the total, 190,826 (10 genres).

    The published input is a mel spectrogram of 128 bands × 647 frames; any of at least 2 × 8 is accepted.

    Args:
        num_classes: Number of genres.

    Raises:
        SizeError: An input is too small.

    Example:
        >>> import torch
        >>> from genre.models import BBNN
        >>> network = BBNN(num_classes=10)
        >>> network(torch.randn(1, 1, 128, 64)).shape
        torch.Size([1, 10])
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1),
            *norm_relu(32),
            nn.MaxPool2d((1, 4)),  # over time only
        )
        self.broadcast = nn.Sequential(BroadcastBlock(32), BroadcastBlock(160), BroadcastBlock(288))
        self.transition = nn.Sequential(conv(416, 32, 1), nn.AvgPool2d(2))
        self.decision = nn.Sequential(
            *norm_relu(32),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(32, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, F, T)`` to ``(B, num_classes)`` logits, F is at least 2, T at least 8."""
        check_input(self, x, min_size=(2, 8))
        x = self.stem(x)  # (B, 1, F, T) → (B, 32, F, T/4)
        x = self.broadcast(x)  # (B, 32, F, T/4) → (B, 416, F, T/4)
        x = self.transition(x)  # (B, 416, F, T/4) → (B, 32, F/2, T/8)
        logits: Tensor = self.decision(x)
        return logits


class BroadcastBlock(nn.Module):
    """Four paths of 32 filters each, whose maps are concatenated with the block's input.

    Args:
        inputs: Channels of the input; the output has 128 more.
    """

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.paths = nn.ModuleList(
            [
                conv(inputs, 32, 1),
                nn.Sequential(conv(inputs, 32, 1), conv(32, 32, 3)),
                nn.Sequential(conv(inputs, 32, 1), conv(32, 32, 5)),
                nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), conv(inputs, 32, 1)),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inputs, F, T)`` to ``(B, 128 + inputs, F, T)``."""
        return torch.cat([*(path(x) for path in self.paths), x], dim=1)


def conv(inputs: int, filters: int, kernel: int) -> nn.Sequential:
    """Batch norm and ReLU, then a convolution that keeps the size."""
    return nn.Sequential(*norm_relu(inputs), nn.Conv2d(inputs, filters, kernel, padding=kernel // 2))


def norm_relu(channels: int) -> tuple[nn.Module, nn.Module]:
    """Batch norm with Keras's defaults, then ReLU."""
    return keras_norm2d(channels), nn.ReLU()
