"""The audio files that a command names: files, folders, and lists of them."""

import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from genre.errors import GenreError
from genre.prediction import list_files


class AudioFiles:
    """The audio files in files and folders, in order; a line on stderr names each bad file or folder.

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
    sizes = dict.fromkeys(paths, 0)
    for path in sizes:
        with suppress(OSError):  # a missing file; decoding says so
            sizes[path] = path.stat().st_size
    return sorted(sizes, key=lambda path: (-sizes[path], str(path)))


def _split(content: bytes) -> list[Path]:
    lines = content.split(b"\0") if b"\0" in content else content.splitlines()
    # As Python's own names of files: a byte that is not UTF-8 is kept.
    return [Path(line.decode(errors="surrogateescape")) for line in lines if line.strip()]
