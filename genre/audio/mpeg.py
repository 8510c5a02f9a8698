"""MPEG audio (mp3): how many frames a file has, where its header does not say so or says too little.

The headers of the frames alone are read, nothing is decoded: about 1 ms for 30 s.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from genre.audio.source import AudioError
from genre.audio.stretch import Stretch

#: kbit/s by index, of layer I, II and III of MPEG-1 and of MPEG-2.
BIT_RATES = {
    (1, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}

#: By the two bits of the version: 2.5, reserved, 2, 1.
SAMPLE_RATES = ((11025, 12000, 8000), (), (22050, 24000, 16000), (44100, 48000, 32000))

#: The count in a file's first frame is believed where the bytes that it states are there, but for so many of tags.
TAGS = 4096

#: So many headers that do not belong to the stream may be bytes between its frames that look like some.
STRAYS = 8


class Frame(NamedTuple):
    """The header of a frame: its length in bytes, its samples, and where the count of frames may stand in it."""

    size: int
    samples: int
    layer: int
    rate: int
    mono: bool
    count_at: int

    def is_like(self, other: "Frame") -> bool:
        """Whether both may be of one stream."""
        return (self.layer, self.rate, self.mono) == (other.layer, other.rate, other.mono)


def header(data: bytes | mmap.mmap, at: int) -> Frame | None:
    """The header at a place, or ``None`` where there is none."""
    if at + 4 > len(data) or data[at] != 0xFF or data[at + 1] & 0xE0 != 0xE0:
        return None
    version, layer = data[at + 1] >> 3 & 3, 4 - (data[at + 1] >> 1 & 3)
    rate_index, bit_index, padding = data[at + 2] >> 2 & 3, data[at + 2] >> 4, data[at + 2] >> 1 & 1
    if version == 1 or layer == 4 or rate_index == 3 or bit_index in (0, 15):
        return None
    first = version == 3
    rate = SAMPLE_RATES[version][rate_index]
    bits = 1000 * BIT_RATES[1 if first else 2, layer][bit_index]
    samples = {1: 384, 2: 1152, 3: 1152 if first else 576}[layer]
    size = 4 * (12 * bits // rate + padding) if layer == 1 else samples // 8 * bits // rate + padding
    mono = data[at + 3] >> 6 == 3
    side = (17 if mono else 32) if first else (9 if mono else 17)
    return Frame(size, samples, layer, rate, mono, 4 + side)


def tag_size(data: bytes | mmap.mmap, at: int) -> int:
    """The length of the ID3v2 tag at a place; 0 where there is none."""
    head = data[at : at + 10]
    if len(head) < 10 or head[:3] != b"ID3" or max(head[6:]) > 127:
        return 0
    length = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return 10 + length + (10 if head[5] & 0x10 else 0)


def frames(data: mmap.mmap) -> Iterator[tuple[int, Frame]]:
    """Where each frame begins, and its header; what lies between frames is passed over."""
    at, end = 0, len(data)
    while at < end:
        frame = header(data, at)
        if frame is not None and (at + frame.size >= end or header(data, at + frame.size) or _tag(data, at, frame)):
            if at + frame.size > end:
                return
            yield at, frame
            at += frame.size
        elif size := tag_size(data, at):
            at += size
        else:
            at = data.find(b"\xff", at + 1)
            if at < 0:
                return


def stated(data: mmap.mmap, at: int, frame: Frame) -> tuple[int, int] | None:
    """The frames and the bytes after it that a first frame states: one of Xing's or Fraunhofer's, which has no sound.

    -1 stands for what it leaves open; ``None``: it is an ordinary frame.
    """
    body = data[at : at + frame.size]
    name = body[frame.count_at : frame.count_at + 4]
    if name in (b"Xing", b"Info"):
        fields, place = body[frame.count_at + 7], frame.count_at + 8
        count = int.from_bytes(body[place : place + 4], "big") if fields & 1 else -1
        place += 4 * (fields & 1)
        return count, int.from_bytes(body[place : place + 4], "big") if fields & 2 else -1
    if body[36:40] == b"VBRI":
        return int.from_bytes(body[50:54], "big"), int.from_bytes(body[46:50], "big")
    return None


def corrected(path: Path, announced: int) -> Stretch | None:
    """What a decoder is to read where the header announces less than there is, or more.

    Args:
        path: The file.
        announced: The number of samples that it is taken to have.

    Returns:
        The frames after a first one that states how many they are; ``None`` where all is well.

    Raises:
        AudioError: There are streams one after the other that differ in rate or channels.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        stretch = _corrected(data, announced)
    if stretch is not None and not stretch.head:
        raise AudioError(path, "streams, one after the other, that differ in rate or channels")
    return stretch


def _corrected(data: mmap.mmap, announced: int) -> Stretch | None:
    """See :func:`corrected`; without a head where there is none that fits all streams."""
    found = frames(data)
    at, first = next(found, (0, None))
    if first is None or first.layer != 3:  # the others have no place for a count
        return None
    known = stated(data, at, first)
    if known is not None and known[0] > 0 and abs(len(data) - at - known[1]) <= TAGS:
        return None
    start = at if known is None else at + first.size
    alike = [frame.is_like(first) for _, frame in found]
    if alike.count(False) > STRAYS:
        return Stretch(b"", at, len(data))
    count = alike.count(True) + (known is None)
    there = count * first.samples
    if there == announced if known is None else abs(count - known[0]) <= 1:
        return None
    return Stretch(_first_frame(data[at : at + 4], count), start, len(data))


def _tag(data: mmap.mmap, at: int, frame: Frame) -> bool:
    following = at + frame.size
    return data[following : following + 3] in (b"TAG", b"ID3") or data[following : following + 8] == b"APETAGEX"


def _first_frame(start: bytes, count: int) -> bytes:
    """A frame without sound that states how many follow; its bit rate is the lowest that has room for that."""
    # Without the bit of the checksum, which would come first, and without padding.
    heads = (bytes((start[0], start[1] | 1, index << 4 | start[2] & 0x0C, start[3])) for index in range(1, 15))
    framed = ((head, frame) for head in heads if (frame := header(head, 0)) is not None)
    head, frame = next((head, frame) for head, frame in framed if frame.size >= frame.count_at + 12)
    body = head + bytes(frame.count_at - 4) + b"Xing" + (1).to_bytes(4, "big") + count.to_bytes(4, "big")
    return body + bytes(frame.size - len(body))
