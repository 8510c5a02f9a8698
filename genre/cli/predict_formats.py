"""The formats of ``genre predict --out``: csv, jsonl and parquet, with one row per audio file.

:mod:`genre.cli.predict_output` continues such a file after a crash; :mod:`genre.report.results` writes the
``predictions.csv`` of a report.
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
        self.columns = ["path", name, "probability", *genres, *(["timeline"] * timeline), "error"]

    @abstractmethod
    def paths(self) -> set[str]:
        """The files that have a complete row, as :func:`printable` gives them; none if there is no such file."""

    @abstractmethod
    def write(self, entries: Iterable[Entry]) -> None:
        """Adds rows, and ends the file."""

    def compact(self, timeline: Sequence[Entry]) -> list[list[float]]:
        """A timeline as ``[second, probability of the first genre, …]``."""
        return [
            [round(item["start"], 3), *(round(item["probabilities"][genre], 6) for genre in self.genres)]
            for item in timeline
        ]

    def foreign(self) -> GenreError:
        """The error of a file that was not begun with these options."""
        return GenreError(
            f"{self.file}: holds rows of other genres or of another kind; choose another --out, or resume with the "
            "options that it was begun with"
        )


class LineFile(OutputFile):
    """A text file that rows are appended to.

    Attributes:
        header: What comes before the first row.
        beginning: What every such file begins with.
    """

    header: bytes
    beginning: bytes
    _stream: BinaryIO | None = None

    def write(self, entries: Iterable[Entry]) -> None:  # noqa: D102
        for entry in entries:
            self.append(entry)
        self.close()

    def append(self, entry: Entry) -> None:
        """Writes a row at once."""
        if self._stream is None:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self._stream = self.file.open("ab", buffering=0)
        text = self._format(entry) if self._stream.tell() else self.header + self._format(entry)
        while text:  # a full disk takes a part of the row, and raises an error for the rest
            text = text[self._stream.write(text) :]

    def close(self) -> None:
        """Ends the file."""
        if self._stream is not None:
            os.fsync(self._stream.fileno())
            self._stream.close()
            self._stream = None

    def repair(self) -> None:
        """Removes an incomplete last row."""
        if self.file.exists():
            os.truncate(self.file, sum(map(len, self.records())))

    def records(self) -> Iterator[bytes]:
        """Yields the header and every complete row, as they are in the file.

        Raises:
            GenreError: The file is not one of ours.
        """
        if not self.file.exists():
            return
        record, begun = b"", False
        with self.file.open("rb") as stream:
            for line in stream:
                record += line
                if self._is_complete(record):
                    yield record
                    record, begun = b"", True
        if not (begun or record.startswith(self.beginning) or self.beginning.startswith(record)):
            raise self.foreign()

    def _is_complete(self, record: bytes) -> bool:
        return record.endswith(b"\n")

    @abstractmethod
    def _format(self, entry: Entry) -> bytes:
        """A row, with its line break."""


class JsonLines(LineFile):
    """One JSON object per line."""

    header = b""
    beginning = b'{"path": "'

    def entries(self) -> Iterator[Entry]:
        """The complete rows; of a missing file none."""
        return map(self._read, self.records())

    def paths(self) -> set[str]:  # noqa: D102
        return {printable(Path(entry["path"])) for entry in self.entries()}

    def _read(self, record: bytes) -> Entry:
        try:
            entry = json.loads(record)
            known = entry.get("probabilities")
            same = known is None or (set(known) == set(self.genres) and ("timeline" in entry) == self.timeline)
        except (ValueError, AttributeError):
            raise self.foreign() from None
        if not same or "path" not in entry:
            raise self.foreign()
        return dict(entry)

    def _format(self, entry: Entry) -> bytes:
        # A byte of a path that is not UTF-8 becomes an escape of JSON.
        return (json.dumps(entry, ensure_ascii=False) + "\n").encode(errors="backslashreplace")


class CsvFile(LineFile):
    """A header, and one row per file. A timeline is a list of ``[second, probability, …]`` in JSON."""

    def __init__(self, file: Path, name: str, genres: Sequence[str], timeline: bool) -> None:
        super().__init__(file, name, genres, timeline)
        self.header = self.beginning = self._line(self.columns)

    def paths(self) -> set[str]:  # noqa: D102
        rows = map(self._read, self.records())
        if next(rows, self.columns) != self.columns:
            raise self.foreign()
        return {printable(Path(row[0])) for row in rows}

    def row(self, entry: Entry) -> list[str]:
        """The row of a file that could be read, without the column for an error."""
        values = [f"{entry['probabilities'][genre]:.6f}" for genre in self.genres]
        moments = [json.dumps(self.compact(entry["timeline"]))] if self.timeline else []
        return [entry["path"], entry[self.name], f"{entry['probability']:.6f}", *values, *moments]

    def _is_complete(self, record: bytes) -> bool:
        return super()._is_complete(record) and record.count(b'"') % 2 == 0  # a path may have a line break

    def _read(self, record: bytes) -> list[str]:
        csv.field_size_limit(2**31 - 1)  # a long timeline
        try:
            row = next(csv.reader(io.StringIO(record.decode(errors="surrogateescape"), newline="")))
        except csv.Error:
            raise self.foreign() from None
        if len(row) != len(self.columns):
            raise self.foreign()
        return row

    def _format(self, entry: Entry) -> bytes:
        if "error" in entry:
            return self._line([entry["path"], *[""] * (len(self.columns) - 2), entry["error"]])
        return self._line([*self.row(entry), ""])

    def _line(self, values: Sequence[str]) -> bytes:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(values)
        return text.getvalue().encode(errors="surrogateescape")


class ParquetFile(OutputFile):
    """The columns of the csv file; its rows come from parts, all at once."""

    def paths(self) -> set[str]:  # noqa: D102
        return {row["path"] for row in self._rows()}

    def _rows(self) -> Iterator[Entry]:
        if not self.file.exists():
            return
        import pyarrow.parquet

        try:
            with pyarrow.parquet.ParquetFile(self.file) as content:
                if content.schema_arrow.names != self.columns:
                    raise self.foreign()
                for batch in content.iter_batches(GROUP):
                    yield from batch.to_pylist()
        except pyarrow.ArrowException:
            raise self.foreign() from None

    def write(self, entries: Iterable[Entry]) -> None:
        """Adds rows; an interrupted call leaves the file as it was."""
        import pyarrow.parquet

        text, number = pyarrow.string(), pyarrow.float64()
        types = {"path": text, self.name: text, "error": text}
        if self.timeline:
            types["timeline"] = pyarrow.list_(pyarrow.list_(number))
        schema = pyarrow.schema([(column, types.get(column, number)) for column in self.columns])
        rows = chain(self._rows(), map(self._to_row, entries))
        part = self.file.with_name(f".{self.file.name}.new")
        with pyarrow.parquet.ParquetWriter(part, schema) as writer:
            while group := list(islice(rows, GROUP)):
                writer.write_table(pyarrow.Table.from_pylist(group, schema))
        os.replace(part, self.file)  # noqa: PTH105  # Path.replace is the same

    def _to_row(self, entry: Entry) -> Entry:
        row: Entry = {"path": printable(Path(entry["path"])), "error": entry.get("error")}
        if "error" not in entry:
            row |= {self.name: entry[self.name], "probability": entry["probability"]} | entry["probabilities"]
            if self.timeline:
                row["timeline"] = self.compact(entry["timeline"])
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
