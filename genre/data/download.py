"""Downloads data sets: resumes, verifies checksums, and unpacks them into the layout that the DataModules read."""

import logging
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory

import pooch
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

from genre.data.archive import unpack
from genre.errors import GenreError
from genre.terminal import say, terminal

GB = 10**9

#: Bytes per read, and seconds without a byte after which a connection counts as lost.
CHUNK, TIMEOUT = 1 << 20, 30

#: A download fails after this number of connections in a row that give no byte.
ATTEMPTS = 3


@dataclass(frozen=True)
class Archive:
    """An archive on the web.

    Attributes:
        url: Its address.
        checksum: ``algorithm:digest``, as published with the data set.
        folder: The folder that it unpacks to.
        unpacked: An upper bound of its members' size in bytes.
    """

    url: str
    checksum: str
    folder: str
    unpacked: int

    @property
    def name(self) -> str:
        """The file's name."""
        return self.url.rpartition("/")[2]


# The checksums of FMA stand in its README (github.com/mdeff/fma), that of Ballroom in the README of its annotations
# (github.com/CPJKU/BallroomAnnotations).
_FMA = "https://os.unil.cloud.switch.ch/fma"
_METADATA = Archive(f"{_FMA}/fma_metadata.zip", "sha1:f0df49ffe5f2a6008d7dc83c6915b31835dfe733", "fma_metadata", 2 * GB)
_SMALL = Archive(f"{_FMA}/fma_small.zip", "sha1:ade154f733639d52e35e32f5593efe5be76c6d70", "fma_small", 9 * GB)
_MEDIUM = Archive(f"{_FMA}/fma_medium.zip", "sha1:c67b69ea232021025fca9231fc1c7c1a063ab50b", "fma_medium", 26 * GB)
_LARGE = Archive(f"{_FMA}/fma_large.zip", "sha1:497109f4dd721066b5ce5e5f250ec604dc78939e", "fma_large", 110 * GB)
_BALLROOM = Archive(
    "http://mtg.upf.edu/ismir2004/contest/tempoContest/data1.tar.gz",
    "md5:2872a3e52070bc342a4510a95e2fa0b8",
    "BallroomData",
    3 * GB,
)

#: The archives of each data set. The audio of FMA is of no use without the metadata.
ARCHIVES: dict[str, Sequence[Archive]] = {
    "fma-metadata": (_METADATA,),
    "fma-small": (_METADATA, _SMALL),
    "fma-medium": (_METADATA, _MEDIUM),
    "fma-large": (_METADATA, _LARGE),
    "ballroom": (_BALLROOM,),
}

#: Where to get the data sets that their authors do not offer as an archive.
ELSEWHERE = {
    "gtzan": "its address, opihi.cs.uvic.ca/sound/genres.tar.gz, is dead; people get it from "
    "huggingface.co/datasets/marsyas/gtzan (data/genres.tar.gz, MD5 5b3d6dddb579ab49814ab86dba69e7c7) or from "
    "kaggle.com/datasets/andradaolteanu/gtzan-dataset-music-genre-classification",
    "extended-ballroom": "its authors publish a list and a script that fetches the songs one by one, no archive; get "
    "both from anasynth.ircam.fr/home/media/ExtendedBallroom",
}


def download(name: str, root: Path) -> None:
    """Downloads a data set; continues an interrupted download, and skips archives that are already unpacked.

    Args:
        name: One of ``ARCHIVES`` or ``ELSEWHERE``.
        root: The folder that gets the data set's folders; it also holds the archives until they are unpacked.

    Raises:
        GenreError: The data set has no archive, the server does not answer, the disk is too small, a checksum is wrong,
            or an archive is unsafe to unpack.
    """
    if name in ELSEWHERE:
        raise GenreError(f"{name}: {ELSEWHERE[name]}")
    pooch.get_logger().setLevel(logging.WARNING)
    for archive in ARCHIVES[name]:
        target = root / archive.folder
        if target.exists():
            say(f"{target}: already there; remove it to download it again")
            continue
        path = fetch(archive, root)
        require_space(root, archive.unpacked, f"to unpack {archive.name}")
        with TemporaryDirectory(dir=root, prefix=f".{archive.folder}-") as folder:
            unpack(path, Path(folder), archive.unpacked)
            unpacked = Path(folder) / archive.folder
            if not unpacked.is_dir():
                raise GenreError(f"{path}: holds no folder {archive.folder}; is it the archive of {name}?")
            unpacked.rename(target)  # at the end: the target is complete or absent
        path.unlink()
        say(f"{target}: unpacked")


def fetch(archive: Archive, root: Path) -> Path:
    """Downloads an archive to ``root`` and verifies its checksum. A partial download is kept as ``NAME.part``.

    Raises:
        GenreError: See :func:`download`.
    """
    root.mkdir(parents=True, exist_ok=True)
    downloader = partial(_resume, archive, root / f"{archive.name}.part")
    try:
        return Path(pooch.retrieve(archive.url, archive.checksum, archive.name, root, downloader=downloader))
    except ValueError:  # the checksum; pooch has deleted the file
        raise GenreError(
            f"{archive.url}: its checksum is not {archive.checksum}, as published; the file was deleted: "
            "type the command again, or get the data set elsewhere"
        ) from None


def require_space(folder: Path, needed: int, purpose: str) -> None:
    """Checks the free space on the disk of a folder.

    Raises:
        GenreError: There is not enough.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise GenreError(f"{folder}: {free / GB:.1f} GB are free, {needed / GB:.1f} GB are needed {purpose}")


def _resume(archive: Archive, part: Path, url: str, output_file: str, _pooch: object) -> None:
    """A downloader for pooch: continues ``part``, also over lost connections, and moves it to ``output_file``."""
    failures, reason = 0, "the connection was closed"
    while failures < ATTEMPTS:
        size = part.stat().st_size if part.exists() else 0
        try:
            complete = _append(archive, part, url, size)
        except urllib.error.HTTPError as error:
            complete = error.code == 416  # nothing follows
            if not complete:
                raise GenreError(f"{url}: the server answers {error.code} {error.reason}; try again later") from None
        except (HTTPException, OSError) as error:
            if isinstance(error, OSError) and error.filename:  # an error of the local file, such as a full disk
                raise
            cause = getattr(error, "reason", error)  # of an URLError
            complete, reason = False, str(getattr(cause, "strerror", None) or cause)
        if complete:
            part.replace(output_file)
            return
        progressed = part.exists() and part.stat().st_size > size
        failures = 0 if progressed else failures + 1
    raise GenreError(f"{url}: {reason}; type the command again: it goes on from there")


def _append(archive: Archive, part: Path, url: str, size: int) -> bool:
    """Downloads an archive from byte ``size`` on, and appends it to ``part``; returns whether ``part`` is complete."""
    request = urllib.request.Request(url, headers={"Range": f"bytes={size}-"} if size else {})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
        start = size if response.status == 206 else 0  # 206: a part, 200: all
        length = response.headers.get("Content-Length", "")
        total = start + int(length) if length.isdecimal() else None
        if match := re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "")):
            start, total = int(match[1]), None if match[2] == "*" else int(match[2])
            if start not in (0, size):
                raise HTTPException(f"the server sends byte {start}, expected {size}")
        if total is not None:
            require_space(part.parent, total - start + archive.unpacked, f"for {archive.name} and what is in it")
        columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        console = terminal()
        with (
            part.open("ab" if start else "wb") as file,
            Progress("{task.description}", *columns, console=console, disable=not console.is_terminal) as progress,
        ):
            task = progress.add_task(archive.name, completed=start, total=total)
            while content := response.read(CHUNK):
                file.write(content)
                progress.advance(task, len(content))
            return total is None or file.tell() >= total
