"""The audio files of a folder: which there are, which a data set passes over, and which can be read.

Before a run, headers are read, and the samples of floating-point files. A file that fails only when it is decoded is
found during the run, by :mod:`genre.data.segments`.
"""

import contextlib
import logging
import os
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from genre.audio.decode import EXTENSIONS, probe, readable, verify
from genre.audio.ffmpeg import REMEDY
from genre.data.track import Track
from genre.errors import AudioError, GenreError, printable

log = logging.getLogger(__name__)


def require_folder(root: Path) -> None:
    """Raises a :class:`~genre.GenreError` unless ``root`` is a folder."""
    if not root.is_dir():
        there = "a file" if root.exists() else "nothing"
        raise GenreError(f"{root}: found {there}, expected a folder of audio; check data.root")


def find_audio_files(folder: Path) -> list[Path]:
    """Every audio file below a folder, by its ending, sorted, without hidden ones.

    Files that need PyAV are listed where it is installed, see :func:`unread_files`. Links to folders are followed,
    except a link to a folder that contains it. A link that leads nowhere is listed; opening it raises the error.
    """
    return [path for path in _files_by_ending(folder) if readable(path)]


def unread_files(folder: Path) -> list[Path]:
    """The audio files below a folder that cannot be read because PyAV is not installed."""
    return [path for path in _files_by_ending(folder) if not readable(path)]


def describe_unread(folder: Path, unread: Sequence[Path]) -> str:
    """One line about the result of :func:`unread_files`."""
    files, need = ("file", "needs") if len(unread) == 1 else ("files", "need")
    return f"{folder}: {len(unread)} audio {files} {need} PyAV to be read, such as {unread[0]}; {REMEDY}"


def unlisted_files(base: Path, listed: Iterable[Path]) -> list[Path]:
    """The audio files below a folder that a data set does not list, without other formats of the listed ones."""
    names = {path.with_suffix("") for path in listed}
    return [path for path in find_audio_files(base) if path.with_suffix("") not in names]


def warn_of_unlisted(base: Path, listed: Iterable[Path], problem: str, as_folder: bool = False) -> None:
    """Logs in one line how many audio files below the folder of a data set it skips.

    ``problem`` says why, such as ``not named as GTZAN's tracks``; with ``as_folder``, the line advises to read the data
    set as a plain folder.
    """
    unlisted = unlisted_files(base, listed)
    if unlisted:
        files, are = ("file", "is") if len(unlisted) == 1 else ("files", "are")
        advice = f"; as a folder (--data Folder, with {base} as the root) all would be read" if as_folder else ""
        log.warning(
            "%d audio %s below %s %s %s and %s passed over, such as %s%s",
            *(len(unlisted), files, base, are, problem, are, unlisted[0], advice),
        )
    if unread := unread_files(base):
        log.warning("%s", describe_unread(base, unread))


def warn_of_empty(folders: Iterable[Path], listed: Iterable[Path]) -> None:
    """Logs in one line which genre folders hold no track; without it the genre would vanish silently."""
    filled = {place for folder in {path.parent for path in listed} for place in (folder, *folder.parents)}
    empty = [folder for folder in folders if folder not in filled]
    if empty:
        count = f"{len(empty)} folders yield" if len(empty) > 1 else "1 folder yields"
        log.warning("%s no track, and no genre: %s", count, ", ".join(map(str, empty)))


def warn_of_links(paths: Collection[Path]) -> None:
    """Logs in one line which files are listed more than once."""
    places: dict[tuple[int, int], list[Path]] = {}
    for path in paths:
        with contextlib.suppress(OSError):  # a link that leads nowhere
            status = path.stat()
            places.setdefault((status.st_dev, status.st_ino), []).append(path)
    repeated = [same for same in places.values() if len(same) > 1]
    if repeated:
        log.warning(
            "%d file(s) are listed more than once by links, such as %s and %s: the same music may be trained on and "
            "scored; `genre audit` lists them all",
            *(len(repeated), *repeated[0][:2]),
        )


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


def scan(tracks: Sequence[Track], bad_files: BadFiles) -> list[Readable]:
    """Finds the tracks that can be read; notes the others.

    The headers of several files are read at once. Floating-point files are read completely, because only they can hold
    NaN.
    """
    readable_tracks = []
    with ThreadPoolExecutor() as pool:
        for track, seconds in zip(tracks, pool.map(_duration, tracks), strict=True):
            if isinstance(seconds, AudioError):
                bad_files.note(track.path, seconds.reason)
            else:
                readable_tracks.append(Readable(track, seconds))
    return readable_tracks


def _duration(track: Track) -> float | AudioError:
    try:
        seconds = probe(track.path).seconds
        verify(track.path)
    except AudioError as error:
        return error
    return seconds if track.excerpt is None else track.excerpt[1] - track.excerpt[0]


def _files_by_ending(folder: Path) -> list[Path]:
    files = []
    for place, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".") and not _contains_itself(Path(place, name))]
        files += [Path(place, name) for name in names if not name.startswith(".")]
    return sorted(path for path in files if path.suffix.lower() in EXTENSIONS)


def _contains_itself(folder: Path) -> bool:
    """Whether a folder is a link to one that it lies in."""
    return folder.is_symlink() and folder.resolve() in {above.resolve() for above in folder.absolute().parents}
