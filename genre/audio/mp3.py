"""Decoding of mp3 files.

libsndfile decodes mp3 with mpg123. mpg123 writes to stderr when it seeks, and when the length of a file differs from
what its first frame states. So it never seeks here: each segment is cut out of the file as a small mp3 in memory.
"""

import functools
import io
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

from genre.audio.mpeg import DECODER_DELAY, Index, Stream, index_frames, mapped, parse_header, read_header
from genre.audio.source import BLOCK, Encoding, Source
from genre.errors import AudioError

#: Frames that are decoded before the wanted ones: a frame overlaps with the previous one, and filters span 480 samples.
LEAD = 2

#: The largest number of bytes before a frame in which its bits begin.
MAX_BORROWED = 511

#: The number of headers of another stream that may be chance: bytes between frames can look like a header.
MAX_STRAYS = 8


class Mp3File(Source):
    """An mp3 file.

    Args:
        path: The file.
        stream: Its stream, from :func:`genre.audio.mpeg.find_stream`.

    Raises:
        AudioError: A stream of another rate or number of channels follows.
    """

    def __init__(self, path: Path, stream: Stream) -> None:
        self.path, self._stream = path, stream
        frames = stream.frames
        if not stream.complete:
            if self._index.strays > MAX_STRAYS:
                raise AudioError(path, "streams, one after the other, that differ in rate or channels")
            indexed = len(self._index.places)
            if abs(indexed - frames) > 1:  # the stated values, including the silence, are of another file
                frames, self._stream = indexed, stream._replace(delay=0, padding=0)
        self.frames = self._stream.samples(frames)
        announced = stream.samples(stream.frames or (path.stat().st_size - stream.start) // stream.frame.size)
        self.encoding = Encoding(announced, stream.frame.sample_rate, stream.frame.channels, "MPEG_LAYER_III")

    def read(self, start: int, count: int) -> NDArray[np.float32]:  # noqa: D102
        index, frame_samples = self._index, self._stream.frame.samples
        begin, end = start + self._stream.delay, min(start + count, self.frames) + self._stream.delay
        first = max(0, (begin + DECODER_DELAY) // frame_samples - LEAD)
        last = min(-(-(end + DECODER_DELAY) // frame_samples), len(index.places))
        if last > index.intact:
            raise AudioError(self.path, "undecodable (damaged)")
        if first >= last:
            return np.zeros((0, self.encoding.channels), np.float32)
        first, excerpt = _excerpt(self.path, index, first, last)
        skipped = begin - first * frame_samples
        try:
            with _open(excerpt) as file:
                decoded: NDArray[np.float32] = file.read(skipped + end - begin, dtype="float32", always_2d=True)
        except soundfile.SoundFileError as error:
            raise AudioError(self.path, f"undecodable ({error})") from None
        return decoded[skipped:]

    def blocks(self) -> Iterator[NDArray[np.float32]]:  # noqa: D102
        for start in range(0, self.frames, BLOCK):
            yield self.read(start, BLOCK)

    def count(self) -> int:  # noqa: D102
        return self._stream.samples(len(self._index.places))

    def close(self) -> None:
        """Does nothing: no file is open between two reads."""

    @functools.cached_property
    def _index(self) -> Index:
        return index_frames(self.path, self._stream)


@contextmanager
def _open(content: bytes) -> Iterator[soundfile.SoundFile]:
    """Opens an mp3 in memory.

    libsndfile makes two calls per frame to a Python file object, each of which needs Python's lock. It reads a
    descriptor by itself.
    """
    if not hasattr(os, "memfd_create"):
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            yield file
        return
    with os.fdopen(os.memfd_create("mp3"), "wb") as memory:
        memory.write(content)
        memory.seek(0)
        with soundfile.SoundFile(memory.fileno(), closefd=False) as file:
            yield file


def _excerpt(path: Path, index: Index, first: int, last: int) -> tuple[int, bytes]:
    """Frames ``first`` to ``last`` as a separate mp3, and the number of its first frame.

    The bits of a frame may begin in earlier frames. The excerpt includes these frames, with their bits but with silent
    side information.
    """
    places = index.places
    gap = max((number for number in index.gaps if number < last), default=0)
    with mapped(path) as data:
        begin, missing = first, _FrameParts.read(data, places[first]).borrowed
        while begin > 0 and missing > 0:
            begin -= 1
            missing -= len(_FrameParts.read(data, places[begin]).bits)
        parts = [_counting_frame(data[places[begin] : places[begin] + 4], last - begin)]
        available = 0
        for number in range(begin, last):
            if number in index.gaps:
                available = 0  # bytes are missing before this frame
            if number >= max(first, gap) and available >= MAX_BORROWED:
                parts.append(data[places[number] : places[last - 1] + _FrameParts.read(data, places[last - 1]).size])
                break
            frame = _FrameParts.read(data, places[number])
            silent = number < first or frame.borrowed > available
            parts += [frame.header, frame.silence(available) if silent else frame.side_info, frame.bits]
            available += len(frame.bits)
    return begin, b"".join(parts)


class _FrameParts(NamedTuple):
    """The bytes of a frame; its bits begin ``borrowed`` bytes before, in the bits of earlier frames."""

    header: bytes
    side_info: bytes
    bits: bytes
    borrowed: int
    shift: int

    @property
    def size(self) -> int:
        return len(self.header) + len(self.side_info) + len(self.bits)

    @classmethod
    def read(cls, data: mmap.mmap, place: int) -> "_FrameParts":
        frame = read_header(data, place)
        assert frame is not None
        start = place + 4 + frame.checksum_size
        bits = start + frame.side_info_size
        shift = 7 if frame.samples == 1152 else 8  # the number has 9 bits in MPEG-1 and 8 bits in MPEG-2
        borrowed = int.from_bytes(data[start : start + 2], "big") >> shift
        return cls(data[place:start], data[start:bits], data[bits : place + frame.size], borrowed, shift)

    def silence(self, available: int) -> bytes:
        """Silent side information, which still tells a decoder to keep the borrowed bits."""
        return (min(self.borrowed, available) << self.shift).to_bytes(2, "big").ljust(len(self.side_info), b"\0")


def _counting_frame(header: bytes, frames: int) -> bytes:
    """A silent frame that states the number of following frames, at the lowest bit rate with enough room."""
    # Headers without checksum and without padding, at each bit rate.
    headers = (bytes((header[0], header[1] | 1, index << 4 | header[2] & 0x0C, header[3])) for index in range(1, 15))
    framed = ((header, frame) for header in headers if (frame := parse_header(header)) is not None)
    header, frame = next((header, frame) for header, frame in framed if frame.size >= frame.side_info_size + 16)
    body = header + bytes(frame.side_info_size) + b"Xing" + (1).to_bytes(4, "big") + frames.to_bytes(4, "big")
    return body.ljust(frame.size, b"\0")
