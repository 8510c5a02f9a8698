"""The audio files that a command names: files, folders, and lists of them."""

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from genre.errors import AudioError, GenreError
from genre.prediction import list_files

T = TypeVar("T")


class AudioFiles:
    """The audio files of several paths, in order. Bad files are counted, and each prints a line on stderr.

    Args:
        paths: Files, and folders of files.

    Attributes:
        paths: The audio files.
        faults: The number of bad files and folders so far.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths: list[Path] = []
        self.faults = 0
        for path in paths:
            files, problem = list_files(path)
            self.paths += files
            if problem:
                self.report(problem)

    def apply(self, function: Callable[[Path], T]) -> Iterator[tuple[Path, T]]:
        """Yields every readable file with the function's result."""
        for path in self.paths:
            try:
                yield path, function(path)
            except AudioError as error:
                self.report(str(error))

    def report(self, problem: str) -> None:
        """Counts a bad file or folder, and prints a line about it."""
        self.faults += 1
        print(f"genre: {problem}", file=sys.stderr)


def expand_lists(paths: Sequence[Path], list_: Path | None) -> list[Path]:
    """Replaces the path ``-`` by the paths of stdin, and adds those of a list.

    A list has one path per line, or a zero byte after each as ``find -print0`` writes them.
    """
    expanded: list[Path] = []
    for path in paths:
        expanded += _split(sys.stdin.buffer.read()) if str(path) == "-" else [path]
    if list_ is not None:
        try:
            expanded += _split(list_.read_bytes())
        except OSError as error:
            raise GenreError(f"{list_}: the list cannot be read ({error.strerror})") from None
    return expanded


def by_size(paths: Sequence[Path]) -> list[Path]:
    """Each file once, the largest first, so that no worker begins a long file when the others have finished."""
    return sorted(dict.fromkeys(paths), key=lambda path: (-_size(path), str(path)))


def _split(content: bytes) -> list[Path]:
    lines = content.split(b"\0") if b"\0" in content else content.splitlines()
    # As Python's own names of files: a byte that is not UTF-8 is kept.
    return [Path(line.decode(errors="surrogateescape")) for line in lines if line.strip()]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # missing; decoding says so
        return 0
