"""Finds the files that cannot be read, before a run: from their headers, and the samples of floating-point files.

A file that fails only when it is decoded is found during the run, by :mod:`genre.data.segments`.
"""

import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from genre.audio.decode import probe, verify
from genre.data.track import Track
from genre.errors import AudioError, printable

log = logging.getLogger(__name__)


class Readable(NamedTuple):
    """A track that can be read, and its duration."""

    track: Track
    seconds: float


class BadFiles(dict[Path, str]):
    """Files that could not be read, and why; each is logged once."""

    def note(self, path: Path, reason: str) -> None:
        """Adds a file and logs it, unless it is there already."""
        if path not in self:
            self[path] = reason
            log.warning("skipped %s: %s", printable(path), reason)

    def first(self) -> str:
        """The first one, as an example in a message."""
        return next((f"{printable(path)}: {reason}" for path, reason in self.items()), "none of them was noted")


def scan(tracks: Iterable[Track], bad_files: BadFiles) -> list[Readable]:
    """Finds the tracks that can be read; notes the others.

    The headers of several files are read at once. Floating-point files are read completely, because only they can hold
    NaN.
    """
    with ThreadPoolExecutor() as pool:
        durations = list(pool.map(_duration, tracks))
    readable = []
    for track, seconds in zip(tracks, durations, strict=True):
        if isinstance(seconds, AudioError):
            bad_files.note(track.path, seconds.reason)
        else:
            readable.append(Readable(track, seconds))
    return readable


def _duration(track: Track) -> float | AudioError:
    try:
        seconds = probe(track.path).seconds
        verify(track.path)
    except AudioError as error:
        return error
    return seconds if track.excerpt is None else track.excerpt[1] - track.excerpt[0]
