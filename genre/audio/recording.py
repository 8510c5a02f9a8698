"""Recordings that segments are read from: an audio file, a binary file object, or an array of samples."""

import io
import numbers
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genre.audio.decode import LOUDEST, fit_segment, locate, mix_down, probe, read_segments, verify
from genre.errors import AudioError, EmptyAudioError, GenreError

#: The types that :func:`open_recording` takes.
Audio: TypeAlias = Path | str | BinaryIO | NDArray[Any] | Tensor

#: Full scale by the dtype of integer samples; ``uint8`` is centred at 128, as in a wav file.
FULL_SCALE = {"int8": 2**7, "uint8": 2**7, "int16": 2**15, "int32": 2**31}


@dataclass(frozen=True)
class FileRecording:
    """An audio file, or the content of a file object.

    Attributes:
        path: The file; for a file object, its name or ``None``.
        excerpt: The first and the last second of the part that is used; ``None``: the whole file.
        copy: A file with the content of the file object.
    """

    path: Path | None
    excerpt: tuple[float, float] | None = None
    copy: Path | None = None

    @property
    def seconds(self) -> float:
        """The duration."""
        return probe(self._file).seconds if self.excerpt is None else self.excerpt[1] - self.excerpt[0]

    def verify(self) -> None:
        """Checks all samples; see :func:`genre.audio.decode.verify`.

        Raises:
            AudioError: There are bad samples or no usable audio.
        """
        verify(self._file)

    def segments(self, sample_rate: int, samples: int, positions: Sequence[float]) -> list[NDArray[np.float32]]:
        """Reads several segments ``(samples,)``; see :func:`genre.audio.decode.read_segments`.

        Raises:
            AudioError: There is no usable audio.
        """
        return read_segments(self._file, sample_rate, samples, [(position, self.excerpt) for position in positions])

    @property
    def _file(self) -> Path:
        file = self.copy or self.path
        assert file is not None
        return file


@dataclass(frozen=True)
class ArrayRecording:
    """Samples in memory, with the attributes and methods of :class:`FileRecording`.

    Attributes:
        waveform: ``(channels, samples)`` in float32.
        sample_rate: The rate in hertz.
    """

    waveform: NDArray[np.float32]
    sample_rate: int
    path: None = None

    @property
    def seconds(self) -> float:  # noqa: D102
        return float(self.waveform.shape[1] / self.sample_rate)

    def verify(self) -> None:
        """Does nothing: all samples were checked when the array was opened."""

    def segments(self, sample_rate: int, samples: int, positions: Sequence[float]) -> list[NDArray[np.float32]]:  # noqa: D102
        rate, frames = self.sample_rate, self.waveform.shape[1]
        stretches = [locate(rate, frames, sample_rate, samples, position, None) for position in positions]
        parts = [mix_down(self.waveform[:, start : start + count].T) for start, count in stretches]
        return [fit_segment(part, rate, sample_rate, samples) for part in parts]


#: A recording that segments are read from.
Recording: TypeAlias = FileRecording | ArrayRecording


@contextmanager
def open_recording(audio: Audio, sample_rate: float | None = None, label: str | None = None) -> Iterator[Recording]:
    """Opens one recording.

    Args:
        audio: A path; a binary file object, which is read from its beginning if it can seek; or an array or tensor
            ``(samples,)`` or ``(channels, samples)``. Floating-point samples have full scale 1; ``int8``, ``int16``,
            ``int32`` and ``uint8`` are scaled as those of a wav file.
        sample_rate: The rate of an array in hertz; a file has its own.
        label: The name of an array, or of a file object without a name, in error messages.

    Raises:
        GenreError: The type, the shape or the dtype is another, or ``sample_rate`` is missing or superfluous.
        AudioError: The file object cannot be read, or the array is empty or holds NaN. An error inside the block names
            the file object once it leaves the block.
    """
    if isinstance(audio, np.ndarray | Tensor):
        yield _array_recording(audio, sample_rate, label or "the array")
        return
    if not isinstance(audio, str | Path) and not hasattr(audio, "read"):
        where = f"{label}: " if label else ""
        raise GenreError(
            f"{where}expected a path, a binary file object, a NumPy array or a tensor; found {type(audio).__name__}"
        )
    if sample_rate is not None:
        raise GenreError(f"sample_rate={sample_rate} was given with a file, which brings its own; leave it out")
    if isinstance(audio, str | Path):
        yield FileRecording(Path(audio))
        return
    name = getattr(audio, "name", None)  # a number if the file was opened by its descriptor
    path = Path(name) if isinstance(name, str) and name else None
    shown = path or Path(label or "the file object")
    if isinstance(audio, io.TextIOBase):
        raise GenreError(f"{shown}: opened as text; open it with mode 'rb'")
    with TemporaryDirectory() as folder:
        # The decoders open files by name, and use the suffix if the content does not identify the format.
        copy = Path(folder) / f"audio{path.suffix if path else ''}"
        _copy(audio, copy, shown)
        try:
            yield FileRecording(path, copy=copy)
        except AudioError as error:  # names the copy
            raise type(error)(shown, error.reason) from None


def _copy(stream: BinaryIO, target: Path, shown: Path) -> None:
    try:
        if stream.seekable():
            stream.seek(0)
        with target.open("wb") as file:
            shutil.copyfileobj(stream, file)
    except (OSError, ValueError, TypeError) as error:  # closed, write-only, or not bytes
        raise AudioError(shown, f"unreadable ({error})") from None


def _array_recording(array: NDArray[Any] | Tensor, sample_rate: float | None, label: str) -> ArrayRecording:
    if sample_rate is None:
        raise GenreError(f"{label}: an array needs its sample_rate in hertz, such as sample_rate=22050; found none")
    if not isinstance(sample_rate, numbers.Real) or not 1 <= sample_rate < np.inf or sample_rate != int(sample_rate):
        raise GenreError(f"{label}: sample_rate must be a positive whole number of hertz; found {sample_rate!r}")
    samples = _to_numpy(array)
    if samples.ndim not in (1, 2):
        several = "; pass a batch as a list" if samples.ndim > 2 else ""
        raise GenreError(
            f"{label}: expected (samples,) or (channels, samples); found {samples.ndim} dimensions, "
            f"{tuple(samples.shape)}{several}"
        )
    if not samples.size:
        raise EmptyAudioError(Path(label), "no audio frames")
    waveform = np.atleast_2d(_to_float(samples, label))
    if waveform.shape[0] > waveform.shape[1]:
        raise GenreError(f"{label}: expected (channels, samples); found {waveform.shape}; pass its transpose")
    if not np.isfinite(waveform).all():
        raise AudioError(Path(label), "NaN or infinite samples")
    if (peak := float(np.abs(waveform).max())) > LOUDEST:
        raise AudioError(Path(label), f"a peak of {peak:.4g}, where full scale is 1 (integers as floating point?)")
    return ArrayRecording(waveform, int(sample_rate))


def _to_numpy(array: NDArray[Any] | Tensor) -> NDArray[Any]:
    if isinstance(array, np.ndarray):
        return np.asarray(array)
    tensor = array.detach().cpu()
    return np.asarray((tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy())  # NumPy has no bfloat16


def _to_float(samples: NDArray[Any], label: str) -> NDArray[np.float32]:
    """Converts samples to float32; divides integers by their full scale."""
    dtype = samples.dtype.name
    if np.issubdtype(samples.dtype, np.floating):
        with np.errstate(over="ignore"):  # the caller rejects infinite values
            return samples.astype(np.float32)
    if dtype not in FULL_SCALE:
        raise GenreError(
            f"{label}: found {dtype} samples; expected floating point with full scale 1, or {', '.join(FULL_SCALE)}"
        )
    centre = 128.0 if dtype == "uint8" else 0.0
    return ((samples.astype(np.float64) - centre) / FULL_SCALE[dtype]).astype(np.float32)
