"""``genre audit``: decodes every file, and reports faults, copies, and the tracks to leave out."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from genre.audit.duplicates import find_pairs, group
from genre.audit.exclusions import select_exclusions, subset_membership
from genre.audit.faults import Examined, Limits, examine_all
from genre.audit.layout import read_data_set
from genre.audit.output import Findings, plural
from genre.data.track import Track
from genre.errors import GenreError
from genre.terminal import say, terminal


def audit(
    root: Path,
    out: Path,
    data: str | None = None,
    limits: Limits | None = None,
    artist: Literal["tags"] | None = None,
) -> int:
    """Examines a data set, prints the findings, and writes them to a folder.

    Returns:
        The exit status: 0, whatever the findings.

    Raises:
        GenreError: ``root`` holds no data set, or ``out`` cannot be written.
    """
    logging.basicConfig(format="genre: %(message)s", level=logging.WARNING)
    console = terminal()
    with _collect_warnings("genre.data") as warnings:
        name, root, corpus = read_data_set(root, data, artist)
    say(f"{root}: {plural(corpus.tracks, 'track')} of {plural(corpus.genres, 'genre')}, read as {name}")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GenreError(f"{out}: cannot be made a folder ({error.strerror}); choose another --out") from None
    base = root if root.is_dir() else root.parent
    tracks = _examine_all(console, corpus.tracks, limits or Limits())
    with console.status("comparing"):
        pairs = find_pairs(tracks)
    recordings = group(pairs)
    membership = subset_membership(corpus)
    excluded = select_exclusions(tracks, recordings, membership.get("official", {}), base)
    findings = Findings(base, tracks, pairs, recordings, membership, excluded)
    try:
        findings.write(out)
    except OSError as error:
        raise GenreError(f"{error.filename or out}: {error.strerror}; choose another --out") from None
    findings.show()
    for line in (*findings.summary(), *warnings):
        say(line)
    say(f"{out}: tracks.csv, pairs.csv, genres.csv, exclude.txt")
    if excluded:
        say(f"leave out {plural(excluded, 'track')} with --data.exclude {out / 'exclude.txt'}")
    return 0


def _examine_all(console: Console, tracks: Sequence[Track], limits: Limits) -> list[Examined]:
    """Examines all tracks, with a progress bar in a terminal."""
    columns = (TextColumn("decoding"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        return list(progress.track(examine_all(tracks, limits), total=len(tracks)))


@contextmanager
def _collect_warnings(name: str) -> Iterator[list[str]]:
    """Collects the warnings of a logger, so that they can be repeated after a long run."""
    messages: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    collector, logger = Collector(logging.WARNING), logging.getLogger(name)
    logger.addHandler(collector)
    try:
        yield messages
    finally:
        logger.removeHandler(collector)
