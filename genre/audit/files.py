"""The files of an audit: ``tracks.csv``, ``pairs.csv``, ``genres.csv`` and ``exclude.txt``."""

import csv
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path, PurePosixPath

from genre.audit.duplicates import Pair
from genre.audit.examine import Examined
from genre.audit.subsets import Subsets, between
from genre.data.track import count_genres
from genre.errors import printable


def write_tracks(path: Path, tracks: Iterable[Examined], base: Path, excluded: Mapping[Path, str]) -> None:
    """One row a track: durations in seconds, rates in hertz, levels in dB below full scale."""
    columns = ("path", "genre", "artist", "seconds", "sample_rate", "channels", "encoding", "peak_dbfs", "rms_dbfs")
    rows = []
    for found in tracks:
        encoding = found.encoding
        shape = (encoding.sample_rate, encoding.channels, encoding.subtype) if encoding else ("", "", "")
        rows.append(
            (
                relative(found.track.path, base),
                found.track.genre,
                found.track.artist or "",
                f"{found.seconds:.3f}",
                *shape,
                *(f"{level:.2f}" if math.isfinite(level) else "" for level in (found.peak, found.rms)),
                "; ".join(map(str, found.faults)),
                excluded.get(found.track.path, ""),
            )
        )
    _write(path, (*columns, "faults", "exclude"), rows)


def write_pairs(path: Path, pairs: Iterable[Pair], base: Path, subsets: Subsets) -> None:
    """One row a pair; under each split the subset of both, or the two subsets that it tears them apart to."""
    columns = ("track_a", "track_b", "kind", "offset_seconds", "overlap_seconds", "correlation", "level_db")
    names = ("genre_a", "genre_b", "artist_a", "artist_b", *(name.replace(" ", "_") for name in subsets))
    rows = []
    for pair in pairs:
        one, other, likeness = pair.one.track, pair.other.track, pair.likeness
        rows.append(
            (
                relative(one.path, base),
                relative(other.path, base),
                pair.kind,
                f"{likeness.offset:.3f}",
                f"{likeness.overlap:.3f}",
                f"{likeness.correlation:.3f}",
                f"{likeness.level:.1f}",
                one.genre,
                other.genre,
                one.artist or "",
                other.artist or "",
                *("/".join(between(places, one.path, other.path)) for places in subsets.values()),
            )
        )
    _write(path, (*columns, *names), rows)


def write_genres(path: Path, tracks: Sequence[Examined]) -> None:
    """Writes one row per genre; the share is the largest artist's share of the genre's tracks."""
    columns = ("genre", "tracks", "minutes", "artists", "unknown_artist", "largest_artist", "largest_share")
    rows = []
    for genre, count in count_genres([examined.track for examined in tracks]).items():
        share = f"{count.share:.3f}" if count.largest else ""
        minutes = f"{total_minutes(tracks, genre):.2f}"
        rows.append((genre, count.tracks, minutes, count.artists, count.unknown, count.largest, share))
    _write(path, columns, rows)


def total_minutes(tracks: Iterable[Examined], genre: str | None = None) -> float:
    """The duration of all tracks, or of those of one genre, in minutes."""
    return sum(examined.seconds for examined in tracks if genre in (None, examined.track.genre)) / 60


def write_exclusions(path: Path, excluded: Mapping[Path, str], base: Path, tracks: int) -> None:
    """One path a line, relative to the data set, under the reason as a comment."""
    lines = [
        f"# genre audit {base}: leave out {len(excluded)} of {tracks} tracks.",
        f"# Use it as --data.exclude {path}; put a # before a track, or take its line out, to keep it.",
    ]
    for reason, entries in groupby(sorted(excluded.items(), key=_reason_first), key=lambda entry: entry[1]):
        lines += ["", f"# {reason}", *(_entry(relative(track, base)) for track, _ in entries)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="backslashreplace")


def relative(path: Path, base: Path) -> str:
    """The path as seen from the data set, with forward slashes; as it is where that is on another drive."""
    try:
        return printable(PurePosixPath(Path(os.path.relpath(path, base))))
    except ValueError:
        return printable(path)


def _entry(path: str) -> str:
    """A line that is no comment, whatever the folder is called."""
    return f"./{path}" if path.startswith("#") else path


def _reason_first(entry: tuple[Path, str]) -> tuple[str, Path]:
    return entry[1], entry[0]


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
