"""How much audio a file has, where that is more than its header announces."""

import functools
from pathlib import Path

from genre.audio import chunks, mpeg, streams
from genre.audio.stretch import Stretch


def extent(path: Path, announced: int, is_mpeg: bool) -> tuple[Stretch, ...]:
    """What a decoder is to read, one after the other, in place of a file whose header announces too little.

    Looks at headers alone: those of every frame of an mp3 without a count, a few of other files.

    Args:
        path: The file.
        announced: The number of frames that the header says.
        is_mpeg: Whether it is an mp3, which need not begin as one.

    Returns:
        Empty where all is well, or where the format is none of those that are known here.

    Raises:
        AudioError: There are streams one after the other that differ in rate or channels.
    """
    status = path.stat()
    return _extent(path, announced, is_mpeg, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=1 << 16)
def _extent(path: Path, announced: int, is_mpeg: bool, size: int, changed: int) -> tuple[Stretch, ...]:
    """``size`` and ``changed`` tell a file that has been changed meanwhile."""
    with path.open("rb") as file:
        magic = file.read(10)
        tag = mpeg.tag_size(magic, 0)
        file.seek(tag)
        inner = file.read(4)
    if magic[:4] in (*chunks.LAYOUTS, b".snd"):
        found = chunks.corrected(path, magic[:4])
        return () if found is None else (found,)
    if magic[:4] == b"OggS":
        return tuple(streams.parts_of_ogg(path))
    if inner == b"fLaC" and announced:  # a total that is left open is for the decoder to complain of
        return tuple(streams.parts_of_flac(path, tag, announced))
    if is_mpeg:
        found = mpeg.corrected(path, announced)
        return () if found is None else (found,)
    return ()
