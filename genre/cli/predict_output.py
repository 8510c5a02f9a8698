"""Writes the rows of ``genre predict --out``, and continues with ``--resume`` after a crash or ``kill -9``.

Each row is appended as soon as it is known. A killed process can leave only its last row incomplete. ``--resume``
removes an incomplete row, and continues with the files that have no row.

Rows cannot be appended to a parquet file, nor by several processes to one file. Each process then writes its rows to a
part in jsonl, ``FILE.RANK-of-PROCESSES.part``, and a single process merges the parts. A part is deleted only after its
rows are in the file. A row that is in both is written once.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from genre.cli.predict_formats import ENDINGS, Entry, JsonLines, LineFile
from genre.errors import GenreError, printable


class PredictOutput:
    """The output of one process: rows of the file, or of a part that is merged later."""

    def __init__(
        self, file: Path, name: str, genres: Sequence[str], timeline: bool, rank: int = 0, world_size: int = 1
    ) -> None:
        self.file, self.several = file, world_size > 1
        self._layout = (name, genres, timeline)
        self._main = ENDINGS[file.suffix.lower()](file, *self._layout)
        self._size = f"-of-{world_size}.part"
        own = JsonLines(file.with_name(f"{file.name}.{rank}{self._size}"), *self._layout)
        self._own = self._main if isinstance(self._main, LineFile) and not self.several else own

    def begin(self, resume: bool) -> set[str]:
        """Prepares the file; returns the paths that already have a row, as :func:`printable` gives them.

        Raises:
            GenreError: The file or a part of it exists, and ``resume`` is false; or it has other columns.
        """
        earlier = [path for path in (self.file, *self._parts()) if path.exists() and not self._is_of_another(path)]
        if earlier and not resume:
            raise GenreError(f"{earlier[0]}: exists; go on with --resume, or choose another --out")
        done = self._main.paths()
        for part in self._parts():
            lines = JsonLines(part, *self._layout)
            done |= _paths(lines) if self._is_of_another(part) else lines.paths()
        return done

    def append(self, entry: Entry) -> None:
        """Writes a row at once."""
        self._own.append(entry)

    def close(self) -> None:
        """Ends this process's rows."""
        self._own.close()

    def merge(self) -> None:
        """Moves the rows of all parts to the file; a single process does that."""
        parts = self._parts()
        if not parts:
            return
        self._main.write(self._new_entries(parts))
        for part in parts:
            part.unlink()

    def _is_of_another(self, path: Path) -> bool:
        """Whether another process of this run may be writing a part at this time."""
        return self.several and path.name.endswith(self._size) and path != self._own.file

    def _new_entries(self, parts: Sequence[Path]) -> Iterator[Entry]:
        done = self._main.paths()
        for part in parts:
            for entry in JsonLines(part, *self._layout).entries():
                path = printable(Path(entry["path"]))
                if path not in done:
                    done.add(path)
                    yield entry

    def _parts(self) -> list[Path]:
        folder = self.file.parent
        if not folder.is_dir():
            return []
        name = re.compile(re.escape(self.file.name) + r"\.\d+-of-\d+\.part")
        return sorted(path for path in folder.iterdir() if name.fullmatch(path.name))


def _paths(lines: JsonLines) -> set[str]:
    """The files with a row in another process's part, which may be growing: nothing is removed from it."""
    return {printable(Path(entry["path"])) for entry in lines.entries()}
