"""Decoding: segments of audio files as float32 mono at any sample rate."""

from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeAlias

import numpy as np
import soxr
from numpy.typing import NDArray

from genre.audio import ffmpeg, mpeg, sndfile
from genre.audio.containers import Stretch
from genre.audio.mp3 import Mp3File
from genre.audio.source import AudioInfo as AudioInfo  # re-exported
from genre.audio.source import Encoding as Encoding
from genre.audio.source import Source, cached_by_file
from genre.errors import AudioError as AudioError
from genre.errors import EmptyAudioError, MissingAudioError

#: The suffixes of audio files; those of :data:`genre.audio.ffmpeg.EXTENSIONS` need PyAV.
EXTENSIONS = sndfile.EXTENSIONS | ffmpeg.EXTENSIONS

#: The largest valid peak, 20 dB above full scale (1). A file with a higher peak holds integers as floating point.
LOUDEST = 10.0

#: The position of a segment and the excerpt of the file that it lies in, see :func:`read_segment`.
SegmentPlace: TypeAlias = tuple[float, tuple[float, float] | None]

#: The encodings that can hold such peaks and NaN, by their names in libsndfile.
FLOATING = ("FLOAT", "DOUBLE")


def readable(path: Path) -> bool:
    """Whether the decoder for a file's suffix is installed."""
    return path.suffix.lower() not in ffmpeg.EXTENSIONS or ffmpeg.available()


def probe(path: Path) -> AudioInfo:
    """Reads the header of an audio file and checks it against the file.

    If the header is wrong, the result describes the audio that can be decoded: all streams of a file with several (Ogg,
    FLAC, mp3), the audio beyond a false size (wav, aiff, au, caf, FLAC), the beginning of a truncated file.

    Raises:
        AudioError: The file is missing, undecodable, or holds no frame.
    """
    with closing(_open(path)) as source:
        return AudioInfo(source.frames, source.encoding.sample_rate)


def verify(path: Path) -> None:
    """Reads all samples of a floating-point file and checks them; other encodings cannot hold bad samples.

    Raises:
        AudioError: The file holds NaN, infinite samples or integers; or it is missing, undecodable, or holds no frame.
    """
    with closing(_open(path)) as source:
        if source.encoding.subtype not in FLOATING:
            return
    if reason := _wrong_samples(path):
        raise AudioError(path, reason)


def read_segment(
    path: Path, sample_rate: int, samples: int, position: float, excerpt: tuple[float, float] | None = None
) -> NDArray[np.float32]:
    """Decodes one segment, and only that part of the file if the format allows it.

    Args:
        path: The audio file.
        sample_rate: The rate of the result in hertz.
        samples: The length of the result in samples at that rate.
        position: The start of the segment, from 0 (the track's beginning) to 1 (the last possible start).
        excerpt: The first and the last second of the track in the file; ``None``: the track is the whole file.

    Returns:
        ``(samples,)``: the mean of the channels. A track shorter than the segment is repeated, because a network could
        learn from padding with silence.

    Raises:
        AudioError: The file is missing or undecodable; or the segment holds no frame, NaN, infinite samples or levels
            far beyond full scale.
    """
    with closing(_open(path)) as source:
        rate = source.encoding.sample_rate
        start, wanted = locate(rate, source.frames, sample_rate, samples, position, excerpt)
        frames = source.read(start, wanted)
        if len(frames) < wanted:  # the header states too many frames
            true_frames = min(source.frames, source.count())
            frames = source.read(*locate(rate, true_frames, sample_rate, samples, position, excerpt))
    return _to_segment(path, frames, rate, sample_rate, samples)


def read_segments(
    path: Path, sample_rate: int, samples: int, places: Sequence[SegmentPlace]
) -> list[NDArray[np.float32]]:
    """Decodes several segments of one file: in one pass if they cover most of it, else one by one.

    The values are those of :func:`read_segment`, bit by bit if a seek in the format is exact.

    Args:
        path: The audio file.
        sample_rate: The rate of the result in hertz.
        samples: The length of a segment in samples at that rate.
        places: The position and the excerpt of each segment, in any order; see :func:`read_segment`.

    Returns:
        The segments ``(samples,)``, in the order of ``places``.

    Raises:
        AudioError: The file is missing or undecodable; or one of the segments is bad.
    """
    if len(places) > 1:
        with closing(_open(path)) as source, suppress(AudioError):  # damage between two segments harms neither
            rate = source.encoding.sample_rate
            stretches = [locate(rate, source.frames, sample_rate, samples, *place) for place in places]
            parts = source.read_together(stretches)
            if parts and all(len(part) == count > 0 for part, (_, count) in zip(parts, stretches, strict=True)):
                return [_to_segment(path, part, rate, sample_rate, samples) for part in parts]
    return [read_segment(path, sample_rate, samples, *place) for place in places]


def locate(
    rate: int, frames: int, sample_rate: int, samples: int, position: float, excerpt: tuple[float, float] | None
) -> tuple[int, int]:
    """Finds a segment, see :func:`read_segment`, in a file of ``frames`` frames at ``rate`` hertz.

    Returns:
        The first frame and the number of frames, which is smaller in a short track.
    """
    first, last = (0, frames) if excerpt is None else (min(round(second * rate), frames) for second in excerpt)
    wanted = min(-(-samples * rate // sample_rate), last - first)
    return first + round(position * (last - first - wanted)), wanted


def mix_down(frames: NDArray[np.float32], out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """The mean of the channels: ``(frames, channels)`` to ``(frames,)``; in ``out``, if given."""
    first: NDArray[np.float32]
    first, *others = frames.T  # the sum of long columns is 20 times as fast as NumPy's mean of short rows
    if not others:
        if out is not None:
            np.copyto(out, first)
        return first
    mean: NDArray[np.float32] = np.add(first, others[0], out=out)
    for channel in others[1:]:
        mean += channel
    mean /= np.float32(frames.shape[1])
    return mean


def fit_segment(mono: NDArray[np.float32], rate: int, sample_rate: int, samples: int) -> NDArray[np.float32]:
    """Resamples ``(frames,)`` from ``rate`` to ``sample_rate``, and repeats or cuts it to ``(samples,)``.

    The result may share memory with ``mono``.
    """
    if rate != sample_rate:
        mono = soxr.resample(mono, rate, sample_rate)
    if not len(mono):
        return np.zeros(samples, np.float32)
    return mono[:samples] if len(mono) >= samples else np.resize(mono, samples)


def decode(path: Path) -> tuple[Encoding, Iterator[NDArray[np.float32]]]:
    """Decodes a whole file block by block, so memory does not grow with its length.

    Returns:
        The header, and an iterator over blocks ``(frames, channels)`` at the file's own rate, as far as the file can be
        decoded. Blocks may hold NaN.

    Raises:
        AudioError: The file is missing, undecodable, or holds no frame. The iterator raises it, too.
    """
    source = _open(path)
    return source.encoding, source.blocks()


def spread(seconds: float, segment_seconds: float, max_segments: int) -> list[float]:
    """The positions of a track's evaluation segments, spread evenly over its whole length.

    Args:
        seconds: The track's duration.
        segment_seconds: The length of a segment.
        max_segments: The largest number of segments.

    Returns:
        As many positions (see :func:`read_segment`) as cover the track, at most ``max_segments``.
    """
    count = min(max_segments, max(1, int(np.ceil(seconds / segment_seconds - 1e-6))))
    return [0.5] if count == 1 else [float(position) for position in np.linspace(0, 1, count)]


def _open(path: Path) -> Source:
    suffix = path.suffix.lower()
    _require_file(path)
    try:
        if suffix in ffmpeg.EXTENSIONS:
            source: Source = ffmpeg.AvFile(path)
        elif (stream := mpeg.find_stream(path, mpeg.MAX_JUNK if suffix in mpeg.EXTENSIONS else 0)) is None:
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


def _require_file(path: Path) -> None:
    if not path.is_file():
        absent = "the link leads nowhere" if path.is_symlink() else "no such file"
        raise MissingAudioError(path, "not a file" if path.exists() else absent)
    if path.stat().st_size == 0:
        raise EmptyAudioError(path, "empty file")


def _to_segment(
    path: Path, frames: NDArray[np.float32], rate: int, sample_rate: int, samples: int
) -> NDArray[np.float32]:
    """Checks the frames of a segment, and makes them mono at another rate."""
    if not len(frames):
        raise EmptyAudioError(path, "no audio frames")
    if reason := fault(float(np.abs(frames).max())):
        raise AudioError(path, reason)
    return fit_segment(mix_down(frames), rate, sample_rate, samples)


@cached_by_file()
def _wrong_samples(path: Path) -> str:
    """The fault of a file's samples, or an empty string."""
    peak = 0.0
    for block in decode(path)[1]:
        peak = float(np.maximum(peak, np.abs(block).max(initial=0.0)))  # np.maximum keeps NaN
    return fault(peak)


def fault(peak: float) -> str:
    """The fault of samples with this peak, or an empty string."""
    if not np.isfinite(peak):
        return "NaN or infinite samples"
    if peak > LOUDEST:
        return f"a level of {20 * np.log10(peak):+.0f} dBFS (integers written as floating point?)"
    return ""
