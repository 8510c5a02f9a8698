"""The seven networks of Yaacob and Goldrich on mel spectrograms of FMA-small.

Source: "Music Genre Classification Using Neural Networks", which states the seven names, L2 and a softmax. They
build on a public CRNN, whose sizes, dropout, L2 factor and input are in its code. The sizes of the other six are
not published: here they are ours, in the CRNN's style, made of its blocks, its LSTM and its head. All counts below
are of 8 genres and 128 bands.

Each network has a ``penalty``: the L2 term, 1e-3 · Σw² over its convolutions and its dense layer of 64, for
the training loss to include.
"""

from torch import Tensor, nn

from genre.models.keras import l2
from genre.models.sizes import need_at_least, need_exactly


class YaacobCRNN(nn.Module):
    """The CRNN, plain and stacked: three blocks along time, an LSTM whose last step is kept, the head.

    133,568 trainable parameters (133,184 in Keras, where an LSTM has one bias vector and not two). The
    stacked CRNN, with two LSTM layers, has 208,064.

    Args:
        num_classes: Number of genres.
        bands: Bands of the input; the public CRNN's is 128 bands × 640 frames.
        lstm_layers: 1 for the CRNN, 2 for the stacked CRNN.

    Raises:
        SizeError: If an input has other bands or fewer frames.
    """

    def __init__(self, num_classes: int, bands: int = 128, lstm_layers: int = 1) -> None:
        super().__init__()
        self.bands = bands
        self.convolutions = blocks_along_time(bands, blocks=3)
        self.lstm = nn.LSTM(56, 96, num_layers=lstm_layers, batch_first=True)
        self.head = Head(96, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, bands, T)`` to ``(B, num_classes)`` logits, T of at least 36."""
        need_exactly(self, x.shape[-2:], bands=self.bands)
        need_at_least(self, x.shape[-2:], frames=frames_needed(blocks=3))
        x = self.convolutions(x.squeeze(1))  # (B, 1, bands, T) → (B, 56, ~T/8)
        x, _ = self.lstm(x.transpose(1, 2))  # (B, 56, ~T/8) → (B, ~T/8, 96)
        logits: Tensor = self.head(x[:, -1])
        return logits

    def penalty(self) -> Tensor:
        """The L2 term of the training loss."""
        return l2(self.convolutions, self.head.dense)


class YaacobRNN(nn.Module):
    """The RNN: the CRNN without its convolutions. 93,512 trainable parameters.

    Args:
        num_classes: Number of genres.
        bands: Bands of the input.

    Raises:
        SizeError: If an input has other bands.
    """

    def __init__(self, num_classes: int, bands: int = 128) -> None:
        super().__init__()
        self.bands = bands
        self.lstm = nn.LSTM(bands, 96, batch_first=True)
        self.head = Head(96, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, bands, T)`` to ``(B, num_classes)`` logits."""
        need_exactly(self, x.shape[-2:], bands=self.bands)
        x, _ = self.lstm(x.squeeze(1).transpose(1, 2))  # (B, 1, bands, T) → (B, T, 96)
        logits: Tensor = self.head(x[:, -1])
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
        blocks: Convolutions: 5 in the deep network, 3 in the shallow one.

    Raises:
        SizeError: If an input has other bands or fewer frames.
    """

    def __init__(self, num_classes: int, bands: int = 128, blocks: int = 5) -> None:
        super().__init__()
        self.bands = bands
        self.frames = frames_needed(blocks)
        self.convolutions = blocks_along_time(bands, blocks)
        self.head = Head(56, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, bands, T)`` to ``(B, num_classes)`` logits, T of at least 156 (deep) or 36 (shallow)."""
        need_exactly(self, x.shape[-2:], bands=self.bands)
        need_at_least(self, x.shape[-2:], frames=self.frames)
        x = self.convolutions(x.squeeze(1))  # (B, 1, bands, T) → (B, 56, ~T / 2^blocks)
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
        blocks: Convolutions: 5 in the deep network, 3 in the shallow one.

    Raises:
        SizeError: If an input is smaller.
    """

    def __init__(self, num_classes: int, blocks: int = 5) -> None:
        super().__init__()
        self.smallest = 3 * (1 << blocks) - 2  # n = 2n + 2 for each block, from 1
        self.convolutions = nn.Sequential()
        for block in range(blocks):
            self.convolutions += nn.Sequential(
                nn.Conv2d(56 if block else 1, 56, 3),
                nn.BatchNorm2d(56, momentum=0.1, eps=1e-3),
                nn.ReLU(),
                nn.MaxPool2d(2),
                nn.Dropout(0.4),
            )
        self.head = Head(56, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, F, T)`` to ``(B, num_classes)`` logits, F and T of at least 94 (deep) or 22 (shallow)."""
        need_at_least(self, x.shape[-2:], self.smallest, self.smallest)
        x = self.convolutions(x)  # (B, 1, F, T) → (B, 56, ~F / 2^blocks, ~T / 2^blocks)
        logits: Tensor = self.head(x.mean((-2, -1)))
        return logits

    def penalty(self) -> Tensor:
        """The L2 term of the training loss."""
        return l2(self.convolutions, self.head.dense)


class Head(nn.Module):
    """The CRNN's last layers: dropout, a linear layer of 64, dropout, the classifier."""

    def __init__(self, inputs: int, num_classes: int) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.4)
        self.dense = nn.Linear(inputs, 64)
        self.classifier = nn.Linear(64, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inputs)`` to ``(B, num_classes)`` logits."""
        x = self.dense(self.dropout(x))
        logits: Tensor = self.classifier(self.dropout(x))
        return logits


def blocks_along_time(bands: int, blocks: int) -> nn.Sequential:
    """The CRNN's blocks: convolution over 5 frames to 56 filters, batch norm, ReLU, max-pool 2, dropout."""
    layers = nn.Sequential()
    for block in range(blocks):
        layers += nn.Sequential(
            nn.Conv1d(56 if block else bands, 56, 5),
            nn.BatchNorm1d(56, momentum=0.1, eps=1e-3),  # momentum 0.9 in Keras
            nn.ReLU(),
            nn.MaxPool1d(2),
            nn.Dropout(0.4),
        )
    return layers


def frames_needed(blocks: int) -> int:
    """The number of frames that ``blocks_along_time`` reduces to one."""
    return 5 * (1 << blocks) - 4  # n = 2n + 4 for each block, from 1
