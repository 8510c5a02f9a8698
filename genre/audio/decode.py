"""Decoding: any stretch of any audio file as float32 mono at a wanted rate."""

import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from genre.audio import ffmpeg, mpeg, sndfile
from genre.audio.containers import Stretch
from genre.audio.mp3 import Mp3File
from genre.audio.source import AudioError as AudioError  # the names are part of this module, too
from genre.audio.source import AudioInfo as AudioInfo
from genre.audio.source import Encoding as Encoding
from genre.audio.source import Source, require_file

#: The endings that a folder is searched for; those of :data:`genre.audio.ffmpeg.EXTENSIONS` need PyAV to be read.
EXTENSIONS = sndfile.EXTENSIONS | ffmpeg.EXTENSIONS

#: Full scale is 1. Peaks above this, 20 dB over it, are no music: somebody wrote integers as floating point.
LOUDEST = 10.0

#: What libsndfile calls encodings that can hold such values, and NaN.
FLOATING = ("FLOAT", "DOUBLE")


def readable(path: Path) -> bool:
    """Whether the decoder for a file's ending is installed."""
    return path.suffix.lower() not in ffmpeg.EXTENSIONS or ffmpeg.available()


def probe(path: Path) -> AudioInfo:
    """Reads the header of an audio file, and looks whether as much is there.

    Where there is more, it counts: several streams one after the other (Ogg, FLAC), the frames of an mp3 without a
    count of them, what follows a size of the audio that is too small (wav, aiff, au, caf, FLAC). Of a file that is cut
    off, it counts what can be decoded.

    Raises:
        AudioError: The file is missing, undecodable, or holds no frame.
    """
    with _open(path) as source:
        return AudioInfo(source.frames, source.encoding.sample_rate)


def verify(path: Path) -> None:
    """Reads through a file of floating point, which alone can hold what is no sound; passes over any other.

    Raises:
        AudioError: It holds NaN, infinite samples or integers; or it is missing, undecodable, or holds no frame.
    """
    with _open(path) as source:
        if source.encoding.subtype not in FLOATING:
            return
    status = path.stat()
    reason = _wrong_samples(path, status.st_size, status.st_mtime_ns)
    if reason:
        raise AudioError(path, reason)


def read_segment(
    path: Path, sample_rate: int, samples: int, position: float, excerpt: tuple[float, float] | None = None
) -> NDArray[np.float32]:
    """Decodes one segment, and no more of the file than that where the format can be sought in.

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
        AudioError: The file is missing, undecodable, holds no frame there, or holds NaN, infinite samples or levels
            far beyond full scale there.
    """
    with _open(path) as source:
        rate = source.encoding.sample_rate
        first, last = (0, source.frames) if excerpt is None else (round(second * rate) for second in excerpt)
        wanted = max(0, min(-(-samples * rate // sample_rate), last - first))
        frames = _read(source, wanted, position, first, last)
        if len(frames) < wanted:  # less is there than it seemed
            frames = _read(source, wanted, position, first, min(last, source.count()))
    if not len(frames):
        raise AudioError(path, "no audio frames")
    reason = _fault(float(np.abs(frames).max()))
    if reason:
        raise AudioError(path, reason)
    mono = frames.mean(axis=1)
    return fit_segment(mono, rate, sample_rate, samples)


def fit_segment(mono: NDArray[np.float32], rate: int, sample_rate: int, samples: int) -> NDArray[np.float32]:
    """Resamples ``(frames,)`` from ``rate`` to ``sample_rate``, and repeats or cuts it to ``(samples,)``."""
    if rate != sample_rate:
        mono = soxr.resample(mono, rate, sample_rate)
    return np.resize(mono, samples) if len(mono) else np.zeros(samples, np.float32)


def decode(path: Path) -> tuple[Encoding, Iterator[NDArray[np.float32]]]:
    """Decodes a whole file block by block, so that memory does not grow with its length.

    Returns:
        What the header says, and blocks of ``(frames, channels)`` at the file's own rate, NaN and all: as far as the
        file can be decoded.

    Raises:
        AudioError: The file is missing, undecodable, or holds no frame. The blocks raise it, too.
    """
    source = _open(path)
    return source.encoding, source.blocks()


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


def _open(path: Path) -> Source:
    suffix = path.suffix.lower()
    if suffix in ffmpeg.EXTENSIONS:
        return ffmpeg.AvFile(path)
    require_file(path)
    try:
        stream = mpeg.find_stream(path, mpeg.MAX_JUNK if suffix in mpeg.EXTENSIONS else 0)
        if stream is None:
            source = sndfile.open_sndfile(path)
        elif stream.frame.layer == 3:
            source = Mp3File(path, stream)
        else:
            source = sndfile.SndFile(path, Stretch(b"", stream.start, path.stat().st_size))
    except OSError as error:
        raise AudioError(path, f"unreadable ({error.strerror})") from None
    if source.frames <= 0:
        raise AudioError(path, "undecodable (no frame after the header)")
    return source


def _read(source: Source, wanted: int, position: float, first: int, last: int) -> NDArray[np.float32]:
    return source.read(first + round(position * max(0, last - first - wanted)), min(wanted, max(0, last - first)))


@functools.lru_cache(maxsize=1 << 16)
def _wrong_samples(path: Path, size: int, changed: int) -> str:
    """What is wrong with a file's samples; ``size`` and ``changed`` tell a file that has been changed since."""
    peak = 0.0
    for block in decode(path)[1]:
        peak = float(np.maximum(peak, np.abs(block).max(initial=0.0)))  # np.maximum hands NaN on
    return _fault(peak)


def _fault(peak: float) -> str:
    """What is wrong with samples of such a greatest absolute value; empty if nothing is."""
    if not np.isfinite(peak):
        return "NaN or infinite samples"
    if peak > LOUDEST:
        return f"a level of {20 * np.log10(peak):+.0f} dBFS (integers written as floating point?)"
    return ""
