"""Decoding by libsndfile: wav, flac, ogg, mp3 and their kin."""

import functools
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from genre.audio.extent import extent
from genre.audio.source import BLOCK, AudioError, Encoding, Source, require_file
from genre.audio.streams import last_page_of_ogg
from genre.audio.stretch import Stretch, StretchFile
from genre.errors import EmptyAudioError

#: The endings that libsndfile decodes and that a folder is searched for.
EXTENSIONS = frozenset(
    {
        *(".wav", ".wave", ".rf64", ".w64", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf"),
        *(".voc", ".svx", ".8svx", ".sph", ".nist", ".paf", ".avr", ".pvf", ".sf", ".ircam"),
        *(".flac", ".ogg", ".oga", ".opus", ".mp3", ".mp2", ".mp1"),
    }
)

#: The endings of files whose decoder, mpg123, writes to stderr by itself.
MPEG = (".mp3", ".mp2", ".mp1")

#: Frames decoded ahead of a segment of an mp3: two of its own frames.
MP3_LEAD = 2304

#: Frames before the last page of Ogg Vorbis from which it is decoded: a packet has up to 8192.
VORBIS_LEAD = 8192

#: Held while the process's stderr leads nowhere.
STDERR = threading.RLock()

#: What libsndfile says where the header leaves the number of frames open, as that of a streamed FLAC does.
UNKNOWN = 2**63 - 1

#: Frames that are decoded at once to get somewhere, and to find where a damaged file ends.
STEP, FINE_STEP = 1 << 16, 1 << 10


def open_sndfile(path: Path) -> Source:
    """Opens a file: what is there of it, where its header announces something else.

    Raises:
        AudioError: The file is missing, undecodable, or holds no frame.
    """
    require_file(path)
    with quiet(path):
        announced, kind, error = _announced(path)
        try:
            parts = extent(path, announced, kind == "MP3")
        except OSError as failed:
            raise AudioError(path, f"unreadable ({failed.strerror})") from None
        if error is not None and not parts:
            raise error
        sources = [SndFile(path, part, announced) for part in parts or (None,)]
        source = sources[0] if len(sources) == 1 else Chain(path, sources)
        if source.frames <= 0:
            raise AudioError(path, "undecodable (no frame after the header)")
        return source


class SndFile(Source):
    """A file that libsndfile decodes, from its start where it cannot seek.

    Args:
        path: The file.
        stretch: The part of it that is read; ``None``: all.
        announced: The number of frames that the file's header says.

    Raises:
        AudioError: There is no frame.
    """

    def __init__(self, path: Path, stretch: Stretch | None, announced: int) -> None:
        self.path, self.stretch = path, stretch
        self._file = _open(path, stretch)
        self.encoding = Encoding(announced, self._file.samplerate, self._file.channels, self._file.subtype)
        status = path.stat()
        self._key = (path, stretch, status.st_size, status.st_mtime_ns)
        counts = {"FLAC": _reached, "MPEG_LAYER_I": _count, "MPEG_LAYER_II": _count}
        count = counts.get(self._file.format) or counts.get(self._file.subtype)
        self.frames = self._file.frames if count is None else count(*self._key)

    def read(self, start: int, count: int) -> NDArray[np.float32]:  # noqa: D102
        if self._file.seekable():
            lead = min(start, self._lead(start))
            with suppress(soundfile.SoundFileError), quiet(self.path):
                self._file.seek(start - lead)
                frames: NDArray[np.float32] = self._file.read(lead + count, dtype="float32", always_2d=True)
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
                    with quiet(self.path):  # a block at a time: whoever takes the blocks is not kept from stderr
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
        """The number of frames before a place at which to begin, since right after a seek they come out wrong."""
        if self._file.format == "MP3":  # a frame builds on those before it
            return MP3_LEAD
        if self._file.subtype == "VORBIS" and start > self._last_page:
            return start - self._last_page + VORBIS_LEAD
        return 0

    @functools.cached_property
    def _last_page(self) -> int:
        first, last = (0, self._key[2]) if self.stretch is None else self.stretch[1:]
        return last_page_of_ogg(self.path, first, last)

    def _from_start(self, start: int, end: int) -> NDArray[np.float32]:
        """Decodes all that comes before, too."""
        kept, place = [np.zeros((0, self.encoding.channels), np.float32)], 0
        with quiet(self.path), _open(self.path, self.stretch) as file:
            while place < end and len(block := _step(file, min(STEP, end - place))):
                if place + len(block) > start:
                    kept.append(block[max(0, start - place) :])
                place += len(block)
        return np.concatenate(kept)


class Chain(Source):
    """Streams of a file, one after the other.

    Args:
        path: The file.
        parts: The streams.

    Raises:
        AudioError: They differ in rate or channels.
    """

    def __init__(self, path: Path, parts: list[SndFile]) -> None:
        self.parts, first = parts, parts[0].encoding
        shapes = {(part.encoding.sample_rate, part.encoding.channels) for part in parts}
        if len(shapes) > 1:
            raise AudioError(path, f"{len(parts)} streams, one after the other, that differ in rate or channels")
        self.encoding, self.frames = first, sum(part.frames for part in parts)

    def read(self, start: int, count: int) -> NDArray[np.float32]:  # noqa: D102
        kept = [np.zeros((0, self.encoding.channels), np.float32)]
        for part in self.parts:
            first, last = max(0, start), min(start + count, part.frames)
            if first < last:
                kept.append(part.read(first, last - first))
            start -= part.frames
        return np.concatenate(kept)

    def blocks(self) -> Iterator[NDArray[np.float32]]:  # noqa: D102
        for part in self.parts:
            yield from part.blocks()

    def count(self) -> int:  # noqa: D102
        return sum(part.count() for part in self.parts)

    def close(self) -> None:  # noqa: D102
        for part in self.parts:
            part.close()


@contextmanager
def quiet(path: Path) -> Iterator[None]:
    """Keeps what the mp3 decoder, a C library, writes to stderr by itself from the user: its errors come back to us."""
    if path.suffix.lower() not in MPEG:
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


@functools.lru_cache(maxsize=1 << 16)
def _reached(path: Path, stretch: Stretch | None, size: int, changed: int) -> int:
    """The number of frames of a FLAC: what its header says where its end is reached, or else what can be decoded.

    ``size`` and ``changed`` tell a file that has been changed since.
    """
    with _open(path, stretch) as file:
        try:
            file.seek(file.frames - 1)
        except soundfile.SoundFileError:
            return _count(path, stretch, size, changed)
        return int(file.frames)


@functools.lru_cache(maxsize=1 << 16)
def _count(path: Path, stretch: Stretch | None, size: int, changed: int) -> int:
    """The number of frames that can be decoded from the start on, before there is an error, if any."""
    count = 0
    for step in (STEP, FINE_STEP):
        with quiet(path), suppress(soundfile.SoundFileError), _open(path, stretch) as file:
            place = 0
            while read := len(_step(file, min(step, count - place) if place < count else step)):
                place += read
                count = max(count, place)
            return count
    return count


def _step(file: soundfile.SoundFile, count: int) -> NDArray[np.float32]:
    frames: NDArray[np.float32] = file.read(count, dtype="float32", always_2d=True)
    return frames


def _announced(path: Path) -> tuple[int, str, AudioError | None]:
    """The number of frames that the header says, the format, and why the file cannot be read as it is."""
    try:
        with _open(path) as file:
            frames, kind = file.frames, str(file.format)
    except AudioError as error:
        return 0, "", error
    if frames == UNKNOWN:
        return 0, kind, AudioError(path, "of unknown length (written to a pipe?); encode it again, to a file")
    return frames, kind, None if frames > 0 else EmptyAudioError(path, "no audio frames")


def _open(path: Path, stretch: Stretch | None = None) -> soundfile.SoundFile:
    """Opens a file, or a stretch of it."""
    try:
        file = soundfile.SoundFile(path if stretch is None else StretchFile(path, stretch))
    except (soundfile.SoundFileError, TypeError) as error:  # TypeError: a headerless format such as .raw
        if "regular file" in str(error):  # what libsndfile says of an .mp3 that is none
            raise AudioError(path, "undecodable (Format not recognised)") from None
        raise AudioError(path, f"undecodable ({str(error).rpartition(': ')[2].rstrip('.')})") from None
    except UnicodeEncodeError:
        raise AudioError(path, "its name is not in UTF-8; rename the file") from None
    except OSError as error:
        raise AudioError(path, f"unreadable ({error.strerror})") from None
    return file
