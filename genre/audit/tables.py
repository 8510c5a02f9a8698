"""What an audit shows in the terminal."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from genre.audit.duplicates import Pair
from genre.audit.examine import Examined
from genre.audit.files import relative, total_minutes
from genre.audit.subsets import Subsets, between
from genre.data.track import count_genres, count_tracks

#: The most rows of a table; the files have them all.
ROWS = 25


def show_genres(console: Console, examined: Sequence[Examined]) -> None:
    """Shows tracks, minutes, artists and the largest artist of every genre and of all."""
    table = Table(title="genres", title_justify="left")
    table.add_column("genre", overflow="fold")
    for name in ("tracks", "minutes", "artists"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("largest artist", overflow="fold")
    table.add_column("share", justify="right", no_wrap=True)
    tracks = [track.track for track in examined]
    rows = [(genre, total_minutes(examined, genre), count) for genre, count in count_genres(tracks).items()]
    for name, minutes, count in (*rows, ("all", total_minutes(examined), count_tracks(tracks))):
        artists = f"{count.artists} + {count.unknown} unknown" if count.unknown else str(count.artists)
        table.add_row(
            escape(name),
            str(count.tracks),
            f"{minutes:.1f}",
            artists if count.artists else "unknown",
            escape(count.largest),
            f"{count.share:.0%}" if count.largest else "",
            end_section=len(table.rows) == len(rows) - 1,
        )
    console.print(table)


def show_rates(console: Console, tracks: Sequence[Examined]) -> None:
    """How many tracks have which sample rate and how many channels: genres that differ there can be told by it."""
    encodings = [found.encoding for found in tracks if found.encoding]
    if not encodings:
        return
    rates = Counter(f"{encoding.sample_rate} Hz" for encoding in encodings)
    channels = Counter(f"{encoding.channels} channel{'s' * (encoding.channels > 1)}" for encoding in encodings)
    parts = [", ".join(f"{name} ({count})" for name, count in found.most_common()) for found in (rates, channels)]
    console.print("; ".join(parts), highlight=False)


def show_faults(console: Console, tracks: Sequence[Examined], base: Path) -> None:
    """What is wrong with which track, the useless ones first."""
    faulty = sorted((found for found in tracks if found.faults), key=lambda found: not found.useless)
    if not faulty:
        console.print("no faulty file")
        return
    table = Table(title="faulty files", title_justify="left")
    table.add_column("track", overflow="fold")
    table.add_column("faults")
    table.add_column("to be left out")
    for found in faulty[:ROWS]:
        faults = escape("; ".join(map(str, found.faults)))
        table.add_row(escape(relative(found.track.path, base)), faults, "yes" if found.useless else "")
    _print(console, table, len(faulty), "tracks.csv")


def show_pairs(console: Console, pairs: Sequence[Pair], base: Path, subsets: Subsets) -> None:
    """Which tracks are one recording, and which splits tear them apart; contested ones first."""
    if not pairs:
        console.print("no two tracks of one recording")
        return
    table = Table(title="the same recording", title_justify="left", show_lines=True)
    table.add_column("tracks", overflow="fold")
    table.add_column("kind", no_wrap=True)
    for name in ("offset", "corr.", "level"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("torn apart by")
    for pair in sorted(pairs, key=lambda pair: not pair.contested)[:ROWS]:
        one, other, likeness = pair.one.track.path, pair.other.track.path, pair.likeness
        torn = [name for name, places in subsets.items() if len(between(places, one, other)) > 1]
        table.add_row(
            f"{escape(relative(one, base))}\n{escape(relative(other, base))}",
            pair.kind + ("\ncontested" if pair.contested else ""),
            f"{likeness.offset:+.2f} s",
            f"{likeness.correlation:.2f}",
            f"{likeness.level:+.1f} dB",
            "\n".join(torn),
        )
    _print(console, table, len(pairs), "pairs.csv")


def _print(console: Console, table: Table, count: int, file: str) -> None:
    console.print(table)
    if count > ROWS:
        console.print(f"… and {count - ROWS} more in {file}")
