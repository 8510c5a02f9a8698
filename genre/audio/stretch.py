"""A stretch of a file under a corrected header, as a decoder is to see it."""

import io
import os
from pathlib import Path
from typing import NamedTuple


class Stretch(NamedTuple):
    """Bytes ``start`` to ``stop`` of a file, after the bytes ``head``."""

    head: bytes
    start: int
    stop: int


class StretchFile(io.RawIOBase):
    """A stretch of a file, read as a file of its own.

    Args:
        path: The file.
        stretch: Which part of it, and what comes before.
    """

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

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        """Fills the buffer as far as there is something."""
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
