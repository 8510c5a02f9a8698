"""The formats of ``genre predict --out``: csv, jsonl and parquet, with one row per audio file.

:mod:`genre.cli.predict_output` continues such a file after a crash.
"""

import csv
import importlib.util
import io
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from genre.errors import GenreError, printable

#: A row: ``path``; ``genre`` or ``tag``, ``probability`` and ``probabilities``, or ``error``; perhaps ``timeline``.
Entry: TypeAlias = dict[str, Any]

#: Rows per group of a parquet file: memory does not grow with the number of rows.
GROUP = 1024


class OutputFile(ABC):
    """A file with one row per audio file.

    Args:
        file: The file.
        name: What is predicted: ``genre`` or ``tag``.
        genres: The names of the classes.
        timeline: Whether the rows have a timeline.
    """

    def __init__(self, file: Path, name: str, genres: Sequence[str], timeline: bool) -> None:
        self.file, self.name, self.genres, self.timeline = file, name, list(genres), timeline

    @abstractmethod
    def paths(self) -> set[str]:
        """The files that have a row, as :func:`printable` gives them; none if there is no such file."""

    @abstractmethod
    def write(self, entries: Iterable[Entry]) -> None:
        """Adds rows, and ends the file."""


class LineFile(OutputFile):
    """A text file that rows are appended to; a killed process can leave only its last row incomplete."""

    _stream: BinaryIO | None = None

    def paths(self) -> set[str]:
        """The files that have a row; removes an incomplete last row."""
        if not self.file.exists():
            return set()
        with self.file.open("r+b") as stream:
            found, end = self._scan(stream)
            stream.truncate(end)
        return found

    def write(self, entries: Iterable[Entry]) -> None:  # noqa: D102
        for entry in entries:
            self.append(entry)
        self.close()

    def append(self, entry: Entry) -> None:
        """Writes a row at once."""
        if self._stream is None:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self._stream = self.file.open("ab", buffering=0)
        text = self._format(entry) if self._stream.tell() else self._header() + self._format(entry)
        while text:  # a full disk takes a part of the row, and raises an error for the rest
            text = text[self._stream.write(text) :]

    def close(self) -> None:
        """Ends the file."""
        if self._stream is not None:
            os.fsync(self._stream.fileno())
            self._stream.close()
            self._stream = None

    @abstractmethod
    def _scan(self, stream: BinaryIO) -> tuple[set[str], int]:
        """The paths of all complete rows, and the place where the last of them ends."""

    @abstractmethod
    def _format(self, entry: Entry) -> bytes:
        """A row, with its line break."""

    def _header(self) -> bytes:
        return b""


class JsonLines(LineFile):
    """One JSON object per line."""

    def entries(self) -> Iterator[Entry]:
        """The complete rows; of a missing file none."""
        if self.file.exists():
            with self.file.open("rb") as stream:
                for line in stream:
                    if line.endswith(b"\n"):
                        yield self._read(line)

    def _scan(self, stream: BinaryIO) -> tuple[set[str], int]:
        found, end = set(), 0
        for line in stream:
            if line.endswith(b"\n"):
                found.add(printable(Path(self._read(line)["path"])))
                end += len(line)
            elif not end:
                _require_beginning(self.file, line, b'{"path": "')
        return found, end

    def _read(self, line: bytes) -> Entry:
        try:
            entry = json.loads(line)
            known = entry.get("probabilities")
            same = known is None or (set(known) == set(self.genres) and ("timeline" in entry) == self.timeline)
        except (ValueError, AttributeError):
            raise _foreign(self.file) from None
        if not same or "path" not in entry:
            raise _foreign(self.file)
        return dict(entry)

    def _format(self, entry: Entry) -> bytes:
        # A byte of a path that is not UTF-8 becomes an escape of JSON.
        return (json.dumps(entry, ensure_ascii=False) + "\n").encode(errors="backslashreplace")


class CsvFile(LineFile):
    """A header, and one row per file. A timeline is a list of ``[second, probability, …]`` in JSON."""

    @property
    def columns(self) -> list[str]:
        """The header."""
        return [*csv_columns(self.name, self.genres, self.timeline), "error"]

    def _scan(self, stream: BinaryIO) -> tuple[set[str], int]:
        found, end, record = set(), 0, b""
        csv.field_size_limit(2**31 - 1)  # a long timeline
        for line in stream:
            record += line
            if not line.endswith(b"\n") or record.count(b'"') % 2:  # incomplete, or a line break inside of a path
                continue
            row = self._read(record)
            if end:
                found.add(printable(Path(row[0])))
            elif row != self.columns:
                raise _foreign(self.file)
            end += len(record)
            record = b""
        if not end:
            _require_beginning(self.file, record, self._header())
        return found, end

    def _read(self, record: bytes) -> list[str]:
        try:
            row = next(csv.reader(io.StringIO(record.decode(errors="surrogateescape"), newline="")))
        except csv.Error:
            raise _foreign(self.file) from None
        if len(row) != len(self.columns):
            raise _foreign(self.file)
        return row

    def _header(self) -> bytes:
        return self._row(self.columns)

    def _format(self, entry: Entry) -> bytes:
        if "error" in entry:
            return self._row([entry["path"], *[""] * (len(self.columns) - 2), entry["error"]])
        return self._row([*csv_row(entry, self.name, self.genres, self.timeline), ""])

    def _row(self, values: Sequence[str]) -> bytes:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(values)
        return text.getvalue().encode(errors="surrogateescape")


class ParquetFile(OutputFile):
    """The columns of the csv file; its rows come from parts, all at once."""

    def paths(self) -> set[str]:  # noqa: D102
        return {row["path"] for row in self._rows()}

    def write(self, entries: Iterable[Entry]) -> None:
        """Adds rows; an interrupted call leaves the file as it was."""
        import pyarrow
        import pyarrow.parquet

        part = self.file.with_name(f".{self.file.name}.new")
        with pyarrow.parquet.ParquetWriter(part, self._schema()) as writer:
            for rows in _groups(chain(self._rows(), map(self._to_row, entries))):
                writer.write_table(pyarrow.Table.from_pylist(rows, self._schema()))
        os.replace(part, self.file)  # noqa: PTH105  # Path.replace is the same

    def _schema(self) -> Any:
        import pyarrow

        number = pyarrow.float64()
        columns = [("path", pyarrow.string()), (self.name, pyarrow.string()), ("probability", number)]
        columns += [(genre, number) for genre in self.genres]
        if self.timeline:
            columns.append(("timeline", pyarrow.list_(pyarrow.list_(number))))
        return pyarrow.schema([*columns, ("error", pyarrow.string())])

    def _rows(self) -> Iterator[Entry]:
        """The rows; of a missing file none."""
        if not self.file.exists():
            return
        import pyarrow.parquet

        try:
            with pyarrow.parquet.ParquetFile(self.file) as content:
                if content.schema_arrow.names != self._schema().names:
                    raise _foreign(self.file)
                for batch in content.iter_batches(GROUP):
                    yield from batch.to_pylist()
        except pyarrow.ArrowException:
            raise _foreign(self.file) from None

    def _to_row(self, entry: Entry) -> Entry:
        row: Entry = {"path": printable(Path(entry["path"])), "error": entry.get("error")}
        if "error" not in entry:
            row |= {self.name: entry[self.name], "probability": entry["probability"]} | entry["probabilities"]
            if self.timeline:
                row["timeline"] = _compact(entry["timeline"], self.genres)
        return row


#: The class of each ending.
ENDINGS: dict[str, type[OutputFile]] = {".csv": CsvFile, ".jsonl": JsonLines, ".parquet": ParquetFile}


def check_output_file(file: Path) -> None:
    """Checks the ending of a file before it is written, and that the package for its format is installed."""
    ending = file.suffix.lower()
    if ending not in ENDINGS:
        raise GenreError(f"{file}: unknown ending; expected {', '.join(ENDINGS)}")
    if file.is_dir():
        raise GenreError(f"{file}: found a folder; expected a file to write")
    if ending == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise GenreError(
            f"{file}: parquet needs pyarrow; pip install 'lightning-genre[parquet]', or use .csv or .jsonl"
        )


def csv_columns(name: str, genres: Sequence[str], timeline: bool) -> list[str]:
    """The header of the rows of :func:`csv_row`."""
    return ["path", name, "probability", *genres, *(["timeline"] * timeline)]


def csv_row(entry: Entry, name: str, genres: Sequence[str], timeline: bool) -> list[str]:
    """A row of a file that could be read."""
    values = [f"{entry['probabilities'][genre]:.6f}" for genre in genres]
    moments = [json.dumps(_compact(entry["timeline"], genres))] if timeline else []
    return [entry["path"], entry[name], f"{entry['probability']:.6f}", *values, *moments]


def _compact(timeline: Sequence[Entry], genres: Sequence[str]) -> list[list[float]]:
    """A timeline as ``[second, probability of the first genre, …]``."""
    return [
        [round(item["start"], 3), *(round(item["probabilities"][genre], 6) for genre in genres)] for item in timeline
    ]


def _groups(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    rest = iter(entries)
    return iter(lambda: list(islice(rest, GROUP)), [])


def _require_beginning(file: Path, torn: bytes, beginning: bytes) -> None:
    """Raises if a file without a complete line is not one of ours, because it would be emptied."""
    size = min(len(torn), len(beginning))
    if torn[:size] != beginning[:size]:
        raise _foreign(file)


def _foreign(file: Path) -> GenreError:
    return GenreError(
        f"{file}: holds rows of other genres or of another kind; choose another --out, or resume with the options that "
        "it was begun with"
    )
