"""Unpacks archives of strangers: nothing outside the folder, no links, no devices, no more than expected."""

import gzip
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
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
        """Reads ``size`` bytes; raises a :class:`GenreError` if ``size`` is unlimited or too large."""
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
        if zipfile.is_zipfile(path):
            _unpack_zip(path, folder, max_bytes)
        else:
            _unpack_tar(path, folder, max_bytes)
    except GenreError as error:
        raise GenreError(f"{path}: unsafe to unpack ({error})") from None
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, NotImplementedError, ValueError, RuntimeError) as error:
        raise GenreError(f"{path}: cannot be unpacked ({error}); remove it and download it again") from None
    except OSError as error:  # gzip.BadGzipFile is one, too
        if error.errno:
            raise
        raise GenreError(f"{path}: cannot be unpacked ({error}); remove it and download it again") from None


def _unpack_zip(path: Path, folder: Path, max_bytes: int) -> None:
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        _check((_zip_member(info) for info in infos), max_bytes)
        for info in infos:
            if info.is_dir():
                (folder / info.filename).mkdir(parents=True, exist_ok=True)
            else:
                with archive.open(info) as source:  # never more than info.file_size bytes
                    _write(source, folder / info.filename)


def _unpack_tar(path: Path, folder: Path, max_bytes: int) -> None:
    with _open_tar(path) as archive:
        _check(
            (Member(info.name, info.size, info.isdir(), info.isdir() or info.isreg()) for info in archive), max_bytes
        )
    with _open_tar(path) as archive:
        for info in archive:
            if info.isdir():
                (folder / info.name).mkdir(parents=True, exist_ok=True)
            elif source := archive.extractfile(info):
                with source:
                    _write(source, folder / info.name)


@contextmanager
def _open_tar(path: Path) -> Iterator[tarfile.TarFile]:
    with Bounded(path) as content, tarfile.open(fileobj=content, mode="r:") as archive:
        yield archive


def _zip_member(info: zipfile.ZipInfo) -> Member:
    mode = info.external_attr >> 16  # 0 if the archive was not written on Unix
    ordinary = S_ISREG(mode) or S_ISDIR(mode) or not mode & 0o170000
    return Member(info.filename, info.file_size, info.is_dir(), ordinary)


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


def _write(source: IO[bytes], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as file:  # x: no member replaces another one
        shutil.copyfileobj(source, file, MAX_READ)
