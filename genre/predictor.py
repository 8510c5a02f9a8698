"""A trained classifier on files and arrays: from a checkpoint alone to the genre of a song."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from genre.audio.decode import spread
from genre.audio.features import Feature
from genre.audio.recording import Audio, FileRecording, Recording
from genre.checkpoint import network_config, read_checkpoint, read_front_end
from genre.config import from_config
from genre.errors import GenreError
from genre.models.head import find_head, penultimate
from genre.recordings import apply

#: Segments that go through the network at once: memory does not grow with the length of a file.
BATCH = 16


@dataclass(frozen=True)
class Prediction:
    """What a classifier says of one recording.

    Attributes:
        path: The file; of a file object its name; ``None`` for an array and for a file object without a name.
        genre: The most probable genre.
        probability: Its probability.
        probabilities: That of every genre, the most probable first.
    """

    path: Path | None
    genre: str
    probability: float
    probabilities: dict[str, float]


class Predictor:
    """Waveform in, genre out.

    Args:
        network: The trained network, in evaluation mode.
        features: What it hears, with their statistics.
        genres: The names of the classes, in order.
        segment_seconds: The length of a segment.
        evaluation_segments: The largest number of segments that a file is judged by.
        device: Where to compute.
    """

    def __init__(
        self,
        network: nn.Module,
        features: Feature,
        genres: list[str],
        segment_seconds: float,
        evaluation_segments: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self.network, self.features = network.to(device).eval(), features.to(device).eval()
        self.genres = genres
        self.segment_seconds, self.evaluation_segments = segment_seconds, evaluation_segments
        self.device = torch.device(device)

    @overload
    def predict(self, audio: BinaryIO | NDArray[Any] | Tensor, sample_rate: float | None = None) -> Prediction: ...

    @overload
    def predict(self, audio: Sequence[Audio], sample_rate: float | None = None) -> list[Prediction]: ...

    # A path gives a list only where it is a folder, which a type cannot tell.
    @overload
    def predict(self, audio: Path | str, sample_rate: float | None = None) -> Prediction | Any: ...

    def predict(
        self, audio: Audio | Sequence[Audio], sample_rate: float | None = None
    ) -> Prediction | list[Prediction]:
        """Names the genre of audio of any length, from segments spread evenly over it.

        Args:
            audio: A path; a binary file object; a NumPy array or tensor ``(samples,)`` or ``(channels, samples)``,
                with integers scaled as those of a wav file; a list of any of them; or a folder.
            sample_rate: The rate of an array, or of all arrays of a list, in hertz. A file brings its own.

        Returns:
            A prediction; for a list one for each element, in order; for a folder one for each audio file in and below
            it that can be read, sorted by path. A bad file of a folder is logged as a warning and left out; the first
            bad element of a list raises.

        Raises:
            AudioError: A file is missing, or a recording holds no usable audio.
            GenreError: ``audio`` is none of these, or ``sample_rate`` is missing or superfluous.
        """
        return apply(self._predict, audio, sample_rate)

    def embed(self, audio: Audio | Sequence[Audio], sample_rate: float | None = None) -> NDArray[np.float32]:
        """Describes audio by the vector that enters the network's head, in the mean over its segments.

        Args:
            audio: As for :meth:`predict`.
            sample_rate: As for :meth:`predict`.

        Returns:
            ``(D,)``; for a list ``(N, D)``, a row for each element; for a folder a row for each of its files that can
            be read, sorted by path.

        Raises:
            AudioError: A file is missing, or a recording holds no usable audio.
            GenreError: ``audio`` is none of what is taken, ``sample_rate`` is missing or superfluous, or the network
                has no head, see :func:`genre.models.head.find_head`.
        """
        rows = apply(self.average_embedding, audio, sample_rate)
        if not isinstance(rows, list):
            return rows
        return np.stack(rows) if rows else np.empty((0, self.embedding_size), np.float32)

    def predict_proba(self, path: Path | str, excerpt: tuple[float, float] | None = None) -> Tensor:
        """The probabilities of the genres, ``(genres,)``: the mean over segments spread evenly over a file.

        Args:
            path: The file.
            excerpt: First and last second of the file that count; ``None``: all of it.

        Raises:
            AudioError: The file is missing or holds no usable audio.
        """
        return self.average_probabilities(FileRecording(Path(path), excerpt))

    def average_probabilities(self, recording: Recording) -> Tensor:
        """The probabilities of the genres, ``(genres,)``: the mean over segments spread evenly over a recording.

        Raises:
            AudioError: The recording holds no usable audio.
        """
        return self._average(self.probabilities, recording)

    def average_embedding(self, recording: Recording) -> NDArray[np.float32]:
        """What enters the network's head, ``(D,)``: the mean over segments spread evenly over a recording.

        Raises:
            AudioError: The recording holds no usable audio.
        """
        return self._average(self.embeddings, recording).float().numpy()

    @torch.inference_mode()
    def probabilities(self, waveforms: Tensor) -> Tensor:
        """Waveforms ``(B, 1, samples)`` to the probabilities of the genres ``(B, genres)``."""
        logits: Tensor = self.network(self.features(waveforms.to(self.device)))
        return logits.float().softmax(1)

    @torch.inference_mode()
    def embeddings(self, waveforms: Tensor) -> Tensor:
        """Waveforms ``(B, 1, samples)`` to what enters the network's head, ``(B, D)``."""
        return penultimate(self.network, self.features(waveforms.to(self.device))).float()

    @property
    def embedding_size(self) -> int:
        """The length D of an embedding."""
        return find_head(self.network)[1].in_features

    def _predict(self, recording: Recording) -> Prediction:
        return ranked(recording.path, self.genres, self.average_probabilities(recording))

    def _average(self, function: Callable[[Tensor], Tensor], recording: Recording) -> Tensor:
        """The mean in float64 of ``function``, from ``(B, 1, samples)`` to ``(B, K)``, over a recording's segments."""
        rate = self.features.sample_rate
        samples = round(self.segment_seconds * rate)
        recording.verify()
        positions = spread(recording.seconds, self.segment_seconds, self.evaluation_segments)
        total = torch.zeros((), dtype=torch.float64)
        for start in range(0, len(positions), BATCH):
            segments = [recording.segment(rate, samples, position) for position in positions[start : start + BATCH]]
            waveforms = torch.stack([torch.from_numpy(segment) for segment in segments]).unsqueeze(1)
            total = total + function(waveforms).sum(0).double().cpu()
        return total / len(positions)


def ranked(path: Path | None, genres: list[str], probabilities: Tensor) -> Prediction:
    """A prediction from the probabilities of the genres, ``(genres,)``."""
    pairs = sorted(zip(genres, probabilities.tolist(), strict=True), key=lambda pair: -pair[1])
    return Prediction(path, *pairs[0], dict(pairs))


def load(
    path: Path | str, network: Callable[[int], nn.Module] | None = None, device: torch.device | str = "cpu"
) -> Predictor:
    """Loads a trained classifier from a checkpoint; nothing that the file contains is executed.

    Args:
        path: A checkpoint of a fit with a :class:`~genre.data.GenreDataModule`.
        network: Builds the network from the number of genres, for a checkpoint that could not name its class.
        device: Where to compute.

    Raises:
        GenreError: The file is missing, no checkpoint of this library, or names a class that is not at hand.
    """
    checkpoint = read_checkpoint(path)
    content = checkpoint["genre"]
    genres = list(content["genres"])
    module = network(len(genres)) if network else from_config(network_config(content, path), nn.Module, len(genres))
    prefix = "network."
    weights = {
        key.removeprefix(prefix): value for key, value in checkpoint["state_dict"].items() if key.startswith(prefix)
    }
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        raise GenreError(f"{path}: its weights do not fit {type(module).__name__} ({_first_lines(error)})") from None
    features, segment_seconds, evaluation_segments = read_front_end(content)
    return Predictor(module, features, genres, segment_seconds, evaluation_segments, device)


def _first_lines(error: Exception) -> str:
    return " ".join(str(error).split())[:160]
