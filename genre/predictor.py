"""Trained classifiers that predict the genres of files and arrays: one network, and the mean of several."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from genre.audio.decode import spread
from genre.audio.features import Feature
from genre.audio.recording import Recording
from genre.checkpoint import Calibration, network_config, network_weights, read_calibration, read_front_end
from genre.config import from_config
from genre.data.names import same_names
from genre.errors import GenreError, one_line
from genre.hub import read_classifier
from genre.models.head import find_head, penultimate
from genre.prediction import AudioClassifier

#: Segments per batch: memory does not grow with the length of a file.
BATCH = 16


class Predictor(AudioClassifier):
    """A trained network that predicts genres from waveforms.

    Args:
        network: The network.
        features: The network's input features, with mean and standard deviation.
        genres: The names of the classes, in order.
        segment_seconds: The length of a segment.
        evaluation_segments: The largest number of segments per file.
        device: Where to compute.
        calibration: The temperature, which divides the logits, and the threshold.

    Example:
        >>> import genre
        >>> predictor = genre.load("mine.ckpt")
        >>> predictor.predict("song.mp3").genre in predictor.genres
        True
        >>> predictor.embed("song.mp3").shape == (predictor.embedding_size,)
        True
    """

    def __init__(
        self,
        network: nn.Module,
        features: Feature,
        genres: list[str],
        segment_seconds: float,
        evaluation_segments: int,
        device: torch.device | str = "cpu",
        calibration: Calibration = Calibration(),  # noqa: B008  # immutable
    ) -> None:
        self.network, self.features = network.to(device).eval(), features.to(device).eval()
        self.genres = genres
        self.segment_seconds, self.evaluation_segments = segment_seconds, evaluation_segments
        self.device, self.calibration = torch.device(device), calibration

    def average_probabilities(self, recording: Recording) -> Tensor:  # noqa: D102
        return self._average(self.probabilities, recording)

    def average_embedding(self, recording: Recording) -> NDArray[np.float32]:  # noqa: D102
        return self._average(self.embeddings, recording).float().numpy()

    @torch.inference_mode()
    def probabilities(self, waveforms: Tensor) -> Tensor:
        """Waveforms ``(B, 1, samples)`` to the probabilities of the genres ``(B, genres)``."""
        logits: Tensor = self.network(self.features(waveforms.to(self.device)))
        return (logits.float() / self.calibration.temperature).softmax(1)

    @torch.inference_mode()
    def embeddings(self, waveforms: Tensor) -> Tensor:
        """Waveforms ``(B, 1, samples)`` to the input of the network's head, ``(B, D)``.

        Raises:
            GenreError: The network has no head.
        """
        return penultimate(self.network, self.features(waveforms.to(self.device))).float()

    @property
    def embedding_size(self) -> int:  # noqa: D102
        return find_head(self.network)[1].in_features

    def arrange(self) -> None:
        """Chooses the memory format of the weights that is faster to predict with; changes results by rounding only.

        On a CPU, ``channels_last`` halves the time of convolutions with pools, as in the papers' networks; a backbone
        takes a tenth longer with it.
        """
        if self.device.type == "cpu" and not hasattr(self.network, "backbone"):
            self.network.to(memory_format=torch.channels_last)

    def positions(self, seconds: float) -> list[float]:
        """The positions of the segments of a recording; see :func:`genre.audio.decode.spread`."""
        return spread(seconds, self.segment_seconds, self.evaluation_segments)

    def read(self, recording: Recording, positions: Sequence[float]) -> Tensor:
        """The segments at these positions, ``(B, 1, samples)``.

        Raises:
            AudioError: There is no usable audio.
        """
        rate = self.features.sample_rate
        samples = round(self.segment_seconds * rate)
        segments = recording.segments(rate, samples, positions)
        return torch.stack([torch.from_numpy(segment) for segment in segments]).unsqueeze(1)

    def _average(self, function: Callable[[Tensor], Tensor], recording: Recording) -> Tensor:
        """The mean in float64 of ``function``, from ``(B, 1, samples)`` to ``(B, K)``, over a recording's segments."""
        self.arrange()
        recording.verify()
        positions = self.positions(recording.seconds)
        parts = [positions[start : start + BATCH] for start in range(0, len(positions), BATCH)]
        rows = torch.cat([function(self.read(recording, part)).cpu() for part in parts])
        return rows.double().mean(0)


class Ensemble(AudioClassifier):
    """The mean of the probabilities of several classifiers, which may differ in network, features and segments.

    Args:
        predictors: Classifiers of the same genres, in the same order.

    Raises:
        GenreError: Their genres differ.

    Example:
        >>> import genre
        >>> ensemble = genre.Ensemble([genre.load("mine.ckpt"), genre.load("other.ckpt")])
        >>> ensemble.predict("song.mp3").genre in ensemble.genres
        True
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

    def average_probabilities(self, recording: Recording) -> Tensor:  # noqa: D102
        return torch.stack([predictor.average_probabilities(recording) for predictor in self.predictors]).mean(0)

    def average_embedding(self, recording: Recording) -> NDArray[np.float32]:  # noqa: D102
        return np.concatenate([predictor.average_embedding(recording) for predictor in self.predictors])

    @property
    def embedding_size(self) -> int:  # noqa: D102
        return sum(predictor.embedding_size for predictor in self.predictors)


def load(
    path: Path | str, network: Callable[[int], nn.Module] | None = None, device: torch.device | str = "cpu"
) -> Predictor:
    """Loads a trained classifier; no code in its files is executed.

    Args:
        path: A checkpoint of a fit with a :class:`~genre.data.GenreDataModule`; a folder that ``genre export`` wrote;
            or the name of such a folder on the hub, ``user/name``.
        network: Builds the network from the number of genres, for a checkpoint that does not name its class.
        device: Where to compute.

    Raises:
        GenreError: The file is missing, no checkpoint of this library, or names a class that is not imported.
    """
    checkpoint = read_classifier(path)
    content = checkpoint["genre"]
    genres = list(content["genres"])
    module = network(len(genres)) if network else from_config(network_config(content, path), nn.Module, len(genres))
    _load_weights(module, network_weights(checkpoint["state_dict"]), path)
    features, segment_seconds, evaluation_segments = read_front_end(content)
    calibration = read_calibration(content)
    return Predictor(module, features, genres, segment_seconds, evaluation_segments, device, calibration)


def _load_weights(network: nn.Module, weights: dict[str, Tensor], path: Path | str) -> None:
    kinds = {name: tensor.is_floating_point() for name, tensor in network.state_dict().items()}
    try:
        other = [name for name, tensor in weights.items() if tensor.is_floating_point() != kinds.get(name)]
        network.load_state_dict(weights)
        if other:
            raise RuntimeError(f"{other[0]} is {weights[other[0]].dtype}")
    except RuntimeError as error:
        reason = one_line(error)[:160]
        raise GenreError(f"{path}: its weights do not fit {type(network).__name__} ({reason})") from None
