"""The four networks of Khamees, Hejazi, Alshurideh and Salloum on 13 MFCC of 3 s.

Paper: "Classifying Audio Music Genres Using CNN and RNN".

Stated: 13 MFCC; ten segments per track of 30 s; an MLP with three hidden layers, plain and regularised; a CNN with
three convolutions, max-pools of stride 2 and a dense layer; two LSTM layers and a dense layer with ReLU and dropout.
Code: layer sizes, kernels, the L2 factor and dropout are those of the public tutorial that the paper follows.
Ours: 130 frames, as ten segments per track give, where the paper also computes 387; the ReLU of the third convolution.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from genre.models.layers import (
    BlockCNN,
    CellName,
    check_counts,
    check_input,
    check_rates,
    dense_layers,
    filters_per_layer,
    l2,
    last_step,
    stacked,
)


class KhameesMLP(nn.Module):
    """The MLP of Khamees et al.: three hidden dense layers, plain or regularised by dropout and L2.

    1,014,218 trainable parameters with 10 genres, as in Keras. The paper states the layers; sizes, dropout and L2
    are from the public code.

    Args:
        num_classes: Number of genres.
        bands: MFCC coefficients (or any other bands) of the input.
        frames: Frames of the input.
        regularised: Dropout 0.3 after each hidden layer, and an L2 term of their weights.
        dropout: Dropout rate after each hidden layer; ``None``: 0.3 if regularised, else 0.

    Raises:
        SizeError: An input has another size.
        GenreError: The rate is out of its range.

    Example:
        >>> import torch
        >>> from genre.models import KhameesMLP
        >>> network = KhameesMLP(num_classes=10)
        >>> network(torch.randn(2, 1, 13, 130)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        num_classes: int,
        bands: int = 13,
        frames: int = 130,
        regularised: bool = False,
        dropout: float | None = None,
    ) -> None:
        super().__init__()
        rate = (0.3 if regularised else 0.0) if dropout is None else dropout
        check_rates(dropout=rate)
        self.bands = bands
        self.frames = frames
        self.regularised = regularised
        self.hidden = nn.Sequential(nn.Flatten())  # (B, 1, bands, frames) → (B, bands · frames)
        for inputs, outputs in ((bands * frames, 512), (512, 256), (256, 64)):
            self.hidden += nn.Sequential(nn.Linear(inputs, outputs), nn.ReLU(), nn.Dropout(rate))
        self.classifier = nn.Linear(64, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, bands, frames)`` to ``(B, num_classes)`` logits."""
        check_input(self, x, bands=self.bands, frames=self.frames)
        x = self.hidden(x)  # (B, 1, bands, frames) → (B, 64)
        logits: Tensor = self.classifier(x)
        return logits

    def penalty(self) -> Tensor:
        """The L2 term of the training loss, 1e-3 · Σw² over the hidden layers; 0 if plain."""
        return l2(self.hidden, factor=1e-3 if self.regularised else 0.0)


class KhameesCNN(BlockCNN):
    """The CNN of Khamees et al.: three convolutional blocks with max-pooling, two dense layers.

    45,322 trainable parameters with 10 genres, as in Keras. The paper states three convolutions, max-pools of stride
    2 and a dense layer; sizes and dropout are from the public code; the third ReLU and 130 frames are ours.

    Args:
        num_classes: Number of genres.
        bands: MFCC coefficients (or any other bands) of the input.
        frames: Frames of the input.
        layers: Number of convolutional blocks.
        filters: Filters of each convolution, or a list with those of each.
        stride: Stride of the max-pools, one for both axes or one for bands and one for frames.
        dropout: Dropout rate at the end of each block.
        dense_dropout: Dropout rate before the last layer.

    Raises:
        SizeError: The size is too small for the blocks, or an input has another size.
        GenreError: A number or a rate is out of its range.

    Example:
        >>> import torch
        >>> from genre.models import KhameesCNN
        >>> network = KhameesCNN(num_classes=10)
        >>> network(torch.randn(2, 1, 13, 130)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        num_classes: int,
        bands: int = 13,
        frames: int = 130,
        layers: int = 3,
        filters: int | Sequence[int] = 32,
        stride: int | Sequence[int] = 2,
        dropout: float = 0.0,
        dense_dropout: float = 0.3,
    ) -> None:
        filters = filters_per_layer(filters, layers)
        super().__init__(num_classes, bands, frames, filters, stride, dropout, 64, dense_dropout)


class KhameesLSTM(nn.Module):
    """The LSTM of Khamees et al.: two LSTM layers, of which the last step is kept, and two dense layers.

    58,314 trainable parameters with 10 genres; 57,802 in Keras, where an LSTM layer has one bias vector and not two.
    The paper states the layers; sizes and dropout are from the public code.

    Args:
        num_classes: Number of genres.
        bands: MFCC coefficients (or any other bands) of the input.
        cell: The recurrent cell: "lstm", "gru" or "rnn" (tanh).
        layers: Number of recurrent layers.
        units: Units of each recurrent layer.
        dropout: Dropout rate after each recurrent layer.
        dense_dropout: Dropout rate before the last layer.

    Raises:
        SizeError: An input has other bands.
        GenreError: The cell is unknown, or a number or a rate is out of its range.

    Example:
        >>> import torch
        >>> from genre.models import KhameesLSTM
        >>> network = KhameesLSTM(num_classes=10)
        >>> network(torch.randn(2, 1, 13, 130)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        num_classes: int,
        bands: int = 13,
        cell: CellName = "lstm",
        layers: int = 2,
        units: int = 64,
        dropout: float = 0.0,
        dense_dropout: float = 0.3,
    ) -> None:
        super().__init__()
        check_counts(layers=layers, units=units)
        check_rates(dropout=dropout)
        self.bands = bands
        # Whatever the cell: checkpoints store its weights under this name.
        self.lstm = stacked(cell, bands, units, layers, dropout)
        self.dropout = nn.Dropout(dropout)
        self.head = dense_layers(units, 64, num_classes, dense_dropout)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, bands, T)`` to ``(B, num_classes)`` logits."""
        check_input(self, x, bands=self.bands)
        x = x.squeeze(1).transpose(1, 2)  # (B, 1, bands, T) → (B, T, bands)
        x = self.dropout(last_step(self.lstm, x))  # (B, T, bands) → (B, 64)
        logits: Tensor = self.head(x)
        return logits
