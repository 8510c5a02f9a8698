"""Decoding by FFmpeg through PyAV, the extra ``lightning-genre[av]``: m4a, aac, wma, the sound of mp4 and webm."""

import functools
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genre.audio.source import BLOCK, AudioError, Encoding, Source, require_file

if TYPE_CHECKING:
    from av import AudioFrame, AudioStream
    from av.container import InputContainer

#: The suffixes that FFmpeg decodes, beside those of libsndfile.
EXTENSIONS = frozenset(
    {
        *(".m4a", ".m4b", ".mp4", ".aac", ".alac", ".wma", ".webm", ".weba", ".mka", ".mkv", ".mov", ".3gp"),
        *(".ac3", ".ape", ".tta", ".wv"),
    }
)

#: What a user types to read these files.
REMEDY = "pip install 'lightning-genre[av]'"


def available() -> bool:
    """Whether PyAV is installed."""
    return find_spec("av") is not None


class Header(NamedTuple):
    """What is known of a file without decoding it.

    Attributes:
        encoding: What its header says; 0 frames where it does not say how many.
        indexed: Whether there is an index that agrees on the number of frames, and all that it lists is there.
        exact: Whether a place can be sought that then decodes as it does from the start.
    """

    encoding: Encoding
    indexed: bool
    exact: bool


class AvFile(Source):
    """The first sound track of a file.

    A segment is decoded from the start of the file on: a lossy decoder's output depends on the frames before, in AAC
    even the noise that it fills in. The decoder seeks only in a lossless codec whose frames are independent, in a file
    with an index of them.

    Args:
        path: The file.

    Raises:
        AudioError: The file is missing, undecodable, or holds no sound; or PyAV is missing.
    """

    def __init__(self, path: Path) -> None:
        require_file(path)
        if not available():
            raise AudioError(path, f"needs PyAV to be read; {REMEDY}")
        self.path = path
        status = path.stat()
        self._key = (path, status.st_size, status.st_mtime_ns)
        header = _header(*self._key)
        self.encoding, self._exact = header.encoding, header.exact
        self.frames = header.encoding.frames if header.indexed else self.count()
        if not self.frames:
            raise AudioError(path, "undecodable (no frame after the header)")
        if not header.encoding.frames:
            self.encoding = replace(header.encoding, frames=self.frames)

    def read(self, start: int, count: int) -> NDArray[np.float32]:  # noqa: D102
        end = min(start + count, self.frames)
        kept = [np.zeros((0, self.encoding.channels), np.float32)]
        for place, frames in _decode(self.path, start if self._exact else 0):
            if place + len(frames) > start:
                kept.append(frames[max(0, start - place) : max(0, end - place)])
            if place + len(frames) >= end:
                break
        return np.concatenate(kept)

    def blocks(self) -> Iterator[NDArray[np.float32]]:  # noqa: D102
        kept: list[NDArray[np.float32]] = []
        for place, frames in _decode(self.path):
            kept.append(frames[: max(0, self.frames - place)])
            if sum(map(len, kept)) >= BLOCK:
                yield np.concatenate(kept)
                kept = []
        if sum(map(len, kept)):
            yield np.concatenate(kept)

    def count(self) -> int:  # noqa: D102
        return _count(*self._key)

    def close(self) -> None:
        """Nothing is left open between two readings."""


@functools.lru_cache(maxsize=1 << 16)
def _header(path: Path, size: int, changed: int) -> Header:
    """Opens a file and decodes its first frame; ``size`` and ``changed`` tell apart versions of the file."""
    from av import FFmpegError

    try:
        with _open(path) as container:
            stream = container.streams.audio[0]
            first = next(container.decode(stream))
            rate, codec = first.sample_rate, stream.codec_context.codec
            encoding = Encoding(_announced(container, stream, rate), rate, first.layout.nb_channels, codec.name.upper())
            if "mp4" in container.format.name.split(",") and _beginnings(path, size) > 1:
                raise AudioError(path, "several files in one, of which the first alone can be heard; cut them apart")
            indexed = _indexed(container, stream, encoding, size)
            exact = indexed and codec.lossless and codec.intra_only and stream.time_base == Fraction(1, rate)
            return Header(encoding, indexed, exact)
    except (IndexError, StopIteration):
        raise AudioError(path, "no sound in it") from None
    except UnicodeEncodeError:
        raise AudioError(path, "its name is not in UTF-8; rename the file") from None
    except (OSError, FFmpegError) as error:
        raise AudioError(path, f"undecodable ({error.strerror})") from None


@functools.lru_cache(maxsize=1 << 16)
def _count(path: Path, size: int, changed: int) -> int:
    """The number of frames, by decoding them."""
    return sum(len(frames) for _, frames in _decode(path))


def _decode(path: Path, start: int = 0) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yields the place and the frames ``(frames, channels)`` of each piece; the first may begin before ``start``.

    Raises:
        AudioError: A packet in the middle cannot be decoded. A file that ends within a packet is only shorter.
    """
    from av import FFmpegError

    with _open(path) as container, suppress(OSError, FFmpegError):
        stream = container.streams.audio[0]
        if start:
            container.seek(start, stream=stream)
        place, shape, damaged = None, None, False
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except (OSError, FFmpegError):
                damaged = place is not None
                continue
            for frame in frames:
                if place is None:
                    place = int(frame.pts or 0) if start else 0
                    shape = (frame.sample_rate, frame.layout.nb_channels)
                if damaged or (frame.sample_rate, frame.layout.nb_channels) != shape:
                    raise AudioError(path, "undecodable (damaged)" if damaged else "it changes its rate or channels")
                yield place, _samples(frame)
                place += frame.samples


def _open(path: Path) -> "InputContainer":
    import av

    return av.open(str(path), "r")


def _samples(frame: "AudioFrame") -> NDArray[np.float32]:
    """``(frames, channels)``, with 1 as full scale."""
    values = frame.to_ndarray()
    values = values.T if frame.format.is_planar else values.reshape(-1, frame.layout.nb_channels)
    if values.dtype == np.uint8:
        return (values.astype(np.float32) - np.float32(128)) / np.float32(128)
    scale = 2.0 ** (8 * values.dtype.itemsize - 1) if np.issubdtype(values.dtype, np.signedinteger) else 1.0
    return np.ascontiguousarray(values.astype(np.float64) / scale if scale > 1 else values, dtype=np.float32)


def _announced(container: "InputContainer", stream: "AudioStream", rate: int) -> int:
    """The number of frames that the header states, to the precision of its time base; 0 if it states none."""
    from av.format import Flags

    if Flags(container.format.flags) & Flags.generic_index:  # no more than frames, one after the other: a guess
        return 0
    if stream.duration is not None and stream.time_base is not None:
        return round(stream.duration * stream.time_base * rate)
    return round((container.duration or 0) * rate / 1_000_000)


def _indexed(container: "InputContainer", stream: "AudioStream", encoding: Encoding, size: int) -> bool:
    """Whether the index of an mp4 or m4a ends within a second of the stated length, and within the file."""
    index = stream.index_entries
    if "mp4" not in container.format.name.split(",") or not len(index) or stream.time_base is None:
        return False
    last = index[len(index) - 1]
    end = int(last.timestamp * stream.time_base * encoding.sample_rate)
    return last.pos + last.size <= size and 0 <= encoding.frames - end <= encoding.sample_rate


def _beginnings(path: Path, size: int) -> int:
    """The number of boxes in an mp4 that mark the beginning of a file."""
    count = at = 0
    with path.open("rb") as file:
        while at + 8 <= size:
            file.seek(at)
            head = file.read(16)
            length = int.from_bytes(head[:4], "big")
            length = int.from_bytes(head[8:], "big") if length == 1 else length or size
            count += head[4:8] == b"ftyp"
            at += max(8, length)
    return count
