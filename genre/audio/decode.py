"""Decoding: any stretch of any audio file as float32 mono at a wanted rate."""

import functools
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from genre.errors import GenreError, printable

#: The endings that libsndfile decodes and that a folder is searched for.
EXTENSIONS = frozenset({".wav", ".au", ".flac", ".ogg", ".mp3", ".aif", ".aiff", ".opus"})


#: Frames decoded ahead of a segment of an mp3: two of its own frames.
MP3_LEAD = 2304

#: Frames of a block of :func:`decode`: 6 to 12 s of most files.
BLOCK = 1 << 18

#: Held while the process's stderr leads nowhere.
STDERR = threading.Lock()

#: What libsndfile says where the header leaves the number of frames open, as that of a streamed FLAC does.
UNKNOWN = 2**63 - 1


class AudioError(GenreError):
    """A file that holds no usable audio.

    Attributes:
        reason: Why, without the path.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{printable(path)}: {reason}")
        self.reason = reason


@dataclass(frozen=True)
class AudioInfo:
    """What a file's header says: the number of frames and their rate in hertz."""

    frames: int
    sample_rate: int

    @property
    def seconds(self) -> float:
        """The duration."""
        return self.frames / self.sample_rate


@dataclass(frozen=True)
class Encoding(AudioInfo):
    """What the header says beyond that: the number of channels, and libsndfile's name of how a sample is encoded."""

    channels: int
    subtype: str


def probe(path: Path) -> AudioInfo:
    """Reads the header of an audio file.

    Raises:
        AudioError: The file is missing, undecodable, or holds no frame.
    """
    with _quiet(path), _open(path) as file:
        return AudioInfo(file.frames, file.samplerate)


def read_segment(
    path: Path, sample_rate: int, samples: int, position: float, excerpt: tuple[float, float] | None = None
) -> NDArray[np.float32]:
    """Decodes one segment, and no more of the file than that.

    Args:
        path: The audio file.
        sample_rate: The rate of the result in hertz.
        samples: The length of the result in samples at that rate.
        position: Where the segment starts: 0 is the track's beginning, 1 the last possible start.
        excerpt: First and last second of the file that count as the track; ``None``: all of it.

    Returns:
        ``(samples,)``: the mean of the channels. A track shorter than the segment is repeated, since silence in
        its place would be a cue of its own.

    Raises:
        AudioError: The file is missing, undecodable, holds no frame there, or holds NaN or infinite samples.
    """
    with _quiet(path), _open(path) as file:
        rate = file.samplerate
        wanted = -(-samples * rate // sample_rate)
        try:
            first, last = (0, file.frames) if excerpt is None else (round(second * rate) for second in excerpt)
            wanted = min(wanted, last - first)
            frames = _read(file, wanted, position, first, last)
            if len(frames) < wanted:  # the header promises more than there is
                frames = _read(file, wanted, position, first, min(last, _count(path, path.stat().st_mtime_ns)))
        except soundfile.SoundFileError as error:
            raise AudioError(path, f"undecodable ({error})") from None
    if not len(frames):
        raise AudioError(path, "no audio frames")
    mono = frames.mean(axis=1)
    if not np.isfinite(mono).all():
        raise AudioError(path, "NaN or infinite samples")
    return fit_segment(mono, rate, sample_rate, samples)


def fit_segment(mono: NDArray[np.float32], rate: int, sample_rate: int, samples: int) -> NDArray[np.float32]:
    """Resamples ``(frames,)`` from ``rate`` to ``sample_rate``, and repeats or cuts it to ``(samples,)``."""
    if rate != sample_rate:
        mono = soxr.resample(mono, rate, sample_rate)
    return np.resize(mono, samples) if len(mono) else np.zeros(samples, np.float32)


def decode(path: Path) -> tuple[Encoding, Iterator[NDArray[np.float32]]]:
    """Decodes a whole file block by block, so that memory does not grow with its length.

    Returns:
        What the header says, and blocks of ``(frames, channels)`` at the file's own rate, NaN and all.

    Raises:
        AudioError: The file is missing, undecodable, or holds no frame. The blocks raise it, too.
    """
    with _quiet(path):
        file = _open(path)
    return Encoding(file.frames, file.samplerate, file.channels, file.subtype), _blocks(path, file)


def spread(seconds: float, segment_seconds: float, most: int) -> list[float]:
    """Positions of a track's evaluation segments, spread evenly over its whole length.

    Args:
        seconds: The track's duration.
        segment_seconds: The length of a segment.
        most: The largest number of segments.

    Returns:
        As many positions (see :func:`read_segment`) as it takes to cover the track, but not more than ``most``.
    """
    count = min(most, max(1, int(np.ceil(seconds / segment_seconds - 1e-6))))
    return [0.5] if count == 1 else [float(position) for position in np.linspace(0, 1, count)]


def _blocks(path: Path, file: soundfile.SoundFile) -> Iterator[NDArray[np.float32]]:
    with file:
        while True:
            try:
                with _quiet(path):  # a block at a time: whoever takes the blocks is not kept from stderr
                    block = file.read(BLOCK, dtype="float32", always_2d=True)
            except soundfile.SoundFileError as error:
                raise AudioError(path, f"undecodable ({error})") from None
            if not len(block):
                return
            yield block


def _read(file: soundfile.SoundFile, wanted: int, position: float, first: int, last: int) -> NDArray[np.float32]:
    start = first + round(position * max(0, last - first - wanted))
    # An mp3 frame builds on those before it: after a seek the first ones come out wrong, and are thrown away.
    lead = min(start, MP3_LEAD) if file.format == "MP3" else 0
    file.seek(start - lead)
    frames: NDArray[np.float32] = file.read(lead + wanted, dtype="float32", always_2d=True)
    return frames[lead:]


@contextmanager
def _quiet(path: Path) -> Iterator[None]:
    """Keeps what the mp3 decoder, a C library, writes to stderr by itself from the user: its errors come back to us."""
    if path.suffix.lower() != ".mp3":
        yield
        return
    with STDERR, Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        kept = os.dup(2)
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


@functools.lru_cache(maxsize=4096)
def _count(path: Path, changed: int) -> int:
    """The number of frames that can be decoded, by decoding them; ``changed`` is the file's time of change."""
    count = 0
    with soundfile.SoundFile(path) as file:
        while size := len(file.read(1 << 16)):
            count += size
    return count


def _open(path: Path) -> soundfile.SoundFile:
    """Opens a file that has at least one frame."""
    if not path.is_file():
        absent = "the link leads nowhere" if path.is_symlink() else "no such file"
        raise AudioError(path, "not a file" if path.exists() else absent)
    if path.stat().st_size == 0:
        raise AudioError(path, "empty file")
    try:
        file = soundfile.SoundFile(path)
    except (soundfile.SoundFileError, TypeError) as error:  # TypeError: a headerless format such as .raw
        if "regular file" in str(error):  # what libsndfile says of an .mp3 that is none
            raise AudioError(path, "undecodable (Format not recognised)") from None
        raise AudioError(path, f"undecodable ({str(error).rpartition(': ')[2].rstrip('.')})") from None
    except UnicodeEncodeError:
        raise AudioError(path, "its name is not in UTF-8; rename the file") from None
    except OSError as error:
        raise AudioError(path, f"unreadable ({error.strerror})") from None
    frames = file.frames
    if frames <= 0 or frames == UNKNOWN:
        file.close()
        unknown = "of unknown length (written to a pipe?); encode it again, to a file"
        raise AudioError(path, unknown if frames else "no audio frames")
    return file
