"""Decoding with libsndfile: wav, flac, ogg and similar formats."""

import functools
import io
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from genre.audio import mpeg
from genre.audio.containers import Stretch, find_stretches, last_page_of_ogg
from genre.audio.source import BLOCK, AudioError, Encoding, Source
from genre.errors import EmptyAudioError

#: The suffixes that are decoded with libsndfile.
EXTENSIONS = frozenset(
    {
        *(".wav", ".wave", ".rf64", ".w64", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf"),
        *(".voc", ".svx", ".8svx", ".sph", ".nist", ".paf", ".avr", ".pvf", ".sf", ".ircam"),
        *(".flac", ".ogg", ".oga", ".opus", *mpeg.EXTENSIONS),
    }
)

#: Samples that are decoded before a segment of MPEG layer I or II: two MPEG frames.
MPEG_LEAD = 2304

#: Samples that are decoded before the last page of Ogg Vorbis: a packet has up to 8192.
VORBIS_LEAD = 8192

#: The number of frames that libsndfile returns if a header does not state it, as in a streamed FLAC.
UNKNOWN = 2**63 - 1

#: Samples per step when a file is decoded from its start, and when the end of a damaged file is searched.
STEP, FINE_STEP = 1 << 16, 1 << 10


def open_sndfile(path: Path) -> Source:
    """Opens a file; if its header is wrong, opens the audio that the file really holds.

    Raises:
        AudioError: The file is undecodable or holds no frame.
    """
    file, announced, error = None, 0, None
    try:
        file = _open(path)
        announced = file.frames
        if announced == UNKNOWN:
            announced = 0
            error = AudioError(path, "of unknown length (written to a pipe?); encode it again, to a file")
        elif announced <= 0:
            error = EmptyAudioError(path, "no audio frames")
    except AudioError as undecodable:
        error = undecodable
    stretches = find_stretches(path, announced)
    if error is None and not stretches:
        return SndFile(path, None, announced, file)
    if file is not None:
        file.close()
    if error is not None and not stretches:
        raise error
    sources = [SndFile(path, stretch, announced) for stretch in stretches]
    return sources[0] if len(sources) == 1 else Chain(path, sources)


class SndFile(Source):
    """A file that libsndfile decodes; if it cannot seek, from its start.

    Args:
        path: The file.
        stretch: The part of the file that is read; ``None``: all.
        announced: The number of frames that the file's header states; ``None``: that of the stretch.
        file: The open file, if it is open already.
    """

    def __init__(
        self,
        path: Path,
        stretch: Stretch | None,
        announced: int | None = None,
        file: soundfile.SoundFile | None = None,
    ) -> None:
        self.path, self.stretch = path, stretch
        self._file = _open(path, stretch) if file is None else file
        frames, rate = self._file.frames, self._file.samplerate
        announced = frames if announced is None else announced
        self.encoding = Encoding(announced, rate, self._file.channels, self._file.subtype)
        status = path.stat()
        self._key = (path, stretch, status.st_size, status.st_mtime_ns)
        counts = {"FLAC": _count_flac, "MPEG_LAYER_I": _count, "MPEG_LAYER_II": _count}
        count = counts.get(self._file.format) or counts.get(self._file.subtype)
        self.frames = frames if count is None else count(*self._key)

    def read(self, start: int, count: int) -> NDArray[np.float32]:  # noqa: D102
        if self._file.seekable():
            lead = min(start, self._lead(start))
            with suppress(soundfile.SoundFileError):
                self._file.seek(start - lead)
                frames = _step(self._file, lead + count)
                if len(frames) == lead + count:
                    return frames[lead:]
        try:
            return self._from_start(start, start + count)
        except soundfile.SoundFileError as error:
            raise AudioError(self.path, f"undecodable ({error})") from None

    def blocks(self) -> Iterator[NDArray[np.float32]]:  # noqa: D102
        place = 0
        with self:
            while place < self.frames:
                try:
                    block = _step(self._file, min(BLOCK, self.frames - place))
                except soundfile.SoundFileError as error:
                    raise AudioError(self.path, f"undecodable ({error})") from None
                if not len(block):
                    return
                place += len(block)
                yield block

    def count(self) -> int:  # noqa: D102
        return _count(*self._key)

    def close(self) -> None:  # noqa: D102
        self._file.close()

    def _lead(self, start: int) -> int:
        """The number of frames to decode before a place, because frames right after a seek are wrong."""
        if self._file.subtype in ("MPEG_LAYER_I", "MPEG_LAYER_II"):
            return MPEG_LEAD
        if self._file.subtype == "VORBIS" and start > self._last_page:
            return start - self._last_page + VORBIS_LEAD
        return 0

    @functools.cached_property
    def _last_page(self) -> int:
        first, last = (0, self._key[2]) if self.stretch is None else self.stretch[1:]
        return last_page_of_ogg(self.path, first, last)

    def _from_start(self, start: int, end: int) -> NDArray[np.float32]:
        """Reads frames ``start`` to ``end`` by decoding the file from its start."""
        parts, place = [np.zeros((0, self.encoding.channels), np.float32)], 0
        with _open(self.path, self.stretch) as file:
            while place < end and len(block := _step(file, min(STEP, end - place))):
                if place + len(block) > start:
                    parts.append(block[max(0, start - place) :])
                place += len(block)
        return np.concatenate(parts)


class Chain(Source):
    """The consecutive streams of a file.

    Args:
        path: The file.
        parts: The streams.

    Raises:
        AudioError: The streams differ in rate or channels.
    """

    def __init__(self, path: Path, parts: list[SndFile]) -> None:
        self.parts, first = parts, parts[0].encoding
        shapes = {(part.encoding.sample_rate, part.encoding.channels) for part in parts}
        if len(shapes) > 1:
            raise AudioError(path, f"{len(parts)} streams, one after the other, that differ in rate or channels")
        self.encoding, self.frames = first, sum(part.frames for part in parts)

    def read(self, start: int, count: int) -> NDArray[np.float32]:  # noqa: D102
        frames = [np.zeros((0, self.encoding.channels), np.float32)]
        for part in self.parts:
            first, last = max(0, start), min(start + count, part.frames)
            if first < last:
                frames.append(part.read(first, last - first))
            start -= part.frames
        return np.concatenate(frames)

    def blocks(self) -> Iterator[NDArray[np.float32]]:  # noqa: D102
        for part in self.parts:
            yield from part.blocks()

    def count(self) -> int:  # noqa: D102
        return sum(part.count() for part in self.parts)

    def close(self) -> None:  # noqa: D102
        for part in self.parts:
            part.close()


class StretchFile(io.RawIOBase):
    """A file object over a stretch of a file."""

    def __init__(self, path: Path, stretch: Stretch) -> None:
        self._file = path.open("rb")
        self._stretch, self._place = stretch, 0
        self._size = len(stretch.head) + stretch.stop - stretch.start

    def readable(self) -> bool:  # noqa: D102
        return True

    def seekable(self) -> bool:  # noqa: D102
        return True

    def tell(self) -> int:  # noqa: D102
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:  # noqa: D102
        self._place = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        return self._place

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]  # noqa: D102
        head, start, _ = self._stretch
        wanted = max(0, min(len(buffer), self._size - self._place))
        data = head[self._place : self._place + wanted]
        if len(data) < wanted:
            self._file.seek(start + self._place + len(data) - len(head))
            data += self._file.read(wanted - len(data))
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)

    def close(self) -> None:  # noqa: D102
        self._file.close()
        super().close()


@functools.lru_cache(maxsize=1 << 16)
def _count_flac(path: Path, stretch: Stretch | None, size: int, changed: int) -> int:
    """The number of frames that the header states, if the last one can be reached; else the number that can be decoded.

    ``size`` and ``changed`` identify the version of the file.
    """
    with _open(path, stretch) as file:
        try:
            file.seek(file.frames - 1)
        except soundfile.SoundFileError:
            return _count(path, stretch, size, changed)
        return int(file.frames)


@functools.lru_cache(maxsize=1 << 16)
def _count(path: Path, stretch: Stretch | None, size: int, changed: int) -> int:
    """The number of frames that can be decoded before the end or the first error."""
    count = 0
    for step in (STEP, FINE_STEP):
        with suppress(soundfile.SoundFileError), _open(path, stretch) as file:
            place = 0
            while read := len(_step(file, min(step, count - place) if place < count else step)):
                place += read
                count = max(count, place)
            return count
    return count


def _step(file: soundfile.SoundFile, count: int) -> NDArray[np.float32]:
    frames: NDArray[np.float32] = file.read(count, dtype="float32", always_2d=True)
    return frames


def _open(path: Path, stretch: Stretch | None = None) -> soundfile.SoundFile:
    if stretch is None and path.suffix.lower() in mpeg.EXTENSIONS:
        # The content is not MPEG. A file object has no name, so libsndfile does not choose mpg123 by the suffix.
        stretch = Stretch(b"", 0, path.stat().st_size)
    try:
        return soundfile.SoundFile(path if stretch is None else StretchFile(path, stretch))
    except (soundfile.SoundFileError, TypeError) as error:  # TypeError: a headerless format such as .raw
        raise AudioError(path, f"undecodable ({str(error).rpartition(': ')[2].rstrip('.')})") from None
    except UnicodeEncodeError:
        raise AudioError(path, "its name is not in UTF-8; rename the file") from None
