"""A plain folder of music, one sub-folder per genre; and the checks of a folder's files that all data sets share."""

import contextlib
import logging
from collections.abc import Collection, Iterable
from pathlib import Path

from genre.audio.decode import EXTENSIONS
from genre.data.datamodule import GenreDataModule
from genre.data.files import audio_files, describe_unread, unread_files
from genre.data.track import Corpus, Track
from genre.errors import GenreError

log = logging.getLogger(__name__)


class Folder(GenreDataModule):
    """Music as ``<root>/<genre>/<file>`` or ``<root>/<genre>/<artist>/…/<file>``.

    The name of the first sub-folder below the genre, where there is one, counts as the artist, so that grouped splits
    keep it in one subset. Links are followed; hidden files and folders are skipped.

    Example:
        >>> from genre.audio import MelSpectrogram
        >>> from genre.data import Folder, StratifiedSplit
        >>> data = Folder("music", features=MelSpectrogram(), split=StratifiedSplit())
        >>> len(data.corpus.tracks), data.genres[:2]
        (24, ['genre0', 'genre1'])
    """

    def read_corpus(self) -> Corpus:  # noqa: D102
        return read_folder(self.root)


def read_folder(root: Path) -> Corpus:
    """Lists the tracks of a folder, see :class:`Folder`."""
    require_folder(root)
    folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    tracks = []
    for folder in folders:
        for path in audio_files(folder):
            inner = path.relative_to(folder).parts
            tracks.append(Track(path, folder.name, inner[0] if len(inner) > 1 else None))
    paths = [track.path for track in tracks]
    if not tracks:
        if unread := unread_files(root):
            raise GenreError(describe_unread(root, unread))
        raise GenreError(
            f"{root}: found no audio file in its sub-folders; expected {root.name}/<genre>/<file>, "
            f"with the ending {', '.join(sorted(EXTENSIONS))}"
        )
    corpus = Corpus(tracks)
    artists = {track.artist for track in tracks if track.artist}
    if len(corpus.genres) == 1 and len(artists) > 1:  # one genre's artists, or all genres one level deeper
        only = corpus.genres[0]
        raise GenreError(
            f"{root}: found audio in one sub-folder, {only}, with {len(artists)} sub-folders; expected at least 2 "
            f"genres, one sub-folder per genre; if those in {only} are the genres, point data.root at {root / only}"
        )
    warn_of_unlisted(root, paths, "in no genre's folder")
    warn_of_empty(folders, paths)
    _warn_of_links(paths)
    return corpus


def unlisted_files(base: Path, listed: Iterable[Path]) -> list[Path]:
    """The audio files below a folder that a data set does not list, without other formats of the listed ones."""
    names = {path.with_suffix("") for path in listed}
    return [path for path in audio_files(base) if path.with_suffix("") not in names]


def warn_of_unlisted(base: Path, listed: Iterable[Path], problem: str, advice: str = "") -> None:
    """Logs in one line how many audio files below the folder of a data set it skips.

    ``problem`` says why, such as ``not named as GTZAN's tracks``; ``advice`` stands at the end of the line.
    """
    unlisted = unlisted_files(base, listed)
    if unlisted:
        files, are = ("file", "is") if len(unlisted) == 1 else ("files", "are")
        log.warning(
            "%d audio %s below %s %s %s and %s passed over, such as %s%s",
            *(len(unlisted), files, base, are, problem, are, unlisted[0], advice),
        )
    if unread := unread_files(base):
        log.warning("%s", describe_unread(base, unread))


def read_as_folder(base: Path) -> str:
    """The advice to read a data set as a plain folder."""
    return f"; as a folder (--data Folder, with {base} as the root) all would be read"


def warn_of_empty(folders: Iterable[Path], listed: Iterable[Path]) -> None:
    """Logs in one line which genre folders hold no track; without it the genre would vanish silently."""
    filled = {place for folder in {path.parent for path in listed} for place in (folder, *folder.parents)}
    empty = [folder for folder in folders if folder not in filled]
    if empty:
        count = f"{len(empty)} folders yield" if len(empty) > 1 else "1 folder yields"
        log.warning("%s no track, and no genre: %s", count, ", ".join(map(str, empty)))


def require_folder(root: Path) -> None:
    """Raises a :class:`GenreError` unless ``root`` is a folder."""
    if not root.is_dir():
        there = "a file" if root.exists() else "nothing"
        raise GenreError(f"{root}: found {there}, expected a folder of audio; check data.root")


def _warn_of_links(paths: Collection[Path]) -> None:
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
