"""The fully connected baselines of Khamees et al."""

from torch import Tensor, nn

from genre.models.keras import l2
from genre.models.layers import check_rates
from genre.models.sizes import need_channels, need_exactly


class KhameesMLP(nn.Module):
    """The MLPs of Khamees, Hejazi, Alshurideh and Salloum on 13 MFCC of 3 s, plain and regularised.

    Source: "Classifying Audio Music Genres Using CNN and RNN", which states three hidden layers and a
    regularised variant. The layer sizes, the dropout and the L2 term are from the public tutorial code that it
    follows: 1,014,218 trainable parameters with 10 genres, as in Keras.

    Args:
        num_classes: Number of genres.
        bands: MFCC coefficients (or any other bands) of the input.
        frames: Frames of the input.
        regularised: Dropout 0.3 after each hidden layer, and an L2 term of their weights.
        dropout: Rate of the dropout after each hidden layer; ``None``: 0.3 if regularised, else 0.

    Raises:
        SizeError: If an input has another size.
        GenreError: If the rate is out of its range.
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
        need_channels(self, x.shape[1])
        need_exactly(self, x.shape[-2:], self.bands, self.frames)
        logits: Tensor = self.classifier(self.hidden(x))
        return logits

    def penalty(self) -> Tensor:
        """The L2 term, 1e-3 · Σw² over the hidden layers, for the training loss to include; 0 if plain."""
        return l2(self.hidden, factor=1e-3 if self.regularised else 0.0)
