"""Convolutional networks on MFCC: Gaitanou et al., Khamees et al."""

from torch import Tensor, nn

from genre.models.keras import conv_blocks, length_after, smallest_length
from genre.models.sizes import need_at_least, need_exactly

GAITANOU_BLOCKS = ((32, 3), (64, 3), (128, 2), (128, 2))
KHAMEES_BLOCKS = ((32, 3), (32, 3), (32, 2))


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

    Raises:
        SizeError: If the size is too small for the four blocks, or an input has another size.
    """

    def __init__(self, num_classes: int, bands: int = 20, frames: int = 331) -> None:
        super().__init__()
        smallest = smallest_length(GAITANOU_BLOCKS)
        need_at_least(self, (bands, frames), smallest, smallest)
        self.bands = bands
        self.frames = frames
        self.convolutions = conv_blocks(GAITANOU_BLOCKS, dropout=0.1)
        height, width = (length_after(GAITANOU_BLOCKS, n) for n in (bands, frames))
        self.head = nn.Sequential(
            nn.Flatten(),  # (B, 128, height, width) → (B, 128 · height · width)
            nn.Linear(128 * height * width, 128),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(128, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, bands, frames)`` to ``(B, num_classes)`` logits."""
        need_exactly(self, x.shape[-2:], self.bands, self.frames)
        logits: Tensor = self.head(self.convolutions(x))
        return logits


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

    Raises:
        SizeError: If the size is too small for the three blocks, or an input has another size.
    """

    def __init__(self, num_classes: int, bands: int = 13, frames: int = 130) -> None:
        super().__init__()
        smallest = smallest_length(KHAMEES_BLOCKS)
        need_at_least(self, (bands, frames), smallest, smallest)
        self.bands = bands
        self.frames = frames
        self.convolutions = conv_blocks(KHAMEES_BLOCKS)
        height, width = (length_after(KHAMEES_BLOCKS, n) for n in (bands, frames))
        self.head = nn.Sequential(
            nn.Flatten(),  # (B, 32, height, width) → (B, 32 · height · width)
            nn.Linear(32 * height * width, 64),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(64, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, bands, frames)`` to ``(B, num_classes)`` logits."""
        need_exactly(self, x.shape[-2:], self.bands, self.frames)
        logits: Tensor = self.head(self.convolutions(x))
        return logits
