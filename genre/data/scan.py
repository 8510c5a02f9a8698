"""Which tracks can be read, and which cannot."""

import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from genre.audio.decode import AudioError, probe, verify
from genre.data.track import Track
from genre.errors import printable

log = logging.getLogger(__name__)


class Readable(NamedTuple):
    """A track that can be read, and its duration."""

    track: Track
    seconds: float


class BadFiles(dict[Path, str]):
    """Files that could not be read, and why; each is logged once."""

    def note(self, path: Path, reason: str) -> None:
        """Takes in a file, the first time that it is met."""
        if path not in self:
            self[path] = reason
            log.warning("skipped %s: %s", printable(path), reason)

    def first(self) -> str:
        """The first one, as an example in a message."""
        return next((f"{printable(path)}: {reason}" for path, reason in self.items()), "none of them was noted")


def scan(tracks: Iterable[Track], bad_files: BadFiles) -> list[Readable]:
    """Reads the headers of tracks, several at once, and all samples of floating point; notes those that are bad."""
    with ThreadPoolExecutor() as pool:
        found = list(pool.map(_read, tracks))
    readable = []
    for track, seconds in found:
        if isinstance(seconds, str):
            bad_files.note(track.path, seconds)
        else:
            readable.append(Readable(track, seconds))
    return readable


def _read(track: Track) -> tuple[Track, float | str]:
    """The track, and its duration or what is wrong with it."""
    try:
        seconds = probe(track.path).seconds
        verify(track.path)
    except AudioError as error:
        return track, error.reason
    return track, seconds if track.excerpt is None else track.excerpt[1] - track.excerpt[0]
