"""BBNN, the bottom-up broadcast neural network."""

import torch
from torch import Tensor, nn

from genre.models.sizes import need_at_least, need_channels


class BBNN(nn.Module):
    """The bottom-up broadcast network of Liu et al.: every block sees the maps of all blocks below it.

    Source: Liu, Feng, Liu, Wang, Liu, "Bottom-up broadcast neural network for music genre classification"
    (2021); Engelkes, "Music Genre Classification Capabilities of Enhanced Neural Network Architectures".
    The input is a mel spectrogram of 128 bands × 647 frames. Layers, sizes and counts are from Liu et al. and their
    code, not from Engelkes.

    Trainable parameters, as in Liu et al.: 185,642 (10 genres), 185,576 (8), 185,741 (13). With the running
    statistics of batch norm, which Keras counts in the total, 190,826 (10 genres).

    Args:
        num_classes: Number of genres.

    Raises:
        SizeError: If an input is smaller.
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
        """``(B, 1, F, T)`` to ``(B, num_classes)`` logits, F of at least 2, T of at least 8."""
        need_channels(self, x.shape[1])
        need_at_least(self, x.shape[-2:], bands=2, frames=8)
        x = self.stem(x)  # (B, 1, F, T) → (B, 32, F, T/4)
        x = self.broadcast(x)  # (B, 32, F, T/4) → (B, 416, F, T/4)
        x = self.transition(x)  # (B, 416, F, T/4) → (B, 32, F/2, T/8)
        logits: Tensor = self.decision(x)
        return logits


class BroadcastBlock(nn.Module):
    """Four paths of different reach side by side, 32 filters each, stacked on top of the block's input.

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
    """Batch norm and ReLU before a convolution that keeps the size."""
    return nn.Sequential(*norm_relu(inputs), nn.Conv2d(inputs, filters, kernel, padding=kernel // 2))


def norm_relu(channels: int) -> tuple[nn.Module, nn.Module]:
    """Batch norm with Keras's defaults (momentum 0.99 there is 0.01 here), then ReLU."""
    return nn.BatchNorm2d(channels, momentum=0.01, eps=1e-3), nn.ReLU()
