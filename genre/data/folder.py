"""A plain folder of music: one sub-folder a genre."""

from pathlib import Path

from genre.data.audio import EXTENSIONS
from genre.data.datamodule import GenreDataModule
from genre.data.track import Corpus, Track
from genre.errors import GenreError


class Folder(GenreDataModule):
    """Music as ``<root>/<genre>/<file>`` or ``<root>/<genre>/<artist>/…/<file>``.

    The name of the first sub-folder, where there is one, counts as the artist, so that grouped splits keep it on
    one side. Hidden files and folders are passed over.
    """

    def read_corpus(self) -> Corpus:  # noqa: D102
        require_folder(self.root)
        tracks = []
        for folder in sorted(path for path in self.root.iterdir() if path.is_dir()):
            for path in audio_files(folder):
                inner = path.relative_to(folder).parts
                tracks.append(Track(path, folder.name, inner[0] if len(inner) > 1 else None))
        tracks = [track for track in tracks if not track.genre.startswith(".")]
        if not tracks:
            raise GenreError(
                f"{self.root}: found no audio file in its sub-folders; expected {self.root.name}/<genre>/<file>, "
                f"with the ending {', '.join(sorted(EXTENSIONS))}"
            )
        return Corpus(tracks)


def audio_files(folder: Path) -> list[Path]:
    """Every audio file below a folder, by its ending, sorted; hidden ones are passed over."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in EXTENSIONS
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def require_folder(root: Path) -> None:
    """Raises a :class:`GenreError` unless ``root`` is a folder."""
    if not root.is_dir():
        found = "a file" if root.exists() else "nothing"
        raise GenreError(f"{root}: found {found}, expected a folder of audio; check data.root")
