"""``genre audit``: decodes every file, and reports faults, copies, and the tracks to leave out."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import BufferingHandler
from pathlib import Path
from typing import Literal

from genre.audit.duplicates import find_pairs, group
from genre.audit.exclusions import select_exclusions, subset_membership
from genre.audit.faults import Limits, examine_all
from genre.audit.layout import read_data_set
from genre.audit.output import Findings, plural
from genre.terminal import progress, say, terminal


def audit(root: Path, out: Path, data: str | None, limits: Limits, artist: Literal["tags"] | None) -> None:
    """Examines a data set, prints the findings, and writes them to a folder.

    Args:
        root: The data set's folder, or a CSV file of tracks.
        out: The folder of the findings; made if missing.
        data: The name of the data set; ``None``: the one that its folders look like.
        limits: The usual durations.
        artist: Whether the artists come from the files' tags.

    Raises:
        GenreError: ``root`` holds no data set.
        OSError: ``out`` cannot be written.
    """
    logging.basicConfig(format="genre: %(message)s", level=logging.WARNING)
    with _collect_warnings("genre.data") as warnings:
        name, root, corpus = read_data_set(root, data, artist)
    say(f"{root}: {plural(corpus.tracks, 'track')} of {plural(corpus.genres, 'genre')}, read as {name}")
    out.mkdir(parents=True, exist_ok=True)
    base = root if root.is_dir() else root.parent
    tracks = list(progress(examine_all(corpus.tracks, limits), "decoding", len(corpus.tracks)))
    with terminal().status("comparing"):
        pairs = find_pairs(tracks)
    recordings = group(pairs)
    membership = subset_membership(corpus)
    excluded = select_exclusions(tracks, recordings, membership.get("official", {}), base)
    findings = Findings(base, tracks, pairs, recordings, membership, excluded)
    findings.write(out)
    findings.show()
    for line in (*findings.summary(), *(record.getMessage() for record in warnings)):
        say(line)
    say(f"{out}: tracks.csv, pairs.csv, genres.csv, exclude.txt")
    if excluded:
        say(f"leave out {plural(excluded, 'track')} with --data.exclude {out / 'exclude.txt'}")


@contextmanager
def _collect_warnings(name: str) -> Iterator[list[logging.LogRecord]]:
    """Collects the warnings of a logger, so that they can be repeated after a long run."""
    collector, logger = BufferingHandler(sys.maxsize), logging.getLogger(name)
    collector.setLevel(logging.WARNING)
    logger.addHandler(collector)
    try:
        yield collector.buffer
    finally:
        logger.removeHandler(collector)
