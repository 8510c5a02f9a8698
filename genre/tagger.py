"""MusiCNN as a tagger: the tags that its authors trained it to name."""

from typing import Literal

import torch
from torch import Tensor

from genre.models.musicnn import TAGS, MusiCNN
from genre.predictor import Predictor

#: The length of a segment in seconds: 187 frames, as in the training of the weights.
SECONDS = 2.976
SEGMENTS = 10


class Tagger(Predictor):
    """MusiCNN as its authors trained it, which predicts tags from waveforms.

    Its ``genres`` are 50 tags. Each has an independent probability; they do not sum to 1.

    Args:
        weights: "msd": tags of the Million Song Dataset; "mtt": tags of MagnaTagATune.
        device: Where to compute.

    Raises:
        GenreError: The weights are not installed.
    """

    def __init__(self, weights: Literal["msd", "mtt"] = "msd", device: torch.device | str = "cpu") -> None:
        network, tags = MusiCNN.tagger(weights), list(TAGS[weights])
        super().__init__(network, MusiCNN.features(), tags, SECONDS, SEGMENTS, device)

    @torch.inference_mode()
    def probabilities(self, waveforms: Tensor) -> Tensor:
        """Waveforms ``(B, 1, samples)`` to the probabilities of the tags ``(B, 50)``."""
        logits: Tensor = self.network(self.features(waveforms.to(self.device)))
        return logits.float().sigmoid()
