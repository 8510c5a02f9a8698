"""Unpacks archives of strangers: nothing outside the folder, no links, no devices, no more than expected."""

import gzip
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from stat import S_IFDIR, S_IFMT, S_IFREG

from genre.errors import GenreError

#: The largest number of members of an archive; fma_large has 106,574 tracks.
MAX_MEMBERS = 200_000

#: The most bytes that a tar's reader wants at once: a longer name or header is an attack on the memory.
MAX_READ = 1 << 20


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
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                # The high half of external_attr is the mode; it is 0 if the archive was not written on Unix.
                ordinary = (0, S_IFREG, S_IFDIR)
                members = (
                    (info.filename, info.file_size, S_IFMT(info.external_attr >> 16) in ordinary)
                    for info in archive.infolist()
                )
                _check(members, max_bytes)
                archive.extractall(folder)
        else:
            with Bounded(path) as content, tarfile.open(fileobj=content, mode="r:") as tar:
                _check(((entry.name, entry.size, entry.isdir() or entry.isreg()) for entry in tar), max_bytes)
                tar.extractall(folder, filter="data")
    except GenreError as error:
        raise GenreError(f"{path}: unsafe to unpack ({error})") from None
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, NotImplementedError, ValueError, RuntimeError) as error:
        raise GenreError(f"{path}: cannot be unpacked ({error}); remove it and download it again") from None
    except OSError as error:  # gzip.BadGzipFile is one, too
        if error.errno:
            raise
        raise GenreError(f"{path}: cannot be unpacked ({error}); remove it and download it again") from None


def _check(members: Iterable[tuple[str, int, bool]], max_bytes: int) -> None:
    """Checks members by their names, their sizes, and whether they are files or folders: no links, no devices."""
    total = 0
    for count, (name, size, ordinary) in enumerate(members, 1):
        shown, parts = repr(name[:80]), PurePosixPath(name).parts
        if not parts or parts[0] == "/" or ".." in parts or {"\\", ":", "\0"} & set(name):
            raise GenreError(f"{shown} would lie outside the folder")
        if not ordinary:
            raise GenreError(f"{shown} is a link or a device")
        total += size
        if total > max_bytes or count > MAX_MEMBERS:
            raise GenreError(f"more than {MAX_MEMBERS} members or {max_bytes / 1e9:.3g} GB")
