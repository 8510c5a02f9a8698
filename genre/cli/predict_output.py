"""Writes the rows of ``genre predict --out``, and continues with ``--resume`` after a crash or ``kill -9``.

Each row is appended as soon as it is known. A killed process can leave only its last row incomplete. ``--resume``
removes an incomplete row, and continues with the files that have no row.

Rows cannot be appended to a parquet file, nor by several processes to one file. Each process then writes its rows to a
part in jsonl, ``FILE.RANK-of-PROCESSES.part``, and a single process merges the parts. A part is deleted only after its
rows are in the file. A row that is in both is written once.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import chain
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
        self.append, self.close = self._own.append, self._own.close  # append writes a row at once; close ends the file

    def begin(self, resume: bool) -> set[str]:
        """Prepares the file; returns the paths that already have a row, as :func:`printable` gives them.

        Raises:
            GenreError: The file or a part of it exists, and ``resume`` is false; or it has other columns.
        """
        files = [self._main, *self._parts()]
        earlier = [one.file for one in files if one.file.exists() and not self._is_of_another(one.file)]
        if earlier and not resume:
            raise GenreError(f"{earlier[0]}: exists; go on with --resume, or choose another --out")
        done = set(chain.from_iterable(one.paths() for one in files))
        self._own.repair()
        return done

    def merge(self) -> None:
        """Moves the rows of all parts to the file; a single process does that."""
        parts = self._parts()
        if parts:
            self._main.write(self._new_entries(parts))
        for part in parts:
            part.file.unlink()

    def _is_of_another(self, path: Path) -> bool:
        """Whether another process of this run may be writing a part at this time."""
        return self.several and path.name.endswith(self._size) and path != self._own.file

    def _new_entries(self, parts: Sequence[JsonLines]) -> Iterator[Entry]:
        done = self._main.paths()
        for entry in chain.from_iterable(part.entries() for part in parts):
            path = printable(Path(entry["path"]))
            if path not in done:
                done.add(path)
                yield entry

    def _parts(self) -> list[JsonLines]:
        name = re.compile(re.escape(self.file.name) + r"\.\d+-of-\d+\.part")
        folder = self.file.parent  # glob would hide that a folder cannot be listed
        paths = sorted(path for path in (folder.iterdir() if folder.is_dir() else ()) if name.fullmatch(path.name))
        return [JsonLines(path, *self._layout) for path in paths]
