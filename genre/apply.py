"""Calls a function for one recording, a list of recordings, or a folder.

:mod:`genre.audio.recording` checks and opens each recording.
"""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from torch import Tensor

from genre.audio.decode import AudioError
from genre.audio.recording import Audio, Recording, open_recording
from genre.data.files import describe_unread, find_audio_files, unread_files
from genre.errors import GenreError

log = logging.getLogger(__name__)

T = TypeVar("T")


def apply_to_audio(
    function: Callable[[Recording], T], audio: Audio | Sequence[Audio], sample_rate: float | None = None
) -> T | list[T]:
    """Calls a function for every recording.

    Args:
        function: The function of one recording.
        audio: A recording, see :func:`~genre.audio.recording.open_recording`; a folder, for the audio files in and
            below it, sorted by path; or a list or tuple of recordings and folders.
        sample_rate: The rate of the arrays in hertz.

    Returns:
        The result; for a list and for a folder, a list of results. A bad element of a list raises. A bad file of a
        folder is logged as a warning and left out.

    Raises:
        GenreError: See :func:`~genre.audio.recording.open_recording`; or a folder holds no usable audio.
    """
    if isinstance(audio, list | tuple):
        return _apply_to_list(function, audio, sample_rate)
    if isinstance(audio, str | Path) and Path(audio).is_dir():
        if sample_rate is not None:
            raise GenreError(f"sample_rate={sample_rate} was given with a folder of files, which bring their own")
        return _apply_to_folder(function, Path(audio))
    with open_recording(audio, sample_rate) as recording:  # type: ignore[arg-type]  # raises for other sequences
        return function(recording)


def list_files(path: Path) -> tuple[list[Path], str | None]:
    """The path itself, or the audio files in and below a folder; and a problem of the folder, if any."""
    if not path.is_dir():
        return [path], None
    files, unread = find_audio_files(path), unread_files(path)
    if unread:
        return files, describe_unread(path, unread)
    return files, None if files else f"{path}: no audio file in this folder"


def _apply_to_list(function: Callable[[Recording], T], audio: Sequence[Audio], sample_rate: float | None) -> list[T]:
    is_array = [isinstance(element, np.ndarray | Tensor) for element in audio]
    if sample_rate is not None and audio and not any(is_array):
        raise GenreError(f"sample_rate={sample_rate} was given with files alone, which bring their own; leave it out")
    results: list[T] = []
    for index, element in enumerate(audio):
        label = f"element {index}"
        if isinstance(element, str | Path) and Path(element).is_dir():
            results.extend(_apply_to_folder(function, Path(element)))
            continue
        with open_recording(element, sample_rate if is_array[index] else None, label) as recording:
            results.append(function(recording))
    return results


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
