"""Reads the tensors of a TensorFlow checkpoint without TensorFlow.

A checkpoint is two files: ``NAME.index``, a LevelDB table that says where each tensor lies, and
``NAME.data-00000-of-00001``, the values. The formats are those of LevelDB's ``table_format.md`` and of TensorFlow's
``tensor_bundle.proto``; TensorFlow does not compress the table.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genre.errors import GenreError

#: The last 8 bytes of a LevelDB table, and the length of the footer that they end.
MAGIC, FOOTER = bytes.fromhex("57fb808b247547db"), 48
#: Larger files and longer names are not those of a checkpoint, and are not read.
MAX_INDEX_BYTES, MAX_NAME_BYTES = 1 << 20, 1000
#: The number of float32 in TensorFlow's ``types.proto``.
FLOAT = 1


def read_tensors(index: Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Reads float32 tensors by name, and verifies the checksums of all that it reads.

    Args:
        index: The file ``NAME.index``; ``NAME.data-00000-of-00001`` lies beside it.
        shapes: The wanted tensors and their shapes. Other tensors, such as those of an optimizer, are not read.

    Raises:
        GenreError: A file is missing, damaged or no checkpoint, or a tensor is missing or has another shape.
    """
    data = index.with_name(f"{index.name.removesuffix('.index')}.data-00000-of-00001")
    for path in (index, data):
        if not path.is_file():
            raise GenreError(f"{path}: no such file, expected the two files of a TensorFlow checkpoint")
    try:
        if index.stat().st_size > MAX_INDEX_BYTES:
            raise ValueError("the file is too large for an index")
        entries = dict(_table(index.read_bytes()))
        with data.open("rb") as file:
            return {name: _tensor(file, name, entries, shape) for name, shape in shapes.items()}
    except OSError as error:
        raise GenreError(f"{index}: cannot be read ({error.strerror})") from None
    except (ValueError, LookupError, TypeError) as error:  # the bytes of an arbitrary file can be wrong in any way
        reason = str(error) if type(error) is ValueError else "damaged"
        raise GenreError(f"{index}: not a TensorFlow checkpoint of the expected network ({reason})") from None


def _tensor(file: BinaryIO, name: str, entries: Mapping[bytes, bytes], shape: tuple[int, ...]) -> Tensor:
    """The tensor of a ``BundleEntryProto``: 1 type, 2 shape, 3 data file, 4 offset, 5 bytes, 6 checksum."""
    if name.encode() not in entries:
        raise ValueError(f"no tensor {name}")
    entry = _message(entries[name.encode()])
    dimensions = _message(entry[2][0]).get(2, [])  # TensorShapeProto; a scalar has none
    found = tuple(_message(dimension)[1][0] for dimension in dimensions)
    size = 4 * prod(shape)
    if found != shape or entry[1] != [FLOAT] or entry[5] != [size] or 3 in entry:
        raise ValueError(f"{name} is no float32 of shape {shape} in one data file")
    file.seek(entry[4][0] if 4 in entry else 0)  # protobuf leaves zeros out
    values = file.read(size)
    if _checksum(values) != entry[6][0]:
        raise ValueError(f"the checksum of {name} is wrong")
    return torch.from_numpy(np.frombuffer(values, "<f4").astype(np.float32).reshape(shape))


def _table(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a LevelDB table: the footer leads to the index block, and that to the blocks of entries."""
    if content[-len(MAGIC) :] != MAGIC:
        raise ValueError("the file is cut short or no LevelDB table")
    footer = _Reader(content[-FOOTER:])
    _handle(footer)  # of the metaindex block
    end = 0
    for _, value in _block(content, *_handle(footer)):
        start, size = _handle(_Reader(value))
        if start < end:
            raise ValueError("its blocks overlap")
        end = start + size
        yield from _block(content, start, size)


def _block(content: bytes, start: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Entries, each of whose keys begins with a part of the last key; restart points; a type byte; a checksum."""
    block, checksum = content[start : start + size + 1], content[start + size + 1 : start + size + 5]
    if len(block) < size + 1 or _checksum(block) != checksum:
        raise ValueError("a checksum of the index is wrong")
    if block[-1]:
        raise ValueError("the index is compressed")
    restarts = int.from_bytes(block[-5:-1], "little")
    reader, key = _Reader(block[: max(0, size - 4 * (restarts + 1))]), b""
    while not reader.at_end:
        shared, added, length = reader.varint(), reader.varint(), reader.varint()
        key = key[:shared] + reader.take(added)
        if len(key) > MAX_NAME_BYTES:
            raise ValueError("it has a name that is too long")
        yield key, reader.take(length)


def _handle(reader: "_Reader") -> tuple[int, int]:
    """Where a block starts, and its size without the type byte and the checksum."""
    return reader.varint(), reader.varint()


def _message(content: bytes) -> dict[int, list[Any]]:
    """The fields of a protobuf message by their numbers: integers, or the bytes of what is none."""
    fields, reader = defaultdict(list), _Reader(content)
    while not reader.at_end:
        key = reader.varint()
        wire_type = key & 7
        if wire_type not in (0, 2, 5):
            raise ValueError("damaged")
        if wire_type == 0:
            value: int | bytes = reader.varint()
        else:
            value = reader.take(reader.varint() if wire_type == 2 else 4)
        fields[key >> 3].append(value)
    return dict(fields)


class _Reader:
    """Reads bytes from first to last; a ``ValueError`` where they end too soon."""

    def __init__(self, content: bytes) -> None:
        self.file, self.size = BytesIO(content), len(content)

    @property
    def at_end(self) -> bool:
        return self.file.tell() == self.size

    def take(self, size: int) -> bytes:
        content = self.file.read(size)
        if len(content) < size:
            raise ValueError("damaged")
        return content

    def varint(self) -> int:
        """A whole number, 7 bits per byte, the lowest first."""
        value = 0
        for shift in range(0, 63, 7):
            (byte,) = self.take(1)
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise ValueError("damaged")


def _checksum(content: bytes) -> bytes:
    """The CRC-32C of LevelDB, which it rotates and adds a constant to."""
    crc = crc32c(content)
    return (((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF).to_bytes(4, "little")


def crc32c(content: bytes) -> int:
    """The CRC-32C of bytes: of a short content byte by byte, of a long one in lanes, which are combined in the end."""
    length = len(content) // LANES if len(content) > 16 * LANES else 0
    start = len(content) - LANES * length
    register = 0xFFFFFFFF
    for byte in content[:start]:
        register = int(CRC_TABLE[(register ^ byte) & 255]) ^ register >> 8
    if length:
        # A register is linear in its bits. The last 32 rows show what becomes of each over a lane's length of zeros.
        rows = np.zeros((LANES + 32, length), np.uint8)
        rows[:LANES] = np.frombuffer(content, np.uint8, offset=start).reshape(LANES, length)
        registers = np.append(np.zeros(LANES, np.uint32), BITS)
        for column in np.ascontiguousarray(rows.T):
            registers = CRC_TABLE[(registers ^ column) & 255] ^ registers >> 8
        for of_lane in registers[:LANES].tolist():
            register = int(np.bitwise_xor.reduce(registers[LANES:][register & BITS != 0])) ^ of_lane
    return register ^ 0xFFFFFFFF


def _crc_table() -> NDArray[np.uint32]:
    """What becomes of each value of the lowest byte, 8 bits on."""
    values: NDArray[np.uint32] = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        values = (values >> np.uint32(1)) ^ (values & np.uint32(1)) * np.uint32(0x82F63B78)  # Castagnoli's polynomial
    return values


CRC_TABLE = _crc_table()
BITS = np.uint32(1) << np.arange(32, dtype=np.uint32)
#: So many parts of a content at once: a loop over single bytes takes ten times as long.
LANES = 256
