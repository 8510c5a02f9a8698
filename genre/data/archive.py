"""Unpacks archives of strangers: nothing outside the folder, no links, no devices, no more than expected."""

import gzip
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from stat import S_ISDIR, S_ISREG
from typing import IO, NamedTuple

from genre.errors import GenreError

#: The largest number of members; fma_large has 106,574 tracks.
MAX_MEMBERS = 200_000

#: The most bytes that a tar's reader wants at once: a longer name or header is an attack on the memory.
MAX_READ = 1 << 20


class Member(NamedTuple):
    """A member of an archive: a file or, if ``is_folder``, a folder; ``ordinary`` tells it from links and devices."""

    name: str
    size: int
    is_folder: bool
    ordinary: bool


class Bounded(gzip.GzipFile):
    """A gzip file that refuses large reads, so a tar's headers cannot fill the memory."""

    def read(self, size: int | None = -1) -> bytes:
        """Reads ``size`` bytes; raises a :class:`~genre.GenreError` if ``size`` is unlimited or too large."""
        if size is None or not 0 <= size <= MAX_READ:
            raise GenreError(f"a header of more than {MAX_READ} bytes")
        return super().read(size)


def unpack(path: Path, folder: Path, max_bytes: int) -> None:
    """Unpacks a zip or tar.gz archive into a folder. All members are checked before the first one is written.

    Raises:
        GenreError: The archive is damaged, or a member is a link or a device, would lie outside the folder, or makes
            the members larger than ``max_bytes`` together. Members written before a damaged one stay in the folder.
    """
    try:
        _unpack(path, folder, max_bytes)
    except GenreError as error:
        raise GenreError(f"{path}: unsafe to unpack ({error})") from None
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, NotImplementedError, ValueError, RuntimeError) as error:
        raise GenreError(f"{path}: cannot be unpacked ({error}); remove it and download it again") from None
    except OSError as error:  # gzip.BadGzipFile is one, too
        if error.errno:
            raise
        raise GenreError(f"{path}: cannot be unpacked ({error}); remove it and download it again") from None


def _unpack(path: Path, folder: Path, max_bytes: int) -> None:
    with _open(path) as archive:
        _check((member for member, _ in _members(archive)), max_bytes)
    with _open(path) as archive:
        for member, read in _members(archive):
            target = folder / member.name
            if member.is_folder:
                target.mkdir(parents=True, exist_ok=True)
            elif source := read():  # never more than member.size bytes
                target.parent.mkdir(parents=True, exist_ok=True)
                with source, target.open("xb") as file:  # x: no member replaces another one
                    shutil.copyfileobj(source, file, MAX_READ)


@contextmanager
def _open(path: Path) -> Iterator[zipfile.ZipFile | tarfile.TarFile]:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield archive
    else:
        with Bounded(path) as content, tarfile.open(fileobj=content, mode="r:") as archive:
            yield archive


def _members(archive: zipfile.ZipFile | tarfile.TarFile) -> Iterator[tuple[Member, Callable[[], IO[bytes] | None]]]:
    """The members, each with a function that opens it."""
    if isinstance(archive, zipfile.ZipFile):
        for info in archive.infolist():
            mode = info.external_attr >> 16  # 0 if the archive was not written on Unix
            ordinary = S_ISREG(mode) or S_ISDIR(mode) or not mode & 0o170000
            yield Member(info.filename, info.file_size, info.is_dir(), ordinary), partial(archive.open, info)
    else:
        for entry in archive:
            member = Member(entry.name, entry.size, entry.isdir(), entry.isdir() or entry.isreg())
            yield member, partial(archive.extractfile, entry)


def _check(members: Iterator[Member], max_bytes: int) -> None:
    total = 0
    for count, member in enumerate(members, 1):
        shown = repr(member.name[:80])
        parts = PurePosixPath(member.name).parts
        if not parts or parts[0] == "/" or ".." in parts or {"\\", ":", "\0"} & set(member.name):
            raise GenreError(f"{shown} would lie outside the folder")
        if not member.ordinary:
            raise GenreError(f"{shown} is a link or a device")
        total += member.size
        if total > max_bytes or count > MAX_MEMBERS:
            raise GenreError(f"more than {MAX_MEMBERS} members or {max_bytes / 1e9:.3g} GB")
