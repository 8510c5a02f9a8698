"""A plain folder of music: one sub-folder per genre."""

import contextlib
import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from genre.audio.decode import EXTENSIONS, readable
from genre.audio.ffmpeg import REMEDY
from genre.data.datamodule import GenreDataModule
from genre.data.track import Corpus, Track
from genre.errors import GenreError

log = logging.getLogger(__name__)


class Folder(GenreDataModule):
    """Music as ``<root>/<genre>/<file>`` or ``<root>/<genre>/<artist>/…/<file>``.

    The name of the first sub-folder, where there is one, counts as the artist, so that grouped splits keep it in
    one subset. Links are followed; hidden files and folders are passed over.
    """

    def read_corpus(self) -> Corpus:  # noqa: D102
        require_folder(self.root)
        tracks = []
        folders = sorted(path for path in self.root.iterdir() if path.is_dir() and not path.name.startswith("."))
        for folder in folders:
            for path in audio_files(folder):
                inner = path.relative_to(folder).parts
                tracks.append(Track(path, folder.name, inner[0] if len(inner) > 1 else None))
        if not tracks:
            if unread := unread_files(self.root):
                raise GenreError(describe_unread(self.root, unread))
            raise GenreError(
                f"{self.root}: found no audio file in its sub-folders; expected {self.root.name}/<genre>/<file>, "
                f"with the ending {', '.join(sorted(EXTENSIONS))}"
            )
        corpus = Corpus(tracks)
        inner_folders = {track.artist for track in tracks if track.artist}
        if len(corpus.genres) == 1 and len(inner_folders) > 1:  # one genre's artists, or all genres one level deeper
            only = corpus.genres[0]
            raise GenreError(
                f"{self.root}: found audio in one sub-folder, {only}, with {len(inner_folders)} sub-folders; expected "
                f"at least 2 genres, a sub-folder each; if those in {only} are the genres, point data.root at "
                f"{self.root / only}"
            )
        warn_of_strays(self.root, (track.path for track in tracks), "in no genre's folder")
        warn_of_empty(folders, (track.path for track in tracks))
        _warn_of_same([track.path for track in tracks])
        return corpus


def audio_files(folder: Path) -> list[Path]:
    """Every audio file below a folder, by its ending, sorted; hidden ones are passed over.

    Those that need PyAV are listed where it is installed, see :func:`unread_files`.

    Links to folders are followed, except one that leads back to a folder that it lies in. A link that leads nowhere
    is listed, too: whoever opens it can say so.
    """
    return [path for path in _every_audio_file(folder) if readable(path)]


def unread_files(folder: Path) -> list[Path]:
    """The audio files below a folder that PyAV is missing for."""
    return [path for path in _every_audio_file(folder) if not readable(path)]


def describe_unread(folder: Path, unread: Sequence[Path]) -> str:
    """One line about audio files that PyAV is missing for."""
    files, need = ("file", "needs") if len(unread) == 1 else ("files", "need")
    return f"{folder}: {len(unread)} audio {files} {need} PyAV to be read, such as {unread[0]}; {REMEDY}"


def _every_audio_file(folder: Path) -> list[Path]:
    found = []
    for place, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".") and not _leads_back(Path(place, name))]
        found += [Path(place, name) for name in names if not name.startswith(".")]
    return sorted(path for path in found if path.suffix.lower() in EXTENSIONS)


def _leads_back(folder: Path) -> bool:
    if not folder.is_symlink():
        return False
    target = folder.resolve()
    return any(above.resolve() == target for above in folder.absolute().parents)


def _warn_of_same(paths: Iterable[Path]) -> None:
    places: dict[tuple[int, int], list[Path]] = {}
    for path in paths:
        with contextlib.suppress(OSError):  # a link that leads nowhere
            status = path.stat()
            places.setdefault((status.st_dev, status.st_ino), []).append(path)
    several = [same for same in places.values() if len(same) > 1]
    if several:
        log.warning(
            "%d file(s) are listed more than once by links, such as %s and %s: the same music may be trained on and "
            "scored; `genre audit` lists them all",
            *(len(several), *several[0][:2]),
        )


def unlisted_files(base: Path, known: Iterable[Path]) -> list[Path]:
    """The audio files below a folder beside the known ones; one of the same name in another format is no stray."""
    names = {path.with_suffix("") for path in known}
    return [path for path in audio_files(base) if path.with_suffix("") not in names]


def warn_of_strays(base: Path, known: Iterable[Path], kind: str, advice: str = "") -> None:
    """Logs in one line how many audio files a data set passes over.

    Args:
        base: The folder that the data set lies in.
        known: The files that it knows.
        kind: What the others are, such as ``not named as GTZAN's tracks``.
        advice: What to do about them, at the end of the line.
    """
    found = unlisted_files(base, known)
    if found:
        files, are = ("file", "is") if len(found) == 1 else ("files", "are")
        log.warning(
            "%d audio %s below %s %s %s and %s passed over, such as %s%s",
            *(len(found), files, base, are, kind, are, found[0], advice),
        )
    if unread := unread_files(base):
        log.warning("%s", describe_unread(base, unread))


def warn_of_empty(folders: Iterable[Path], known: Iterable[Path]) -> None:
    """Logs in one line which folders of genres hold no track: a genre would vanish without a word.

    Args:
        folders: The folders of the genres.
        known: The files of the tracks.
    """
    filled = {place for folder in {path.parent for path in known} for place in (folder, *folder.parents)}
    empty = [folder for folder in folders if folder not in filled]
    if empty:
        several = f"{len(empty)} folders yield" if len(empty) > 1 else "1 folder yields"
        log.warning("%s no track, and no genre: %s", several, ", ".join(map(str, empty)))


def read_as_folder(base: Path) -> str:
    """The advice to read a data set without regard to its names."""
    return f"; as a folder (--data Folder, with {base} as the root) all would be read"


def require_folder(root: Path) -> None:
    """Raises a :class:`GenreError` unless ``root`` is a folder."""
    if not root.is_dir():
        found = "a file" if root.exists() else "nothing"
        raise GenreError(f"{root}: found {found}, expected a folder of audio; check data.root")
