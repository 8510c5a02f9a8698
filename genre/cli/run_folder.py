"""The folder of a run: ``<runs_dir>/<name>/version_N``."""

import contextlib
from pathlib import Path

#: The words that Lightning accepts in place of a checkpoint's path.
KEYWORDS = ("best", "last", "hpc")


def last_version(parent: Path) -> Path | None:
    """The folder of the version with the highest number, if there is one."""
    taken = [path for path in parent.glob("version_*") if path.name[8:].isdecimal()]
    return max(taken, key=lambda path: int(path.name[8:]), default=None)


def next_version(parent: Path) -> Path:
    """The folder of a new version, numbered after the highest existing one."""
    last = last_version(parent)
    return parent / f"version_{0 if last is None else int(last.name[8:]) + 1}"


def claim(folder: Path) -> Path:
    """Makes the folder of a new version; takes a later number if another fit has just made this folder."""
    while True:
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            folder = next_version(folder.parent)
        else:
            return folder


def discard_unbegun(folder: Path) -> None:
    """Removes the folder of a fit that failed before its first step, and the file that a logger has begun there."""
    if not (folder / "config.yaml").exists():
        for file in folder.glob("events.out.tfevents.*"):
            file.unlink()
        with contextlib.suppress(OSError):  # the folder does not exist, or holds other files
            folder.rmdir()
            folder.parent.rmdir()


def folder_of(checkpoint: str | None) -> Path | None:
    """The folder of the run that wrote a checkpoint, if the checkpoint is still in it."""
    if checkpoint is None or checkpoint in KEYWORDS:
        return None
    folder = Path(checkpoint).resolve().parent.parent
    return folder if (folder / "config.yaml").is_file() else None
