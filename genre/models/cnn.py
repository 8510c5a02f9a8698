"""Convolutional networks on MFCC: Gaitanou et al., Khamees et al."""

from collections.abc import Sequence

from torch import Tensor, nn

from genre.models.keras import Blocks, conv_blocks, length_after, smallest_length
from genre.models.layers import check_rates, filters_of_layers, stride_pair
from genre.models.sizes import need_at_least, need_channels, need_exactly

#: What makes an input long enough without changing it.
FEWER = "fewer layers or a smaller stride"


class GaitanouCNN(nn.Module):
    """The CNN of Gaitanou, Hahn, Pechal and Ørslund on MFCC: four blocks, a flattened map, two dense layers.

    Source: "Music Genre Classification: CNN and CRNN", Table I. The layer sizes are inferred: they are not in the
    text, and these are the ones that give all eight parameter counts of the table.

    Trainable parameters with 10 genres, as published (bands × frames): 447,178 (20 × 331), 774,858 (40 ×
    331), 3,494,602 (20 × 3308), 6,869,706 (40 × 3308).

    Args:
        num_classes: Number of genres.
        bands: MFCC coefficients (or any other bands) of the input.
        frames: Frames of the input; the paper's 331 and 3308 are 3 s and 30 s.
        layers: Number of convolutional blocks.
        filters: Filters of the first convolution, of which the second has twice and all further ones have four times as
            many; or a list with those of each.
        stride: Stride of the max-pools, one for both axes or one for bands and one for frames.
        dropout: Rate of the dropout behind each block.
        dense_dropout: Rate of the dropout before the last layer.

    Raises:
        SizeError: If the size is too small for the blocks, or an input has another size.
        GenreError: If a number or a rate is out of its range.
    """

    def __init__(
        self,
        num_classes: int,
        bands: int = 20,
        frames: int = 331,
        layers: int = 4,
        filters: int | Sequence[int] = 32,
        stride: int | Sequence[int] = 2,
        dropout: float = 0.1,
        dense_dropout: float = 0.3,
    ) -> None:
        super().__init__()
        check_rates(dense_dropout=dense_dropout)
        blocks = gaitanou_blocks(layers, filters)
        self.bands = bands
        self.frames = frames
        channels, height, width = map_after(self, blocks, stride, bands, frames)
        self.convolutions = conv_blocks(blocks, dropout, stride)
        self.head = nn.Sequential(
            nn.Flatten(),  # (B, 128, height, width) → (B, 128 · height · width)
            nn.Linear(channels * height * width, 128),
            nn.ReLU(),
            nn.Dropout(dense_dropout),
            nn.Linear(128, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, bands, frames)`` to ``(B, num_classes)`` logits."""
        need_channels(self, x.shape[1])
        need_exactly(self, x.shape[-2:], self.bands, self.frames)
        logits: Tensor = self.head(self.convolutions(x))
        return logits


class CNN(GaitanouCNN):
    """``GaitanouCNN`` under a short name, which the command line finds, too."""


class KhameesCNN(nn.Module):
    """The CNN with max-pooling of Khamees, Hejazi, Alshurideh and Salloum on 13 MFCC of 3 s.

    Source: "Classifying Audio Music Genres Using CNN and RNN", which states three convolutions with max-pooling of
    stride 2 and a dense layer. The layer sizes and the dropout are from the public tutorial code that it follows:
    45,322 trainable parameters with 10 genres, as in Keras. Ours: the third convolution has a ReLU like the first
    two; and 130 frames, as ten segments per track give, where the paper also computes 387.

    Args:
        num_classes: Number of genres.
        bands: MFCC coefficients (or any other bands) of the input.
        frames: Frames of the input.
        layers: Number of convolutional blocks.
        filters: Filters of each convolution, or a list with those of each.
        stride: Stride of the max-pools, one for both axes or one for bands and one for frames.
        dropout: Rate of the dropout behind each block.
        dense_dropout: Rate of the dropout before the last layer.

    Raises:
        SizeError: If the size is too small for the blocks, or an input has another size.
        GenreError: If a number or a rate is out of its range.
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
        super().__init__()
        check_rates(dense_dropout=dense_dropout)
        blocks = khamees_blocks(layers, filters)
        self.bands = bands
        self.frames = frames
        channels, height, width = map_after(self, blocks, stride, bands, frames)
        self.convolutions = conv_blocks(blocks, dropout, stride)
        self.head = nn.Sequential(
            nn.Flatten(),  # (B, 32, height, width) → (B, 32 · height · width)
            nn.Linear(channels * height * width, 64),
            nn.ReLU(),
            nn.Dropout(dense_dropout),
            nn.Linear(64, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, bands, frames)`` to ``(B, num_classes)`` logits."""
        need_channels(self, x.shape[1])
        need_exactly(self, x.shape[-2:], self.bands, self.frames)
        logits: Tensor = self.head(self.convolutions(x))
        return logits


def gaitanou_blocks(layers: int, filters: int | Sequence[int]) -> Blocks:
    """Filters and kernels of Gaitanou's blocks: 3 × 3 in the first two, 2 × 2 in all further ones."""
    each = filters_of_layers(filters, layers, multiples=(1, 2, 4))
    return [(number, 3 if layer < 2 else 2) for layer, number in enumerate(each)]


def khamees_blocks(layers: int, filters: int | Sequence[int]) -> Blocks:
    """Filters and kernels of Khamees's blocks: 3 × 3 in the first two, 2 × 2 in all further ones."""
    each = filters_of_layers(filters, layers)
    return [(number, 3 if layer < 2 else 2) for layer, number in enumerate(each)]


def map_after(
    model: nn.Module, blocks: Blocks, stride: int | Sequence[int], bands: int, frames: int
) -> tuple[int, int, int]:
    """Channels, height and width of the map that the blocks of a model make of its input.

    Raises:
        SizeError: If nothing is left of the input.
    """
    strides = stride_pair(stride)
    smallest_bands, smallest_frames = (smallest_length(blocks, step) for step in strides)
    need_at_least(model, (bands, frames), smallest_bands, smallest_frames, instead=FEWER)
    height, width = (length_after(blocks, *sizes) for sizes in zip((bands, frames), strides, strict=True))
    return blocks[-1][0], height, width
