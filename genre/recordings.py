"""One recording, a list of them, or a folder: what a predictor takes."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from torch import Tensor

from genre.audio.decode import AudioError
from genre.audio.recording import Audio, Recording, open_recording
from genre.data.folder import audio_files, describe_unread, unread_files
from genre.errors import GenreError

log = logging.getLogger(__name__)

T = TypeVar("T")


def apply(
    function: Callable[[Recording], T], audio: Audio | Sequence[Audio], sample_rate: float | None = None
) -> T | list[T]:
    """Calls a function with every recording.

    Args:
        function: What to do with one recording.
        audio: A recording, see :func:`~genre.audio.recording.open_recording`; a list or tuple of recordings; or a
            folder, which stands for the audio files in and below it, sorted by path.
        sample_rate: The rate of the arrays in hertz.

    Returns:
        The result, or, for a list and for a folder, a list of results. A list gives one result for each element, and
        the first bad element raises. Of a folder, a bad file is logged as a warning and left out, as on the command
        line.

    Raises:
        GenreError: See :func:`~genre.audio.recording.open_recording`; or a folder holds no usable audio.
    """
    if isinstance(audio, list | tuple):
        return _apply_to_list(function, audio, sample_rate)
    if isinstance(audio, str | Path) and Path(audio).is_dir():
        if sample_rate is not None:
            raise GenreError(f"sample_rate={sample_rate} was given with a folder of files, which bring their own")
        return _apply_to_folder(function, Path(audio))
    with open_recording(audio, sample_rate) as recording:  # type: ignore[arg-type]  # any other sequence is refused there
        return function(recording)


def _apply_to_list(function: Callable[[Recording], T], audio: Sequence[Audio], sample_rate: float | None) -> list[T]:
    is_array = [isinstance(element, np.ndarray | Tensor) for element in audio]
    if sample_rate is not None and audio and not any(is_array):
        raise GenreError(f"sample_rate={sample_rate} was given with files alone, which bring their own; leave it out")
    results = []
    for index, element in enumerate(audio):
        label = f"element {index}"
        if isinstance(element, str | Path) and Path(element).is_dir():
            raise GenreError(f"{label}: {element} is a folder; pass a folder alone, or its files")
        with open_recording(element, sample_rate if is_array[index] else None, label) as recording:
            results.append(function(recording))
    return results


def _apply_to_folder(function: Callable[[Recording], T], folder: Path) -> list[T]:
    files, unread = audio_files(folder), unread_files(folder)
    if unread:
        log.warning("%s", describe_unread(folder, unread))
    if not files:
        raise GenreError(f"{folder}: no audio file in this folder that can be read")
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
