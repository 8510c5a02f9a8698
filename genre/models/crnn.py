"""Convolutional recurrent networks: Gaitanou et al.; Choi et al., the origin of all others here."""

from torch import Tensor, nn

from genre.models.cnn import GAITANOU_BLOCKS
from genre.models.keras import conv_blocks, smallest_length
from genre.models.sizes import need_at_least


class GaitanouCRNN(nn.Module):
    """The CRNN of Gaitanou, Hahn, Pechal and Ørslund on MFCC: ``GaitanouCNN``'s blocks, then two LSTM layers.

    Source: "Music Genre Classification: CNN and CRNN", Table I. The layer sizes are inferred: they are not in the
    text, and these are the ones that give all eight parameter counts of the table.

    400,074 trainable parameters with 10 genres at every input size; the published 399,050 are of Keras,
    where an LSTM layer has one bias vector and not two (4 · 128 fewer in each layer).

    Args:
        num_classes: Number of genres.

    Raises:
        SizeError: If an input is smaller.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.convolutions = conv_blocks(GAITANOU_BLOCKS, dropout=0.1)
        self.lstm = nn.LSTM(128, 128, num_layers=2, batch_first=True)
        self.head = nn.Sequential(
            nn.Linear(128, 128),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(128, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, F, T)`` to ``(B, num_classes)`` logits, with F and T of at least 19."""
        smallest = smallest_length(GAITANOU_BLOCKS)
        need_at_least(self, x.shape[-2:], smallest, smallest)
        x = self.convolutions(x)  # (B, 1, F, T) → (B, 128, f, t)
        x = x.permute(0, 3, 2, 1).flatten(1, 2)  # (B, 128, f, t) → (B, t · f, 128), time by time
        x, _ = self.lstm(x)
        logits: Tensor = self.head(x[:, -1])
        return logits


class ChoiCRNN(nn.Module):
    """The CRNN of Choi, Fazekas, Sandler and Cho: four convolutions, then two GRU layers.

    Source: "Convolutional Recurrent Neural Networks for Music Classification" (2017), in the sizes of its
    public code. The paper's input is 29 s at 12 kHz, 96 mel bands × 1366 frames, which the pools bring to
    15 steps of 128.

    392,780 trainable parameters with 10 genres as ``nn.GRU`` (192 fewer in the Keras of its time, where a GRU
    layer has one bias vector and not two).

    Ours: pools round up, so that 1366 frames give 15 steps and no input is too short, where the public code
    pads with 37 zero frames on each side; batch norm of the input has one scale and shift for all bands and
    frames, as a parameter for each frame would fix their number; of more than 96 bands, the mean of what is
    left is taken.

    Args:
        num_classes: Number of genres.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(1, momentum=0.01, eps=1e-3)  # Keras's defaults, here and in the blocks
        self.convolutions = nn.Sequential()
        for inputs, filters, pool in ((1, 64, 2), (64, 128, 3), (128, 128, 4), (128, 128, 4)):
            self.convolutions += nn.Sequential(
                nn.Conv2d(inputs, filters, 3, padding=1),
                nn.BatchNorm2d(filters, momentum=0.01, eps=1e-3),
                nn.ELU(),
                nn.MaxPool2d(pool, ceil_mode=True),
                nn.Dropout(0.1),
            )
        self.gru = nn.GRU(128, 32, num_layers=2, batch_first=True)
        self.dropout = nn.Dropout(0.3)
        self.classifier = nn.Linear(32, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, F, T)`` to ``(B, num_classes)`` logits."""
        x = self.convolutions(self.norm(x))  # (B, 1, F, T) → (B, 128, F/96, T/96)
        x, _ = self.gru(x.mean(2).transpose(1, 2))  # (B, 128, F/96, T/96) → (B, T/96, 32)
        logits: Tensor = self.classifier(self.dropout(x[:, -1]))
        return logits
