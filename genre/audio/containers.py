"""Audio that a header omits: beyond a false size (wav, aiff, caf, au, FLAC) or in further streams (Ogg, FLAC).

An interrupted recording leaves a false size in the header. Joined files have several streams, and a decoder reads only
the first. This module reads only a few headers of each file.
"""

import mmap
import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from genre.audio.mpeg import mapped, tag_size
from genre.audio.source import cached_by_file

#: The largest header of a chunked file in bytes: all that comes before the audio, including a picture.
MAX_HEADER = 1 << 22

#: The largest number of bytes after the audio that are no chunk, such as a tag.
MAX_REST = 4096

#: The place of the 64-bit size of the audio in RF64: in its first chunk, not before the audio.
RF64_SIZE = 28

#: The number of places that are read in an Ogg or FLAC file, and the bytes per place: more than a page or a frame has.
PLACES, PLACE_BYTES = 8, 1 << 17

#: The first page of an Ogg stream; the beginning of FLAC, whose first block has 34 bytes; the start of a FLAC frame.
OGG_START = re.compile(rb"OggS\x00[\x02\x06]")
FLAC_START = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")
FLAC_FRAME = re.compile(rb"\xff[\xf8\xf9]", re.DOTALL)

#: The samples of a FLAC frame, by the second four bits of its header.
FLAC_BLOCK_SIZES = (0, 192, 576, 1152, 2304, 4608, 0, 0, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768)


class Stretch(NamedTuple):
    """The bytes that a decoder reads: ``head``, then bytes ``start`` to ``stop`` of a file."""

    head: bytes
    start: int
    stop: int


@cached_by_file()
def find_stretches(path: Path, announced: int) -> tuple[Stretch, ...]:
    """The stretches that a decoder reads instead of a file whose header announces too little.

    Args:
        path: The file.
        announced: The number of frames that its header states.

    Returns:
        The stretches, in order; empty if the header is right or the format is another.
    """
    with mapped(path) as data:
        if data[:4] in LAYOUTS:
            return _correct_size(data, data[:4])
        if data[:4] == b"OggS":
            return _ogg_streams(data)
        tag = tag_size(data[:10])
        if data[tag : tag + 4] == b"fLaC" and announced:  # 0: the header states no total
            return _flac_streams(data, tag, announced)
    return ()


# Chunked files, and au, whose header has fields in fixed places.

Order: TypeAlias = Literal["little", "big"]


class Layout(NamedTuple):
    """The layout of a format's chunks."""

    first: int  # the place of the first chunk
    audio: bytes  # the name of the chunk with the audio
    order: Order
    width: int  # the bytes of a size
    even: bool  # whether a chunk of odd size is padded with a byte

    def end(self, start: int, size: int) -> int:
        """The place after a chunk."""
        return start + size + (size % 2 if self.even else 0)


LAYOUTS = {
    b"RIFF": Layout(12, b"data", "little", 4, True),
    b"RF64": Layout(12, b"data", "little", 4, True),
    b"RIFX": Layout(12, b"data", "big", 4, True),
    b"FORM": Layout(12, b"SSND", "big", 4, True),
    b"caff": Layout(8, b"data", "big", 8, False),
    b".snd": Layout(0, b"", "big", 4, False),  # no chunks
}


def _correct_size(data: mmap.mmap, magic: bytes) -> tuple[Stretch, ...]:
    """The file with a corrected size in its header, if the audio goes on beyond the stated size."""
    layout, file_size = LAYOUTS[magic], len(data)
    audio = _find_audio(data, magic)
    if audio is None:
        return ()
    start, place, width = audio
    stated = _number(data, place, width, layout.order)
    end = layout.end(start, stated)
    is_chunk = magic != b".snd" and _is_chunk(data, end, layout)
    is_right = is_chunk or (stated > 0 and -1 <= file_size - end <= MAX_REST)
    # With a size beyond the end, libsndfile reads up to the end, except for the unknown sizes of caf and RF64.
    is_harmless = start + stated > file_size and magic not in (b"caff", b"RF64")
    if is_right or is_harmless or start >= min(file_size, MAX_HEADER):
        return ()
    correct = 0xFFFFFFFF if magic == b".snd" else file_size - start
    head = data[:place] + correct.to_bytes(width, layout.order) + data[place + width : start]
    return (Stretch(head, start, file_size),)


def _find_audio(data: mmap.mmap, magic: bytes) -> tuple[int, int, int] | None:
    """The place of the audio, and the place and the width of its stated size."""
    layout = LAYOUTS[magic]
    if magic == b".snd":
        return _number(data, 4, 4, layout.order), 8, 4
    place = layout.first
    while (start := place + 4 + layout.width) <= len(data):
        if data[place : place + 4] == layout.audio:
            return (start, RF64_SIZE, 8) if magic == b"RF64" else (start, place + 4, layout.width)
        place = layout.end(start, _number(data, place + 4, layout.width, layout.order))
    return None


def _is_chunk(data: mmap.mmap, place: int, layout: Layout) -> bool:
    """Whether the file consists of chunks or a tag from a place on."""
    while (start := place + 4 + layout.width) <= len(data):
        name = data[place : place + 4]
        if name[:3] in (b"ID3", b"TAG", b"APE"):  # a tag without a chunk, which some programs append
            return True
        if not (name.isascii() and name.decode("ascii").isprintable()):
            return False
        place = layout.end(start, _number(data, place + 4, layout.width, layout.order))
    return len(data) <= place <= len(data) + 1


def _number(data: mmap.mmap, place: int, width: int, order: Order) -> int:
    return int.from_bytes(data[place : place + width], order)


# Ogg and FLAC.


class Position(NamedTuple):
    """A page or frame in a file: its stream, and the number of its last (Ogg) or first (FLAC) sample."""

    stream: int
    sample: int
    samples: int = 0


def last_page_of_ogg(path: Path, start: int, stop: int) -> int:
    """The first sample of a stream's last page; seeks into this page are inaccurate in libsndfile if the page is cut.

    Args:
        path: The file.
        start: The byte at which the stream begins.
        stop: The byte at which it ends.
    """
    with mapped(path) as data:
        part = data[max(start, stop - PLACE_BYTES) : stop]
    before = _last_page(part[: max(0, part.rfind(b"OggS\x00"))])
    return before.sample if before else 0


def _ogg_streams(data: mmap.mmap) -> tuple[Stretch, ...]:
    """The streams of a file with several consecutive streams; empty for any other file."""
    positions = _positions(data, 0, _last_page)
    # A file begins with one first page, or with one per stream if streams are multiplexed.
    first, place = set(), 0
    while OGG_START.match(data, place) and (size := _page_size(data, place)):
        first.add(int.from_bytes(data[place + 14 : place + 18], "little"))
        place += size
    if _in_order(positions) and all(position.stream in first for position in positions):
        return ()
    return _cut(data, [start.start() for start in OGG_START.finditer(data) if _page_size(data, start.start())])


def _flac_streams(data: mmap.mmap, start: int, announced: int) -> tuple[Stretch, ...]:
    """The streams of a file with several streams, or its only stream with a corrected total in the header."""
    block_size = int.from_bytes(data[start + 8 : start + 10], "big")
    positions = _positions(data, start, lambda part: _last_frame(part, block_size))
    total = positions[-1].sample + positions[-1].samples if positions else announced
    if _in_order(positions) and total == announced:
        return ()
    starts = [match.start() for match in FLAC_START.finditer(data, start)]
    if len(starts) > 1:
        return _cut(data, starts)
    if not _in_order(positions) or total < announced:
        return ()
    head = bytearray(data[start : start + 26])
    head[18:26] = (int.from_bytes(head[18:26], "big") >> 36 << 36 | total).to_bytes(8, "big")
    return (Stretch(bytes(head), start + 26, len(data)),)


def _positions(data: mmap.mmap, start: int, find: Callable[[bytes], Position | None]) -> list[Position]:
    """The positions at places spread over a file, up to its end."""
    ends = [start + (len(data) - start) * number // PLACES for number in range(1, PLACES + 1)]
    positions = (find(data[max(start, end - PLACE_BYTES) : end]) for end in ends)
    return [position for position in positions if position is not None]


def _in_order(positions: Sequence[Position]) -> bool:
    return all(one.sample <= other.sample for one, other in pairwise(positions))


def _cut(data: mmap.mmap, starts: Sequence[int]) -> tuple[Stretch, ...]:
    return tuple(Stretch(b"", start, stop) for start, stop in zip(starts, [*starts[1:], len(data)], strict=True))


def _page_size(data: mmap.mmap, place: int) -> int:
    count = data[place + 26] if place + 27 <= len(data) else 0
    return 27 + count + sum(data[place + 27 : place + 27 + count]) if count else 0


def _last_page(part: bytes) -> Position | None:
    """The last Ogg page that ends a packet."""
    place = len(part)
    while (place := part.rfind(b"OggS\x00", 0, place)) >= 0:
        sample = int.from_bytes(part[place + 6 : place + 14], "little", signed=True)
        if place + 27 <= len(part) and sample >= 0:
            return Position(int.from_bytes(part[place + 14 : place + 18], "little"), sample)
    return None


def _last_frame(part: bytes, block_size: int) -> Position | None:
    """The last FLAC frame whose header has a valid checksum."""
    matches = reversed(list(FLAC_FRAME.finditer(part)))
    positions = (_flac_frame(part[match.start() : match.start() + 16], block_size) for match in matches)
    return next((position for position in positions if position is not None), None)


def _flac_frame(header: bytes, block_size: int) -> Position | None:
    header = header.ljust(16, b"\0")
    if header[3] & 1:
        return None
    place, number = _utf8(header, 4)
    code = header[2] >> 4
    samples = FLAC_BLOCK_SIZES[code]
    if code in (6, 7):
        width = code - 5
        samples = int.from_bytes(header[place : place + width], "big") + 1
        place += width
    place += {12: 1, 13: 2, 14: 2}.get(header[2] & 15, 0)
    if number < 0 or not samples or _checksum(header[:place]) != header[place]:
        return None
    return Position(0, number if header[1] & 1 else number * block_size, samples)


def _utf8(data: bytes, place: int) -> tuple[int, int]:
    """Reads a number in UTF-8 coding: the place after it, and the number; -1 if it is invalid."""
    first = data[place]
    length = 8 - (first ^ 0xFF).bit_length()
    if length == 0:
        return place + 1, first
    rest = data[place + 1 : place + length]
    if length == 1 or length > 7 or any(byte >> 6 != 2 for byte in rest):
        return place + 1, -1
    number = first & (0x7F >> length)
    for byte in rest:
        number = number << 6 | byte & 0x3F
    return place + length, number


def _checksum(data: bytes) -> int:
    """CRC-8 with the polynomial x⁸ + x² + x + 1."""
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value << 1 ^ (0x07 if value & 0x80 else 0)) & 0xFF
    return value
