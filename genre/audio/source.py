"""The interface of the decoders: an open audio file, its header, and its frames."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from genre.errors import AudioError as AudioError  # re-exported
from genre.errors import EmptyAudioError, MissingAudioError

#: Segments are decoded in one pass if they cover at least this share of it. The pass then takes no longer than separate
#: reads, and at most twice the memory.
COVERAGE = 0.5

#: Frames per block of :meth:`Source.blocks`: 6 to 12 s of most files.
BLOCK = 1 << 18


@dataclass(frozen=True)
class AudioInfo:
    """The number of frames of a file and their rate in hertz."""

    frames: int
    sample_rate: int

    @property
    def seconds(self) -> float:
        """The duration."""
        return self.frames / self.sample_rate


@dataclass(frozen=True)
class Encoding(AudioInfo):
    """The content of a header: also the number of channels, and the decoder's name of the encoding."""

    channels: int
    subtype: str


class Source(ABC):
    """An open audio file.

    Use it as a context manager, and open it again for every segment: a second seek of libsndfile in Ogg Vorbis may be
    inaccurate.

    Attributes:
        encoding: The content of the header.
        frames: The number of frames in the file, as far as it is known without decoding.
    """

    encoding: Encoding
    frames: int

    @abstractmethod
    def read(self, start: int, count: int) -> NDArray[np.float32]:
        """Decodes ``count`` frames from frame ``start``: ``(count, channels)``, fewer at the end of the file."""

    def read_together(self, stretches: Sequence[tuple[int, int]]) -> list[NDArray[np.float32]]:
        """Decodes several stretches in one pass if that is faster than a pass for each.

        Args:
            stretches: The first frame and the number of frames of each.

        Returns:
            The frames of each, as of :meth:`read`; an empty list if reading them one by one is faster.
        """
        first, last = min(start for start, _ in stretches), max(start + count for start, count in stretches)
        if sum(count for _, count in stretches) < COVERAGE * (last - first):
            return []
        frames = self.read(first, last - first)
        return [frames[start - first : start - first + count] for start, count in stretches]

    @abstractmethod
    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Decodes all frames, in blocks of ``(frames, channels)``; closes the file after the last."""

    @abstractmethod
    def count(self) -> int:
        """Counts the frames that can be decoded."""

    @abstractmethod
    def close(self) -> None:
        """Closes the file."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def require_file(path: Path) -> None:
    """Checks that a file exists and is not empty.

    Raises:
        AudioError: The file is missing or empty.
    """
    if not path.is_file():
        absent = "the link leads nowhere" if path.is_symlink() else "no such file"
        raise MissingAudioError(path, "not a file" if path.exists() else absent)
    if path.stat().st_size == 0:
        raise EmptyAudioError(path, "empty file")
