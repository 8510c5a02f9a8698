"""Ogg and FLAC: several streams one after the other in one file, of which only the first is decoded; a false total."""

import mmap
import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from genre.audio.stretch import Stretch

#: Places in a file that are looked at, and bytes of each: more than a page of Ogg or a frame of FLAC has.
PLACES = 8
LOOK = 1 << 17

#: The first page of a stream of Ogg; the beginning of FLAC, whose first block is of 34 bytes.
OGG_START = re.compile(rb"OggS\x00[\x02\x06]")
FLAC_START = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")

#: The second four bits of a frame's header give its samples; the first frame byte is 0xFF, then 14 fixed bits in all.
FLAC_FRAME = re.compile(rb"\xff[\xf8\xf9]", re.DOTALL)
BLOCK_SIZES = (0, 192, 576, 1152, 2304, 4608, 0, 0, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768)


class Place(NamedTuple):
    """What the audio at some place of a file is: of which stream, and the number of its first or last sample."""

    stream: int
    sample: int
    samples: int = 0


def parts_of_ogg(path: Path) -> list[Stretch]:
    """The streams of a file that has several one after the other; empty where it has one."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        places = _look(data, _last_page)
        first = {int.from_bytes(data[at + 14 : at + 18], "little") for at in _beginnings(data)}
        if _in_order(places) and all(place.stream in first for place in places):
            return []
        return _cut(data, [start.start() for start in OGG_START.finditer(data) if _page_size(data, start.start())])


def last_page_of_ogg(path: Path, start: int, stop: int) -> int:
    """The first sample of the last page of a stream: libsndfile misses places in it by as much as that page is cut.

    Args:
        path: The file.
        start: Where in the file the stream begins.
        stop: Where it ends.
    """
    with path.open("rb") as file:
        file.seek(max(start, stop - LOOK))
        part = file.read(stop - max(start, stop - LOOK))
    before = _last_page(part[: max(0, part.rfind(b"OggS\x00"))])
    return before.sample if before else 0


def parts_of_flac(path: Path, start: int, announced: int) -> list[Stretch]:
    """The streams of a file that has several, or one with the right total in its header; empty where all is well.

    Args:
        path: The file.
        start: Where FLAC begins, after a tag.
        announced: The total of samples that the header says.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        size = int.from_bytes(data[start + 8 : start + 10], "big")
        places = _look(data, lambda part: _last_frame(part, size), start)
        if not places or (_in_order(places) and places[-1].sample + places[-1].samples == announced):
            return []
        starts = [found.start() for found in FLAC_START.finditer(data, start)]
        if len(starts) > 1:
            return _cut(data, starts)
        total = places[-1].sample + places[-1].samples
        if not _in_order(places) or total < announced:
            return []
        head = bytearray(data[start : start + 26])
        packed = int.from_bytes(head[18:26], "big") >> 36 << 36 | total
        head[18:26] = packed.to_bytes(8, "big")
        return [Stretch(bytes(head), start + 26, len(data))]


def _look(data: mmap.mmap, find: Callable[[bytes], Place | None], start: int = 0) -> list[Place]:
    """What is found at places that are spread over a file, the last one its end."""
    ends = [start + (len(data) - start) * number // PLACES for number in range(1, PLACES + 1)]
    found = (find(data[max(start, end - LOOK) : end]) for end in ends)
    return [place for place in found if place is not None]


def _in_order(places: Sequence[Place]) -> bool:
    return all(one.sample <= other.sample for one, other in pairwise(places))


def _cut(data: mmap.mmap, starts: Sequence[int]) -> list[Stretch]:
    """Streams from where each begins to where the next one does."""
    return [Stretch(b"", start, stop) for start, stop in zip(starts, [*starts[1:], len(data)], strict=True)]


def _page_size(data: mmap.mmap, at: int) -> int:
    count = data[at + 26] if at + 27 <= len(data) else 0
    return 27 + count + sum(data[at + 27 : at + 27 + count]) if count else 0


def _beginnings(data: mmap.mmap) -> list[int]:
    """Where the first pages are that a file begins with: one, or one for each of streams that run side by side."""
    found, at = [], 0
    while OGG_START.match(data, at) and (size := _page_size(data, at)):
        found.append(at)
        at += size
    return found


def _last_page(part: bytes) -> Place | None:
    """The last page that ends a packet."""
    at = len(part)
    while (at := part.rfind(b"OggS\x00", 0, at)) >= 0:
        sample = int.from_bytes(part[at + 6 : at + 14], "little", signed=True)
        if at + 27 <= len(part) and sample >= 0:
            return Place(int.from_bytes(part[at + 14 : at + 18], "little"), sample)
    return None


def _last_frame(part: bytes, block_size: int) -> Place | None:
    """The last frame of FLAC, by the checksum of its header."""
    for found in reversed(list(FLAC_FRAME.finditer(part))):
        place = _frame(part[found.start() : found.start() + 16], block_size)
        if place is not None:
            return place
    return None


def _frame(data: bytes, block_size: int) -> Place | None:
    data = data.ljust(16, b"\0")
    if data[3] & 1:
        return None
    at, number = _utf8(data, 4)
    code = data[2] >> 4
    samples = BLOCK_SIZES[code]
    if code in (6, 7):
        width = code - 5
        samples = int.from_bytes(data[at : at + width], "big") + 1
        at += width
    at += {12: 1, 13: 2, 14: 2}.get(data[2] & 15, 0)
    if number < 0 or not samples or _checksum(data[:at]) != data[at]:
        return None
    return Place(0, number if data[1] & 1 else number * block_size, samples)


def _utf8(data: bytes, at: int) -> tuple[int, int]:
    """Where a number ends that is written as UTF-8 writes letters, and that number; -1: it is none."""
    first = data[at]
    length = 8 - (first ^ 0xFF).bit_length()
    if length == 0:
        return at + 1, first
    rest = data[at + 1 : at + length]
    if length == 1 or length > 7 or any(byte >> 6 != 2 for byte in rest):
        return at + 1, -1
    number = first & (0x7F >> length)
    for byte in rest:
        number = number << 6 | byte & 0x3F
    return at + length, number


def _checksum(data: bytes) -> int:
    """CRC-8 with the polynomial x⁸ + x² + x + 1."""
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value << 1 ^ (0x07 if value & 0x80 else 0)) & 0xFF
    return value
