"""Decoding with libsndfile: wav, flac, ogg and similar formats."""

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from genre.audio import mpeg
from genre.audio.containers import Stretch, find_stretches, last_page_of_ogg
from genre.audio.source import BLOCK, Encoding, Source, cached_by_file
from genre.errors import AudioError, EmptyAudioError

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
    announced, error = 0, None
    try:
        file = _open(path)
        announced = 0 if file.frames == UNKNOWN else file.frames
        if file.frames == UNKNOWN:
            error = AudioError(path, "of unknown length (written to a pipe?); encode it again, to a file")
        elif announced <= 0:
            error = EmptyAudioError(path, "no audio frames")
    except AudioError as undecodable:
        file, error = None, undecodable
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
        counts = {"FLAC": _count_flac, "MPEG_LAYER_I": _count, "MPEG_LAYER_II": _count}
        count = counts.get(self._file.format) or counts.get(self._file.subtype)
        self.frames = frames if count is None else count(path, stretch)

    def read(self, start: int, count: int) -> NDArray[np.float32]:  # noqa: D102
        if self._file.seekable():
            lead = min(start, self._lead(start))
            with suppress(soundfile.SoundFileError):
                self._file.seek(start - lead)
                frames = _step(self._file, lead + count)
                if len(frames) == lead + count:
                    return frames[lead:]
        parts, place = [np.zeros((0, self.encoding.channels), np.float32)], 0
        with self._named_errors(), _open(self.path, self.stretch) as file:
            for block in _steps(file, STEP, start + count):
                if place + len(block) > start:
                    parts.append(block[max(0, start - place) :])
                place += len(block)
        return np.concatenate(parts)

    def blocks(self) -> Iterator[NDArray[np.float32]]:  # noqa: D102
        with self._file, self._named_errors():
            yield from _steps(self._file, BLOCK, self.frames)

    def count(self) -> int:  # noqa: D102
        return _count(self.path, self.stretch)

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
        first, last = (0, self.path.stat().st_size) if self.stretch is None else self.stretch[1:]
        return last_page_of_ogg(self.path, first, last)

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except soundfile.SoundFileError as error:
            raise AudioError(self.path, f"undecodable ({error})") from None


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


class StretchFile:
    """The methods of a file object that libsndfile calls, over a stretch of a file; owns the file."""

    def __init__(self, file: BinaryIO, stretch: Stretch) -> None:
        self._file, self._stretch, self._place = file, stretch, 0
        self._size = len(stretch.head) + stretch.stop - stretch.start

    def __del__(self) -> None:
        self._file.close()

    def tell(self) -> int:  # noqa: D102
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:  # noqa: D102
        self._place = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        return self._place

    def readinto(self, buffer: bytearray | memoryview) -> int:  # noqa: D102
        head, start, _ = self._stretch
        wanted = max(0, min(len(buffer), self._size - self._place))
        data = head[self._place : self._place + wanted]
        if len(data) < wanted:
            self._file.seek(start + self._place + len(data) - len(head))
            data += self._file.read(wanted - len(data))
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)


@cached_by_file()
def _count_flac(path: Path, stretch: Stretch | None) -> int:
    """The number of frames that the header states, if the last one can be reached, else that can be decoded."""
    with _open(path, stretch) as file:
        try:
            file.seek(file.frames - 1)
        except soundfile.SoundFileError:
            return _count(path, stretch)
        return int(file.frames)


@cached_by_file()
def _count(path: Path, stretch: Stretch | None) -> int:
    """The number of frames that can be decoded before the end or the first error."""
    count = 0
    for step in (STEP, FINE_STEP):
        with suppress(soundfile.SoundFileError), _open(path, stretch) as file:
            place = 0
            for block in _steps(file, step):
                place += len(block)
                count = max(count, place)
            break
    return count


def _steps(file: soundfile.SoundFile, step: int, end: int = UNKNOWN) -> Iterator[NDArray[np.float32]]:
    """Decodes the frames up to number ``end``, ``step`` at a time."""
    place = 0
    while place < end and len(block := _step(file, min(step, end - place))):
        yield block
        place += len(block)


def _step(file: soundfile.SoundFile, count: int) -> NDArray[np.float32]:
    frames: NDArray[np.float32] = file.read(count, dtype="float32", always_2d=True)
    return frames


def _open(path: Path, stretch: Stretch | None = None) -> soundfile.SoundFile:
    if stretch is None and path.suffix.lower() in mpeg.EXTENSIONS:
        # The content is not MPEG. A file object has no name, so libsndfile does not choose mpg123 by the suffix.
        stretch = Stretch(b"", 0, path.stat().st_size)
    try:
        return soundfile.SoundFile(path if stretch is None else StretchFile(path.open("rb"), stretch))
    except (soundfile.SoundFileError, TypeError) as error:  # TypeError: a headerless format such as .raw
        raise AudioError(path, f"undecodable ({str(error).rpartition(': ')[2].rstrip('.')})") from None
    except UnicodeEncodeError:
        raise AudioError(path, "its name is not in UTF-8; rename the file") from None
