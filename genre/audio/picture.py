"""Spectrograms as pictures, such as networks for photographs were trained on."""

import matplotlib
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genre.errors import GenreError


class Picture(nn.Module):
    """Paints clips in the colours of viridis: each from its least to its greatest value, low rows at the bottom.

    Args:
        size: Height and width of the pictures in pixels.

    Raises:
        GenreError: The size is below 1.
    """

    colors: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        if size < 1:
            raise GenreError(f"picture is a number of pixels, at least 1; found {size}")
        self.size = size
        colors = matplotlib.colormaps["viridis"](range(256))[:, :3]  # red, green, blue of 256 values
        self.register_buffer("colors", torch.tensor(colors, dtype=torch.float32), persistent=False)

    def forward(self, values: Tensor) -> Tensor:
        """``(…, 1, frequency, time)`` to ``(…, 3, size, size)``, from 0 to 1."""
        clips = values.reshape(-1, 1, *values.shape[-2:]).flip(-2)
        least, most = clips.amin((-2, -1), keepdim=True), clips.amax((-2, -1), keepdim=True)
        clips = (clips - least) / (most - least).clamp(min=1e-6)
        clips = F.interpolate(clips, (self.size, self.size), mode="bilinear", antialias=True)
        pictures = self.colors[(clips[:, 0] * 255).round().long().clamp(0, 255)]  # (clips, size, size, 3)
        return pictures.movedim(-1, 1).reshape(*values.shape[:-3], 3, self.size, self.size)
