"""A plain folder of music, one sub-folder per genre."""

from pathlib import Path

from genre.audio.decode import EXTENSIONS
from genre.data.datamodule import GenreDataModule
from genre.data.files import (
    describe_unread,
    find_audio_files,
    require_folder,
    unread_files,
    warn_of_empty,
    warn_of_links,
    warn_of_unlisted,
)
from genre.data.track import Corpus, Track
from genre.errors import GenreError


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
        for path in find_audio_files(folder):
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
    warn_of_links(paths)
    return corpus
