"""``genre audit``: decode every file, and say what stands between a data set and honest scores."""

import logging
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from genre.audit.duplicates import Pair, find_pairs, group
from genre.audit.examine import Examined, examine_all
from genre.audit.exclusions import select_exclusions
from genre.audit.faults import Limits
from genre.audit.files import write_exclusions, write_genres, write_pairs, write_tracks
from genre.audit.layout import read_corpus
from genre.audit.notes import keep_warnings
from genre.audit.subsets import Subsets, between, find_subsets
from genre.audit.tables import show_faults, show_genres, show_pairs, show_rates
from genre.data.track import Track
from genre.errors import GenreError


def audit(
    root: Path,
    out: Path,
    data: str | None = None,
    limits: Limits | None = None,
    artist: Literal["tags"] | None = None,
) -> int:
    """Examines a data set, prints what was found, and writes it into a folder.

    Args:
        root: Where the data set lies.
        out: The folder that gets ``tracks.csv``, ``pairs.csv``, ``genres.csv`` and ``exclude.txt``.
        data: Which data set it is, see :func:`genre.audit.layout.read_corpus`.
        limits: The durations that count as short and long.
        artist: Where the artists come from, see :class:`~genre.data.GenreDataModule`.

    Returns:
        The exit status: 0, whatever was found.

    Raises:
        GenreError: There is no such data set, or the folder cannot be written.
    """
    logging.basicConfig(format="genre: %(message)s", level=logging.WARNING)
    console = Console()
    say = partial(console.print, highlight=False, markup=False, soft_wrap=True)  # paths, whatever they are made of
    with keep_warnings("genre.data") as notes:
        name, root, corpus = read_corpus(root, data, artist)
    say(f"{root}: {_count(corpus.tracks, 'track')} of {_count(corpus.genres, 'genre')}, read as {name}")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GenreError(f"{out}: cannot be made a folder ({error.strerror}); choose another --out") from None
    base = root if root.is_dir() else root.parent
    tracks = _listen(console, corpus.tracks, limits or Limits())
    with console.status("comparing"):
        pairs = find_pairs(tracks)
    subsets = find_subsets(corpus)
    recordings = group(pairs)
    excluded = select_exclusions(tracks, recordings, subsets.get("official", {}), base)
    try:
        write_tracks(out / "tracks.csv", tracks, base, excluded)
        write_pairs(out / "pairs.csv", pairs, base, subsets)
        write_genres(out / "genres.csv", tracks)
        write_exclusions(out / "exclude.txt", excluded, base, len(tracks))
    except OSError as error:
        raise GenreError(f"{error.filename or out}: {error.strerror}; choose another --out") from None
    show_genres(console, tracks)
    show_rates(console, tracks)
    show_faults(console, tracks, base)
    show_pairs(console, pairs, base, subsets)
    for line in (*_summary(tracks, pairs, recordings, subsets), *notes):
        say(line)
    say(f"{out}: tracks.csv, pairs.csv, genres.csv, exclude.txt")
    if excluded:
        say(f"leave out {_count(excluded, 'track')} with --data.exclude {out / 'exclude.txt'}")
    return 0


def _listen(console: Console, tracks: Sequence[Track], limits: Limits) -> list[Examined]:
    """Examines all tracks, with progress where someone is watching."""
    columns = (TextColumn("listening"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        return list(progress.track(examine_all(tracks, limits), total=len(tracks)))


def _summary(
    tracks: Sequence[Examined], pairs: Sequence[Pair], recordings: Sequence[Sequence[Examined]], subsets: Subsets
) -> list[str]:
    """The counts, a line each."""
    useless = sum(found.useless for found in tracks)
    faulty = sum(bool(found.faults) for found in tracks) - useless
    are, have = "is" if useless == 1 else "are", "has" if faulty == 1 else "have"
    counted = f"{useless} of {_count(tracks, 'track')} {are} useless"
    lines = [f"{counted}, {faulty} more {have} faults that you may live with"]
    if recordings:
        exact = sum(pair.kind == "exact" for pair in pairs)
        copies = sum(map(len, recordings))
        lines.append(
            f"{copies} tracks are only {_count(recordings, 'recording')} "
            f"(pairs: {exact} exact, {len(pairs) - exact} near); "
            f"{sum(len({found.track.genre for found in copy}) > 1 for copy in recordings)} with contested genres"
        )
        for name, places in subsets.items():
            paths = [[found.track.path for found in copy] for copy in recordings]
            torn = sum(len(between(places, *copy)) > 1 for copy in paths)
            lines.append(f"the {name} split tears {torn} of these recordings apart")
    return lines


def _count(things: Collection[object], name: str) -> str:
    return f"{len(things)} {name}{'s' * (len(things) != 1)}"
