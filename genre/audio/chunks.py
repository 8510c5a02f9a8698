"""Files of chunks (wav, aiff, caf, au): a size of the audio that says too little, as a broken recording leaves it."""

from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple, TypeAlias

from genre.audio.stretch import Stretch

#: Bytes of the header that are looked at: what stands before the audio, a picture included.
HEADER = 1 << 22

#: Where RF64 states the size of its audio, in 64 bits: in its first chunk, not beside the audio.
RF64_SIZE = 28

#: So many bytes after the audio that are no chunk are left alone, such as a tag without one.
REST = 4096


Order: TypeAlias = Literal["little", "big"]
LITTLE: Order = "little"
BIG: Order = "big"


class Layout(NamedTuple):
    """How a format writes its chunks."""

    first: int  # where the first one begins
    audio: bytes  # the name of the one that holds the audio
    order: Order
    width: int  # bytes of a size
    even: bool  # whether a chunk of an odd size is followed by a byte


LAYOUTS = {
    b"RIFF": Layout(12, b"data", LITTLE, 4, True),
    b"RF64": Layout(12, b"data", LITTLE, 4, True),
    b"RIFX": Layout(12, b"data", BIG, 4, True),
    b"FORM": Layout(12, b"SSND", BIG, 4, True),
    b"caff": Layout(8, b"data", BIG, 8, False),
}


def corrected(path: Path, magic: bytes) -> Stretch | None:
    """What a decoder is to read where audio goes on after the size that is stated; ``None`` where all is well."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if magic == b".snd":
            place, width, order = 8, 4, BIG
            start, stated, correct = _number(file, 4, 4, BIG), _number(file, 8, 4, BIG), 0xFFFFFFFF
            following, chunk = start + stated, False
        else:
            layout = LAYOUTS[magic]
            found = _find(file, layout, size)
            if found is None:
                return None
            place, stated = found
            width, order, start = layout.width, layout.order, place + layout.width
            if magic == b"RF64":
                place, width, stated = RF64_SIZE, 8, _number(file, RF64_SIZE, 8, order)
            correct, following = size - start, start + stated + (stated % 2 if layout.even else 0)
            chunk = _is_chunk(file, following, layout, size)
        ends = chunk or (stated > 0 and -1 <= size - following <= REST)
        # A size beyond the end: libsndfile takes all that there is, but for the unknown ones of caf and RF64.
        beyond = start + stated > size and magic not in (b"caff", b"RF64")
        if ends or beyond or start >= min(size, HEADER):
            return None
        file.seek(0)
        head = bytearray(file.read(start))
    head[place : place + width] = correct.to_bytes(width, order)
    return Stretch(bytes(head), start, size)


def _find(file: BinaryIO, layout: Layout, end: int) -> tuple[int, int] | None:
    """Where the size of the audio stands, and that size."""
    at = layout.first
    while at + 4 + layout.width <= end:
        file.seek(at)
        name = file.read(4)
        stated = _number(file, at + 4, layout.width, layout.order)
        if name == layout.audio:
            return at + 4, stated
        at += 4 + layout.width + stated + (stated % 2 if layout.even else 0)
    return None


def _is_chunk(file: BinaryIO, at: int, layout: Layout, end: int) -> bool:
    """Whether chunks or a tag go on at a place, to the end of the file."""
    while at + 4 + layout.width <= end:
        file.seek(at)
        name = file.read(4)
        if name[:3] in (b"ID3", b"TAG", b"APE"):  # a tag without a chunk, which some programs append
            return True
        if not (name.isascii() and name.decode("ascii", "replace").isprintable()):
            return False
        stated = _number(file, at + 4, layout.width, layout.order)
        at += 4 + layout.width + stated + (stated % 2 if layout.even else 0)
    return end <= at <= end + 1


def _number(file: BinaryIO, at: int, width: int, order: Order) -> int:
    file.seek(at)
    return int.from_bytes(file.read(width), order)
