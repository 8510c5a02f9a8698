"""Decoding with FFmpeg through PyAV (the extra ``lightning-genre[av]``): m4a, aac, wma, and the audio of videos."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genre.audio.source import BLOCK, Encoding, Source, cached_by_file
from genre.errors import AudioError

if TYPE_CHECKING:
    from av import AudioFrame, AudioStream
    from av.container import InputContainer

#: The suffixes that are decoded with FFmpeg.
EXTENSIONS = frozenset(
    {
        *(".m4a", ".m4b", ".mp4", ".aac", ".alac", ".wma", ".webm", ".weba", ".mka", ".mkv", ".mov", ".3gp"),
        *(".ac3", ".ape", ".tta", ".wv"),
    }
)

#: The command that installs PyAV.
REMEDY = "pip install 'lightning-genre[av]'"


def available() -> bool:
    """Whether PyAV is installed."""
    return find_spec("av") is not None


class Header(NamedTuple):
    """The properties of a file that are known without decoding all of it.

    Attributes:
        encoding: The content of its header; 0 frames if the header does not state their number.
        indexed: Whether the file has an index that agrees on the number of frames, and is not cut short.
        exact: Whether decoding after a seek gives the same samples as decoding from the start.
    """

    encoding: Encoding
    indexed: bool
    exact: bool


class AvFile(Source):
    """The first audio stream of a file.

    A segment is decoded from the start of the file, because the output of a lossy decoder depends on earlier frames; in
    AAC, even its noise does. The decoder seeks only if the codec is lossless with independent frames and the file has
    an index.

    Args:
        path: The file.

    Raises:
        AudioError: The file is undecodable or holds no audio; or PyAV is missing.
    """

    def __init__(self, path: Path) -> None:
        if not available():
            raise AudioError(path, f"needs PyAV to be read; {REMEDY}")
        self.path = path
        header = _header(path)
        self.encoding, self._exact = header.encoding, header.exact
        self.frames = header.encoding.frames if header.indexed else self.count()
        if not header.encoding.frames:
            self.encoding = replace(header.encoding, frames=self.frames)

    def read(self, start: int, count: int) -> NDArray[np.float32]:  # noqa: D102
        return self._read_pass([(start, count)], start if self._exact else 0)[0]

    def read_together(self, stretches: Sequence[tuple[int, int]]) -> list[NDArray[np.float32]]:  # noqa: D102
        if self._exact:
            return super().read_together(stretches)
        return self._read_pass(stretches)

    def _read_pass(self, stretches: Sequence[tuple[int, int]], begin: int = 0) -> list[NDArray[np.float32]]:
        """Decodes the stretches in one pass from frame ``begin``."""
        kept = [[np.zeros((0, self.encoding.channels), np.float32)] for _ in stretches]
        ends = [min(start + count, self.frames) for start, count in stretches]
        for place, frames in _decode(self.path, begin):
            for (start, _), end, parts in zip(stretches, ends, kept, strict=True):
                if place + len(frames) > start and place < end:
                    parts.append(frames[max(0, start - place) : end - place])
            if place + len(frames) >= max(ends):
                break
        return [np.concatenate(parts) for parts in kept]

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
        return _count(self.path)

    def close(self) -> None:
        """Does nothing: no file is open between two reads."""


@cached_by_file()
def _header(path: Path) -> Header:
    """Opens a file and decodes its first frame."""
    from av import FFmpegError

    try:
        with _open(path) as container:
            stream = container.streams.audio[0]
            first = next(container.decode(stream))
            rate, codec = first.sample_rate, stream.codec_context.codec
            encoding = Encoding(_announced(container, stream, rate), rate, first.layout.nb_channels, codec.name.upper())
            if "mp4" in container.format.name.split(",") and _beginnings(path) > 1:
                raise AudioError(path, "several files in one, of which only the first can be decoded; cut them apart")
            indexed = _indexed(container, stream, encoding, path.stat().st_size)
            exact = indexed and codec.lossless and codec.intra_only and stream.time_base == Fraction(1, rate)
            return Header(encoding, indexed, exact)
    except (IndexError, StopIteration):
        raise AudioError(path, "no sound in it") from None
    except (OSError, FFmpegError) as error:
        raise AudioError(path, f"undecodable ({error.strerror})") from None


@cached_by_file()
def _count(path: Path) -> int:
    """Counts the frames by decoding them."""
    return sum(len(frames) for _, frames in _decode(path))


def _decode(path: Path, start: int = 0) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yields the place and the frames ``(frames, channels)`` of each block; the first may begin before ``start``.

    Raises:
        AudioError: A packet in the middle cannot be decoded. A file that ends within a packet is only cut there.
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
    """The number of frames that the header states, in the precision of its time base; 0 if it states none."""
    from av.format import Flags

    if Flags(container.format.flags) & Flags.generic_index:  # a raw stream of frames: the duration is a guess
        return 0
    if stream.duration is not None and stream.time_base is not None:
        return round(stream.duration * stream.time_base * rate)
    return round((container.duration or 0) * rate / 1_000_000)


def _indexed(container: "InputContainer", stream: "AudioStream", encoding: Encoding, size: int) -> bool:
    """Whether the index of an mp4 or m4a ends inside the file, and within a second of the stated length."""
    index = stream.index_entries
    if "mp4" not in container.format.name.split(",") or not len(index) or stream.time_base is None:
        return False
    last = index[len(index) - 1]
    end = int(last.timestamp * stream.time_base * encoding.sample_rate)
    return last.pos + last.size <= size and 0 <= encoding.frames - end <= encoding.sample_rate


def _beginnings(path: Path) -> int:
    """The number of ``ftyp`` boxes in an mp4: each marks the beginning of a file."""
    count, at, size = 0, 0, path.stat().st_size
    with path.open("rb") as file:
        while at + 8 <= size:
            file.seek(at)
            head = file.read(16)
            length = int.from_bytes(head[:4], "big")
            length = int.from_bytes(head[8:], "big") if length == 1 else length or size
            count += head[4:8] == b"ftyp"
            at += max(8, length)
    return count
