"""Several trained classifiers as one: the mean of their probabilities (the plan of Singh and Gupta)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genre.audio.recording import Audio, FileRecording, Recording
from genre.data.names import same_names
from genre.errors import GenreError
from genre.predictor import Prediction, Predictor, ranked
from genre.recordings import apply


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

    @overload
    def predict(self, audio: BinaryIO | NDArray[Any] | Tensor, sample_rate: float | None = None) -> Prediction: ...

    @overload
    def predict(self, audio: Sequence[Audio], sample_rate: float | None = None) -> list[Prediction]: ...

    @overload
    def predict(self, audio: Path | str, sample_rate: float | None = None) -> Prediction | Any: ...

    def predict(
        self, audio: Audio | Sequence[Audio], sample_rate: float | None = None
    ) -> Prediction | list[Prediction]:
        """Names the genre of audio of any length; see :meth:`Predictor.predict`.

        Raises:
            AudioError: A file is missing, or a recording holds no usable audio.
            GenreError: ``audio`` is none of what is taken, or ``sample_rate`` is missing or superfluous.
        """
        return apply(self._predict, audio, sample_rate)

    def embed(self, audio: Audio | Sequence[Audio], sample_rate: float | None = None) -> NDArray[np.float32]:
        """The embeddings of the classifiers side by side, ``(D1 + D2 + …,)``; see :meth:`Predictor.embed`."""
        rows = apply(self.average_embedding, audio, sample_rate)
        if not isinstance(rows, list):
            return rows
        size = sum(predictor.embedding_size for predictor in self.predictors)
        return np.stack(rows) if rows else np.empty((0, size), np.float32)

    def predict_proba(self, path: Path | str, excerpt: tuple[float, float] | None = None) -> Tensor:
        """The probabilities of the genres, ``(genres,)``; see :meth:`Predictor.predict_proba`."""
        return self.average_probabilities(FileRecording(Path(path), excerpt))

    def average_probabilities(self, recording: Recording) -> Tensor:
        """The probabilities of the genres, ``(genres,)``; see :meth:`Predictor.average_probabilities`."""
        return torch.stack([predictor.average_probabilities(recording) for predictor in self.predictors]).mean(0)

    def average_embedding(self, recording: Recording) -> NDArray[np.float32]:
        """The embeddings of a recording side by side; see :meth:`Predictor.average_embedding`."""
        return np.concatenate([predictor.average_embedding(recording) for predictor in self.predictors])

    def _predict(self, recording: Recording) -> Prediction:
        return ranked(recording.path, self.genres, self.average_probabilities(recording))
