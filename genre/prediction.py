"""What every classifier of audio does: predicts the genre of files and arrays, and computes their embeddings."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeGuard, TypeVar, overload

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from genre.audio.recording import Audio, FileRecording, Recording, open_recording
from genre.data.files import describe_unread, find_audio_files, unread_files
from genre.errors import AudioError, GenreError

log = logging.getLogger(__name__)

T = TypeVar("T")

#: The name of a genre whose probability is below a threshold.
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Prediction:
    """The genre of one recording.

    Attributes:
        path: The path of the file, or the name of the file object; ``None`` for an array or without a name.
        genre: The most probable genre.
        probability: Its probability.
        probabilities: The probability of every genre, the most probable first.

    Example:
        >>> import genre
        >>> prediction = genre.load("mine.ckpt").predict("song.mp3")
        >>> prediction.genre in prediction.probabilities, list(prediction.probabilities)[0] == prediction.genre
        (True, True)
    """

    path: Path | None
    genre: str
    probability: float
    probabilities: dict[str, float]

    def genre_above(self, threshold: float | None) -> str:
        """The genre, or "unknown" if its probability is below the threshold; ``None``: there is no threshold."""
        return self.genre if threshold is None or self.probability >= threshold else UNKNOWN


class AudioClassifier(ABC):
    """Base class of one network and of several: predicts genres and computes embeddings of audio.

    Attributes:
        genres: The names of the classes, in order.
    """

    genres: list[str]

    @abstractmethod
    def average_probabilities(self, recording: Recording) -> Tensor:
        """The probabilities of the genres, ``(genres,)``: the mean over segments spread evenly over a recording.

        Raises:
            AudioError: The recording holds no usable audio.
        """

    @abstractmethod
    def average_embedding(self, recording: Recording) -> NDArray[np.float32]:
        """The input of the head, ``(D,)``: the mean over segments spread evenly over a recording.

        Raises:
            AudioError: The recording holds no usable audio.
        """

    @property
    @abstractmethod
    def embedding_size(self) -> int:
        """The length D of an embedding."""

    @overload
    def predict(self, audio: BinaryIO | NDArray[Any] | Tensor, sample_rate: float | None = None) -> Prediction: ...

    # A folder's path gives a list, a file's path one prediction; the type of a path cannot tell them apart. It comes
    # before the sequences, as a string is a sequence of strings too.
    @overload
    def predict(  # type: ignore[overload-overlap]
        self, audio: Path | str, sample_rate: float | None = None
    ) -> Prediction | Any: ...

    @overload
    def predict(self, audio: Sequence[Audio], sample_rate: float | None = None) -> list[Prediction]: ...

    def predict(
        self, audio: Audio | Sequence[Audio], sample_rate: float | None = None
    ) -> Prediction | list[Prediction]:
        """Predicts the genre of audio of any length from segments spread evenly over it.

        Args:
            audio: A path; a binary file object; a NumPy array or tensor ``(samples,)`` or ``(channels, samples)``,
                with integers scaled as in a wav file; a folder; or a list of any of them.
            sample_rate: The rate of an array, or of all arrays of a list, in hertz. A file has its own.

        Returns:
            A prediction; for a folder a list with one per readable audio file in and below it, sorted by path; for a
            list those of its elements, in order. A bad file of a folder is logged as a warning and left out. A bad
            element of a list raises.

        Raises:
            AudioError: A file is missing, or a recording holds no usable audio.
            GenreError: ``audio`` is none of these, or ``sample_rate`` is missing or superfluous.
        """
        return _apply(self._predict, audio, sample_rate)

    def embed(self, audio: Audio | Sequence[Audio], sample_rate: float | None = None) -> NDArray[np.float32]:
        """Computes the input of the network's head, averaged over the segments of the audio.

        Args:
            audio: As for :meth:`predict`.
            sample_rate: As for :meth:`predict`.

        Returns:
            ``(D,)``; for a folder or a list ``(N, D)``, one row per recording, in the order of :meth:`predict`. The
            vectors of several networks are concatenated: D is the sum of their lengths.

        Raises:
            AudioError: A file is missing, or a recording holds no usable audio.
            GenreError: ``audio`` is of another type, ``sample_rate`` is missing or superfluous, or the network has no
                head, see :func:`genre.models.head.find_head`.
        """
        rows = _apply(self.average_embedding, audio, sample_rate)
        if not isinstance(rows, list):
            return rows
        return np.stack(rows) if rows else np.empty((0, self.embedding_size), np.float32)

    def predict_proba(self, path: Path | str, excerpt: tuple[float, float] | None = None) -> Tensor:
        """The probabilities of the genres, ``(genres,)``: the mean over segments spread evenly over a file.

        Args:
            path: The file.
            excerpt: First and last second of the part that is used; ``None``: the whole file.

        Raises:
            AudioError: The file is missing or holds no usable audio.
        """
        return self.average_probabilities(FileRecording(Path(path), excerpt))

    def rank(self, path: Path | None, probabilities: Tensor) -> Prediction:
        """The prediction of a recording from its probabilities ``(genres,)``."""
        pairs = sorted(zip(self.genres, probabilities.tolist(), strict=True), key=lambda pair: -pair[1])
        return Prediction(path, *pairs[0], dict(pairs))

    def _predict(self, recording: Recording) -> Prediction:
        return self.rank(recording.path, self.average_probabilities(recording))


def _apply(
    function: Callable[[Recording], T], audio: Audio | Sequence[Audio], sample_rate: float | None
) -> T | list[T]:
    """Calls a function for a recording, or for every recording of a folder or a list; see the methods' arguments."""
    if isinstance(audio, list | tuple):
        are_arrays = [isinstance(element, np.ndarray | Tensor) for element in audio]
        if sample_rate is not None and audio and not any(are_arrays):
            raise GenreError(
                f"sample_rate={sample_rate} was given with files alone, which bring their own; leave it out"
            )
        results: list[T] = []
        for index, (element, is_array) in enumerate(zip(audio, are_arrays, strict=True)):
            if _is_folder(element):
                results += _apply_to_folder(function, Path(element))
            else:
                with open_recording(element, sample_rate if is_array else None, f"element {index}") as recording:
                    results.append(function(recording))
        return results
    if _is_folder(audio):
        if sample_rate is not None:
            raise GenreError(f"sample_rate={sample_rate} was given with a folder of files, which bring their own")
        return _apply_to_folder(function, Path(audio))
    with open_recording(audio, sample_rate) as recording:  # type: ignore[arg-type]  # raises for other sequences
        return function(recording)


def _is_folder(audio: object) -> TypeGuard[str | Path]:
    return isinstance(audio, str | Path) and Path(audio).is_dir()


def _apply_to_folder(function: Callable[[Recording], T], folder: Path) -> list[T]:
    files, problem = list_files(folder)
    if not files:
        raise GenreError(str(problem))
    if problem:
        log.warning("%s", problem)
    results = []
    for file in files:
        try:
            with open_recording(file) as recording:
                results.append(function(recording))
        except AudioError as error:
            log.warning("skipped %s", error)
            reason = error
    if not results:
        raise GenreError(f"{folder}: every file of this folder is bad; one is {reason}")
    return results


def list_files(path: Path) -> tuple[list[Path], str | None]:
    """The path itself, or the audio files in and below a folder; and a problem of the folder, if any."""
    if not path.is_dir():
        return [path], None
    files, unread = find_audio_files(path), unread_files(path)
    if unread:
        return files, describe_unread(path, unread)
    return files, None if files else f"{path}: no audio file in this folder"
