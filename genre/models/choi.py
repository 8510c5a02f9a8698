"""The CRNN of Choi, Fazekas, Sandler and Cho, the origin of all CRNNs here."""

from torch import Tensor, nn

from genre.models.layers import check_input, keras_norm2d, last_step


class ChoiCRNN(nn.Module):
    """The CRNN of Choi et al. (2017): four convolutional blocks, two GRU layers, a linear layer.

    Paper: "Convolutional Recurrent Neural Networks for Music Classification" (2017).

    392,780 trainable parameters with 10 genres; 192 fewer in the Keras of its time, where a GRU layer has one bias
    vector and not two.

    Stated: four convolutions and two GRU layers; an input of 29 s at 12 kHz, 96 mel bands × 1366 frames, of which
    the pools leave 15 steps of 128.
    Code: the layer sizes.
    Ours: pools round up, so that 1366 frames give 15 steps and no input is too short, where the public code pads 37
    zero frames on each side; batch norm of the input has one scale and shift for all bands and frames, as one per
    frame would fix their number; if the input has more than 96 bands, the mean over the remaining ones is taken.

    Args:
        num_classes: Number of genres.

    Raises:
        SizeError: An input has other channels.

    Example:
        >>> import torch
        >>> from genre.models import ChoiCRNN
        >>> network = ChoiCRNN(num_classes=10)
        >>> network(torch.randn(1, 1, 96, 1366)).shape
        torch.Size([1, 10])
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.norm = keras_norm2d(1)
        self.convolutions = nn.Sequential()
        for inputs, filters, pool in ((1, 64, 2), (64, 128, 3), (128, 128, 4), (128, 128, 4)):
            self.convolutions += nn.Sequential(
                nn.Conv2d(inputs, filters, 3, padding=1),
                keras_norm2d(filters),
                nn.ELU(),
                nn.MaxPool2d(pool, ceil_mode=True),
                nn.Dropout(0.1),
            )
        self.gru = nn.GRU(128, 32, num_layers=2, batch_first=True)
        self.dropout = nn.Dropout(0.3)
        self.classifier = nn.Linear(32, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, F, T)`` to ``(B, num_classes)`` logits."""
        check_input(self, x)
        x = self.convolutions(self.norm(x))  # (B, 1, F, T) → (B, 128, F/96, T/96)
        x = x.mean(2).transpose(1, 2)  # (B, 128, F/96, T/96) → (B, T/96, 128)
        x = last_step(self.gru, x)  # (B, T/96, 128) → (B, 32)
        logits: Tensor = self.classifier(self.dropout(x))
        return logits
