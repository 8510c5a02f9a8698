"""MPEG audio (mp3): finds the frames of a file from their headers, in about 1 ms for 30 s."""

import functools
import mmap
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from genre.audio.source import cached_by_file

#: The suffixes of MPEG audio.
EXTENSIONS = frozenset({".mp3", ".mp2", ".mp1"})

#: Bit rates in kbit/s by index, for (MPEG version, layer).
BIT_RATES = {
    (1, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}

#: Sample rates by the two bits of the version: 2.5, reserved, 2, 1.
SAMPLE_RATES = ((11025, 12000, 8000), (), (22050, 24000, 16000), (44100, 48000, 32000))

#: The delay of a decoder in samples. mpg123 drops them if a first frame states the number of frames.
DECODER_DELAY = 529

#: The largest number of other bytes before the first frame, and the number of consecutive frames that identify audio.
MAX_JUNK, FRAMES_IN_A_ROW = 1 << 16, 3

#: A file with at least this many bytes between two frames is damaged; mpg123 gives up there, too.
MAX_GAP = 1024

#: The stated number of frames is trusted if the stated size differs from the file's by at most this many bytes of tags.
MAX_TAGS = 4096


class Frame(NamedTuple):
    """The header of a frame. Sizes are in bytes; all frames of a stream share layer, rate and channels."""

    size: int
    samples: int
    layer: int
    sample_rate: int
    channels: int
    checksum_size: int
    side_info_size: int

    def is_like(self, other: "Frame") -> bool:
        """Whether both frames may belong to one stream."""
        return (self.layer, self.sample_rate, self.channels) == (other.layer, other.sample_rate, other.channels)


class Stream(NamedTuple):
    """The frames that a file begins with.

    Attributes:
        start: The byte at which the first frame of audio begins.
        frame: The header of that frame.
        frames: The number of frames that the file states; 0 if it states none.
        complete: Whether the file also states its size, and is of that size.
        delay: The samples of silence that the encoder put before the audio, if stated.
        padding: The samples of silence after the audio, if stated.
    """

    start: int
    frame: Frame
    frames: int = 0
    complete: bool = False
    delay: int = 0
    padding: int = 0

    def samples(self, frames: int) -> int:
        """The number of samples in a number of frames, without the silence."""
        return max(0, frames * self.frame.samples - self.delay - max(self.padding, DECODER_DELAY))


class Index(NamedTuple):
    """The frames of a stream.

    Attributes:
        places: The byte at which each frame begins.
        gaps: The numbers of the frames that do not begin where the previous one ends.
        intact: The number of frames before the first damage.
        strays: The number of frames of other streams.
    """

    places: Sequence[int]
    gaps: Sequence[int]
    intact: int
    strays: int


@cached_by_file()
def find_stream(path: Path, max_junk: int = 0) -> Stream | None:
    """The MPEG audio at the beginning of a file, after tags and at most ``max_junk`` other bytes.

    Returns:
        The stream, of any layer; ``None`` if the file begins with something else.
    """
    with mapped(path) as data:
        start = _after_tags(data, 0)
        last = start + max_junk
        while (frame := read_header(data, start)) is None or not _is_followed(data, start, frame, FRAMES_IN_A_ROW):
            start = data.find(b"\xff", start + 1)
            if not 0 <= start <= last:
                return None
        return _stated_stream(data, start, frame) or Stream(start, frame)


def _stated_stream(data: mmap.mmap, start: int, frame: Frame) -> Stream | None:
    """The stream that a first frame without audio describes, in Xing's or Fraunhofer's layout."""
    following = start + frame.size
    first, body = read_header(data, following), data[start:following]
    if first is None or first.layer != 3:
        return None
    frames = size = delay = padding = 0
    place = 4 + frame.side_info_size
    if body[place : place + 4] in (b"Xing", b"Info"):
        fields, place = body[place + 7], place + 8
        if fields & 1:
            frames, place = int.from_bytes(body[place : place + 4], "big"), place + 4
        if fields & 2:
            size, place = int.from_bytes(body[place : place + 4], "big"), place + 4
        place += (100 if fields & 4 else 0) + (4 if fields & 8 else 0)
        if any(body[place : place + 1]):  # an encoder that gives its name also states the silence
            silence = int.from_bytes(body[place + 21 : place + 24], "big")
            delay, padding = silence >> 12, silence & 0xFFF
    elif body[36:40] == b"VBRI":
        size, frames = int.from_bytes(body[46:50], "big"), int.from_bytes(body[50:54], "big")
    else:
        return None
    complete = frames > 0 and abs(len(data) - start - size) <= MAX_TAGS
    return Stream(following, first, frames, complete, delay, padding)


@cached_by_file(64)
def index_frames(path: Path, stream: Stream) -> Index:
    """Reads the headers of all frames."""
    places, gaps = array("q"), array("q")
    intact = strays = stop = 0
    with mapped(path) as data:
        place, end, size = stream.start, stream.start, len(data)
        while 0 <= place < size:
            frame = read_header(data, place)
            if frame is not None and (place == end or _is_followed(data, place, frame, 2)):
                if place + frame.size > size:
                    break
                if frame.is_like(stream.frame):
                    if place - end >= MAX_GAP:
                        intact = intact or len(places)
                    if place != stop:
                        gaps.append(len(places))
                    places.append(place)
                    end = stop = place + frame.size
                else:
                    strays += 1
                place += frame.size
            elif (after := _after_tags(data, place)) > place:
                place = end = after
            else:
                place = data.find(b"\xff", place + 1)
    return Index(places, gaps, intact or len(places), strays)


def read_header(data: mmap.mmap, place: int) -> Frame | None:
    """The header of the frame at a place; ``None`` if there is none."""
    return parse_header(data[place : place + 4])


@functools.lru_cache(maxsize=4096)
def parse_header(header: bytes) -> Frame | None:
    """Parses the four bytes of a frame's header; ``None`` if they are no header."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    rate_index, bit_index, padding = header[2] >> 2 & 3, header[2] >> 4, header[2] >> 1 & 1
    if version == 1 or layer == 4 or rate_index == 3 or bit_index in (0, 15):
        return None
    mpeg1 = version == 3
    rate = SAMPLE_RATES[version][rate_index]
    bits = 1000 * BIT_RATES[1 if mpeg1 else 2, layer][bit_index]
    samples = {1: 384, 2: 1152, 3: 1152 if mpeg1 else 576}[layer]
    size = 4 * (12 * bits // rate + padding) if layer == 1 else samples // 8 * bits // rate + padding
    channels = 1 if header[3] >> 6 == 3 else 2
    side_info_size = {(True, 1): 17, (True, 2): 32, (False, 1): 9, (False, 2): 17}[mpeg1, channels]
    return Frame(size, samples, layer, rate, channels, 0 if header[1] & 1 else 2, side_info_size)


def _is_followed(data: mmap.mmap, place: int, frame: Frame, frames_in_a_row: int) -> bool:
    """Whether a number of frames follow each other, or all frames up to a tag or the end of the file do."""
    for _ in range(frames_in_a_row - 1):
        place += frame.size
        following = read_header(data, place)
        if following is None:
            return place == len(data) or data[place : place + 3] in (b"TAG", b"ID3", b"APE")
        frame = following
    return True


def _after_tags(data: mmap.mmap, place: int) -> int:
    """The place after the ID3v2 tags that begin at a place."""
    while size := tag_size(data[place : place + 10]):
        place += size
    return place


def tag_size(head: bytes) -> int:
    """The size of the ID3v2 tag that begins with these ten bytes; 0 without a tag."""
    if len(head) < 10 or head[:3] != b"ID3" or max(head[6:]) > 127:
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return 10 + size + (10 if head[5] & 0x10 else 0)


@contextmanager
def mapped(path: Path) -> Iterator[mmap.mmap]:
    """Maps a file into memory."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        yield data
