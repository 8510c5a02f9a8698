"""Tags of songs by MusiCNN as its authors trained it: the first answer that needs no training."""

from typing import Literal

import torch
from torch import Tensor

from genre.models.musicnn import TAGS, MusiCNN
from genre.predictor import Predictor

#: 187 frames, the length that the weights were trained on.
SEGMENT_SECONDS = 2.976
EVALUATION_SEGMENTS = 10


class Tagger(Predictor):
    """Waveform in, tags out: its "genres" are 50 tags, each with a probability of its own, which do not sum to 1.

    Args:
        weights: "msd": tags of the Million Song Dataset; "mtt": those of MagnaTagATune.
        device: Where to compute.

    Raises:
        GenreError: The weights are not installed.
    """

    def __init__(self, weights: Literal["msd", "mtt"] = "msd", device: torch.device | str = "cpu") -> None:
        super().__init__(
            MusiCNN.tagger(weights),
            MusiCNN.features(),
            list(TAGS[weights]),
            SEGMENT_SECONDS,
            EVALUATION_SEGMENTS,
            device,
        )

    @torch.inference_mode()
    def probabilities(self, waveforms: Tensor) -> Tensor:
        """Waveforms ``(B, 1, samples)`` to the probabilities of the tags ``(B, 50)``."""
        logits: Tensor = self.network(self.features(waveforms.to(self.device)))
        return logits.float().sigmoid()
