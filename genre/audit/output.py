"""The output of an audit: four files, tables in the terminal, and a summary."""

import csv
import math
import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from rich.table import Table

from genre.audit.duplicates import Pair
from genre.audit.faults import Examined
from genre.data.track import SUBSETS, Subset, count_genres, count_tracks
from genre.errors import printable
from genre.terminal import make_table, say, terminal

#: The subset of each track, by its path, under each split, by its name.
Membership = Mapping[str, Mapping[Path, Subset]]

#: The largest number of rows in a table of the terminal; the files have them all.
MAX_ROWS = 25


@dataclass(frozen=True)
class Findings:
    """The results of an audit.

    Attributes:
        base: The folder of the data set, to which paths are relative.
        tracks: All tracks.
        pairs: The pairs of tracks that are one recording.
        recordings: The copies of every recording that the data set holds more than once.
        membership: The subset of each track under the usual splits.
        excluded: The tracks to leave out, with the reasons.
    """

    base: Path
    tracks: Sequence[Examined]
    pairs: Sequence[Pair]
    recordings: Sequence[Sequence[Examined]]
    membership: Membership
    excluded: Mapping[Path, str]

    def write(self, folder: Path) -> None:
        """Writes ``tracks.csv``, ``pairs.csv``, ``genres.csv`` and ``exclude.txt``."""
        self._write_tracks(folder / "tracks.csv")
        self._write_pairs(folder / "pairs.csv")
        self._write_genres(folder / "genres.csv")
        self._write_exclusions(folder / "exclude.txt")

    def show(self) -> None:
        """Prints genres, sample rates, faults and pairs."""
        self._show_genres()
        self._show_encodings()
        self._show_faults()
        self._show_pairs()

    def summary(self) -> list[str]:
        """The counts, one line each."""
        useless = sum(examined.useless for examined in self.tracks)
        faulty = sum(bool(examined.faults) for examined in self.tracks) - useless
        are, have = "is" if useless == 1 else "are", "has" if faulty == 1 else "have"
        lines = [f"{useless} of {plural(self.tracks, 'track')} {are} useless, {faulty} more {have} faults but may stay"]
        if self.recordings:
            exact = sum(pair.kind == "exact" for pair in self.pairs)
            contested = sum(len({copy.track.genre for copy in copies}) > 1 for copies in self.recordings)
            lines.append(
                f"{sum(map(len, self.recordings))} tracks are only {plural(self.recordings, 'recording')} "
                f"(pairs: {exact} exact, {len(self.pairs) - exact} near); {contested} with contested genres"
            )
            for name, subsets in self.membership.items():
                separated = sum(
                    len(subsets_of(subsets, (copy.track.path for copy in copies))) > 1 for copies in self.recordings
                )
                lines.append(f"the {name} split puts copies of {separated} of these recordings into different subsets")
        return lines

    def _minutes(self, genre: str | None = None) -> float:
        """The duration of all tracks, or of those of one genre."""
        return sum(examined.seconds for examined in self.tracks if genre in (None, examined.track.genre)) / 60

    def _path(self, examined: Examined) -> str:
        return relative_path(examined.track.path, self.base)

    def _write_tracks(self, path: Path) -> None:
        """One row per track: durations in seconds, rates in hertz, levels in dB relative to full scale."""
        columns = ("path", "genre", "artist", "seconds", "sample_rate", "channels", "encoding", "peak_dbfs", "rms_dbfs")
        rows = []
        for examined in self.tracks:
            track, encoding = examined.track, examined.encoding
            header = (encoding.sample_rate, encoding.channels, encoding.subtype) if encoding else ("", "", "")
            levels = (f"{level:.2f}" if math.isfinite(level) else "" for level in (examined.peak, examined.rms))
            faults = "; ".join(map(str, examined.faults))
            names = (self._path(examined), track.genre, track.artist or "")
            rows.append(
                (*names, f"{examined.seconds:.3f}", *header, *levels, faults, self.excluded.get(track.path, ""))
            )
        _write_csv(path, (*columns, "faults", "exclude"), rows)

    def _write_pairs(self, path: Path) -> None:
        """One row per pair; for each split, the subset of both tracks, or the two subsets that hold one each."""
        columns = ("track_a", "track_b", "kind", "offset_seconds", "overlap_seconds", "correlation", "level_db")
        names = ("genre_a", "genre_b", "artist_a", "artist_b", *(name.replace(" ", "_") for name in self.membership))
        rows = []
        for pair in self.pairs:
            one, other, likeness = pair.one.track, pair.other.track, pair.likeness
            rows.append(
                (
                    *(self._path(pair.one), self._path(pair.other), pair.kind),
                    *(f"{likeness.offset:.3f}", f"{likeness.overlap:.3f}"),
                    *(f"{likeness.correlation:.3f}", f"{likeness.level:.1f}"),
                    *(one.genre, other.genre, one.artist or "", other.artist or ""),
                    *("/".join(subsets_of(subsets, (one.path, other.path))) for subsets in self.membership.values()),
                )
            )
        _write_csv(path, (*columns, *names), rows)

    def _write_genres(self, path: Path) -> None:
        """One row per genre; the share is the largest artist's share of the genre's tracks."""
        columns = ("genre", "tracks", "minutes", "artists", "unknown_artist", "largest_artist", "largest_share")
        rows = []
        for genre, count in count_genres([examined.track for examined in self.tracks]).items():
            share = f"{count.share:.3f}" if count.largest else ""
            minutes = f"{self._minutes(genre):.2f}"
            rows.append((genre, count.tracks, minutes, count.artists, count.unknown, count.largest, share))
        _write_csv(path, columns, rows)

    def _write_exclusions(self, path: Path) -> None:
        """One path per line, below its reason as a comment."""
        lines = [
            f"# genre audit {self.base}: leave out {len(self.excluded)} of {len(self.tracks)} tracks.",
            f"# Use it as --data.exclude {path}; put a # before a track, or take its line out, to keep it.",
        ]
        by_reason = sorted((reason, track) for track, reason in self.excluded.items())
        for reason, entries in groupby(by_reason, key=lambda entry: entry[0]):
            names = [relative_path(track, self.base) for _, track in entries]
            # A path that begins like a comment gets a prefix.
            lines += ["", f"# {reason}", *(f"./{name}" if name.startswith("#") else name for name in names)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="backslashreplace")

    def _show_genres(self) -> None:
        """Tracks, minutes, artists and the largest artist of every genre and of all."""
        table = make_table("genre", "largest artist", numbers=["share", "tracks", "minutes", "artists"], title="genres")
        tracks = [examined.track for examined in self.tracks]
        rows = [(genre, self._minutes(genre), count) for genre, count in count_genres(tracks).items()]
        for name, minutes, count in (*rows, ("all", self._minutes(), count_tracks(tracks))):
            artists = f"{count.artists} + {count.unknown} unknown" if count.unknown else str(count.artists)
            table.add_row(
                name,
                count.largest,
                f"{count.share:.0%}" if count.largest else "",
                str(count.tracks),
                f"{minutes:.1f}",
                artists if count.artists else "unknown",
                end_section=len(table.rows) == len(rows) - 1,
            )
        terminal().print(table)

    def _show_encodings(self) -> None:
        """Sample rates and channels: if genres differ in them, a classifier could tell the genres by them alone."""
        encodings = [examined.encoding for examined in self.tracks if examined.encoding]
        rates = Counter(f"{encoding.sample_rate} Hz" for encoding in encodings)
        channels = Counter(f"{encoding.channels} channel{'s' * (encoding.channels > 1)}" for encoding in encodings)
        parts = [
            ", ".join(f"{name} ({count})" for name, count in counter.most_common()) for counter in (rates, channels)
        ]
        if encodings:
            say("; ".join(parts))

    def _show_faults(self) -> None:
        """Tracks with faults, the useless ones first."""
        faulty = sorted((examined for examined in self.tracks if examined.faults), key=lambda track: not track.useless)
        if not faulty:
            say("no faulty file")
            return
        table = make_table("track", "faults", "to be left out", title="faulty files")
        for examined in faulty[:MAX_ROWS]:
            faults = "; ".join(map(str, examined.faults))
            table.add_row(self._path(examined), faults, "yes" if examined.useless else "")
        _show_rows(table, len(faulty), "tracks.csv")

    def _show_pairs(self) -> None:
        """Tracks that are one recording, contested ones first, and the splits that separate them."""
        if not self.pairs:
            say("no two tracks of one recording")
            return
        numbers = ["offset", "corr.", "level"]
        table = make_table("tracks", "kind", "separated by", numbers=numbers, title="the same recording", lines=True)
        for pair in sorted(self.pairs, key=lambda pair: not pair.contested)[:MAX_ROWS]:
            paths = pair.one.track.path, pair.other.track.path
            splits = [name for name, subsets in self.membership.items() if len(subsets_of(subsets, paths)) > 1]
            table.add_row(
                f"{self._path(pair.one)}\n{self._path(pair.other)}",
                pair.kind + ("\ncontested" if pair.contested else ""),
                "\n".join(splits),
                f"{pair.likeness.offset:+.2f} s",
                f"{pair.likeness.correlation:.2f}",
                f"{pair.likeness.level:+.1f} dB",
            )
        _show_rows(table, len(self.pairs), "pairs.csv")


def subsets_of(subsets: Mapping[Path, Subset], paths: Iterable[Path]) -> list[Subset]:
    """The subsets that hold these tracks; if they are copies and there are several, the split separates them."""
    present = {subsets[path] for path in paths if path in subsets}
    return [subset for subset in SUBSETS if subset in present]


def relative_path(path: Path, base: Path) -> str:
    """A path relative to the data set."""
    return printable(Path(os.path.relpath(path, base)))


def plural(things: Collection[object], name: str) -> str:
    """A number and a name, such as ``1 track`` and ``2 tracks``."""
    return f"{len(things)} {name}{'s' * (len(things) != 1)}"


def _show_rows(table: Table, count: int, file: str) -> None:
    terminal().print(table)
    if count > MAX_ROWS:
        say(f"… and {count - MAX_ROWS} more in {file}")


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
