"""Several trained classifiers as one: the mean of their probabilities (the plan of Singh and Gupta)."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from genre.data.names import same_names
from genre.errors import GenreError
from genre.predictor import Prediction, Predictor, ranked


class Ensemble:
    """The mean of the probabilities of several classifiers, which may differ in network, features and segments.

    Args:
        predictors: The classifiers: of the same genres, in the same order.

    Raises:
        GenreError: Their genres differ.
    """

    def __init__(self, predictors: Sequence[Predictor]) -> None:
        self.predictors = list(predictors)
        self.genres = self.predictors[0].genres
        for predictor in self.predictors:
            if not same_names(predictor.genres, self.genres):
                raise GenreError(
                    f"an ensemble needs classifiers of the same genres; one knows {', '.join(self.genres)}, "
                    f"another {', '.join(predictor.genres)}"
                )

    def predict(self, path: Path | str) -> Prediction:
        """Names the genre of an audio file of any length.

        Raises:
            AudioError: The file is missing or holds no usable audio.
        """
        return ranked(Path(path), self.genres, self.listen(Path(path)))

    def listen(self, path: Path | str, excerpt: tuple[float, float] | None = None) -> Tensor:
        """The probabilities of the genres, ``(genres,)``; see :meth:`Predictor.listen`."""
        return torch.stack([predictor.listen(path, excerpt) for predictor in self.predictors]).mean(0)
