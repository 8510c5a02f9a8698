"""The interface of the decoders: an open audio file, its header, and its frames.

:mod:`genre.audio.decode` chooses the decoder of a file.
"""

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

#: Segments are decoded in one pass if they cover at least this share of it. The pass then takes no longer than separate
#: reads, and at most twice the memory.
COVERAGE = 0.5

#: Frames per block of :meth:`Source.blocks`: 6 to 12 s of most files.
BLOCK = 1 << 18

P = ParamSpec("P")
T = TypeVar("T")


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

    Open it again for every segment: a second seek of libsndfile in Ogg Vorbis may be inaccurate.

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


def cached_by_file(
    maxsize: int = 1 << 16,
) -> Callable[[Callable[Concatenate[Path, P], T]], Callable[Concatenate[Path, P], T]]:
    """Keeps up to ``maxsize`` results of a function whose first argument is a file; reads a changed file again."""

    def decorate(function: Callable[Concatenate[Path, P], T]) -> Callable[Concatenate[Path, P], T]:
        def read(path: Path, size: int, changed: int, *args: Any, **kwargs: Any) -> T:
            return function(path, *args, **kwargs)

        cached: Callable[..., T] = functools.lru_cache(maxsize)(read)

        @functools.wraps(function)
        def call(path: Path, /, *args: P.args, **kwargs: P.kwargs) -> T:
            status = path.stat()
            return cached(path, status.st_size, status.st_mtime_ns, *args, **kwargs)

        return call

    return decorate
