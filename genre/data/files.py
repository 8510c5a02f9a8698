"""The search for audio files in folders."""

import os
from collections.abc import Sequence
from pathlib import Path

from genre.audio.decode import EXTENSIONS, readable
from genre.audio.ffmpeg import REMEDY


def audio_files(folder: Path) -> list[Path]:
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


def _files_by_ending(folder: Path) -> list[Path]:
    files = []
    for place, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".") and not _contains_itself(Path(place, name))]
        files += [Path(place, name) for name in names if not name.startswith(".")]
    return sorted(path for path in files if path.suffix.lower() in EXTENSIONS)


def _contains_itself(folder: Path) -> bool:
    """Whether a folder is a link to one that it lies in."""
    if not folder.is_symlink():
        return False
    target = folder.resolve()
    return any(above.resolve() == target for above in folder.absolute().parents)
