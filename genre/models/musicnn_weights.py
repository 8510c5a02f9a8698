"""Reads the weights of MusiCNN without TensorFlow, and without an import of `musicnn`.

A TensorFlow checkpoint is two files: ``NAME.index``, a LevelDB table with the place of each tensor, and
``NAME.data-00000-of-00001``, the values. The formats are those of LevelDB's ``table_format.md`` and of TensorFlow's
``tensor_bundle.proto``; TensorFlow does not compress the table.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, distribution
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor, nn

from genre.errors import GenreError

#: The weights in the distribution `musicnn` 0.1.0, by the data set of the training.
FILES = {"msd": "musicnn/MSD_musicnn/.index", "mtt": "musicnn/MTT_musicnn/.index"}

#: TensorFlow's names of the layers and of their tensors.
NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
KERNEL = {"weight": "kernel", "bias": "bias"}
LAYERS: dict[type[nn.Module], tuple[str, dict[str, str]]] = {
    nn.BatchNorm1d: ("batch_normalization", NORM),
    nn.BatchNorm2d: ("batch_normalization", NORM),
    nn.Conv1d: ("conv2d", KERNEL),
    nn.Conv2d: ("conv2d", KERNEL),
    nn.Linear: ("dense", KERNEL),
}

#: The last 8 bytes of a LevelDB table, and the length of its footer, which they end.
MAGIC, FOOTER = bytes.fromhex("57fb808b247547db"), 48
#: Larger files and longer names are not read: no checkpoint has them.
MAX_INDEX_BYTES, MAX_NAME_BYTES = 1 << 20, 1000
#: The number of float32 in TensorFlow's ``types.proto``.
FLOAT = 1


def read_weights(source: str, module: nn.Module) -> dict[str, Tensor]:
    """Reads the ``state_dict`` of a :class:`~genre.models.MusiCNN` or of its backbone: all of it, or none.

    ``source`` is "msd", "mtt" or a file; see :class:`~genre.models.MusiCNN`.
    """
    if source in FILES:
        return _read_tensorflow(_installed(FILES[source]), module)
    file = Path(source).expanduser()
    if not file.is_file():
        raise GenreError(
            f"pretrained: {source} is no file and no name of weights for MusiCNN; pass msd, mtt, a file (.index, .pth "
            "or .safetensors), or false"
        )
    return _read_tensorflow(file, module) if file.name.endswith(".index") else _read_state(file, module)


def is_installed(source: str) -> bool:
    """Whether the weights named "msd" or "mtt" are installed."""
    try:
        return _installed(FILES[source]).is_file()
    except GenreError:
        return False


def _installed(path: str) -> Path:
    try:
        # importlib.util.find_spec would take any folder named musicnn for the package.
        return Path(str(distribution("musicnn").locate_file(path)))
    except PackageNotFoundError:
        raise GenreError(
            "the weights of MusiCNN are not installed: pip install --no-deps musicnn==0.1.0 (29 MB)"
        ) from None


def _read_tensorflow(index: Path, module: nn.Module) -> dict[str, Tensor]:
    """Reads the original's checkpoint, which numbers the layers of each type in the order of ``module``."""
    state, numbers = module.state_dict(), Counter[str]()
    sources: dict[str, str] = {}
    for path, layer in module.named_modules():
        if type(layer) not in LAYERS:
            continue
        layer_type, names = LAYERS[type(layer)]
        prefix = f"{layer_type}_{numbers[layer_type]}" if numbers[layer_type] else layer_type
        numbers[layer_type] += 1
        sources |= {f"{path}.{ours}": f"{prefix}/{theirs}" for ours, theirs in names.items()}
    tensors = read_tensors(index, {theirs: _shape(state[ours]) for ours, theirs in sources.items()})
    for ours, theirs in sources.items():
        reverse = state[ours].shape[::-1]
        state[ours] = tensors[theirs].reshape(reverse).permute(*reversed(range(len(reverse)))).contiguous()
    return state


def _shape(tensor: Tensor) -> tuple[int, ...]:
    """TensorFlow's shape of a tensor: the axes in reverse order; a kernel over time has an axis of length 1 more."""
    reverse = tuple(tensor.shape[::-1])
    return (*reverse[:2], 1, reverse[2]) if len(reverse) == 3 else reverse


def _read_state(file: Path, module: nn.Module) -> dict[str, Tensor]:
    """Reads a ``.pth`` or ``.safetensors`` file of a whole network or of its backbone."""
    try:
        from timm.models import load_state_dict  # imports torchvision, which takes seconds

        stored = load_state_dict(str(file), weights_only=True)
        stored = {name.removeprefix("backbone."): tensor for name, tensor in stored.items()}
        ours = module.state_dict()
        misfits = [name for name, tensor in ours.items() if name not in stored or stored[name].shape != tensor.shape]
    except Exception as error:  # torch, safetensors and timm raise many types for a wrong file
        raise GenreError(f"{file}: no weights for MusiCNN ({type(error).__name__} while it was read)") from None
    if misfits:
        raise GenreError(
            f"{file}: no weights for MusiCNN ({len(misfits)} of its {len(ours)} tensors are not in the file or have "
            f"another shape, {misfits[0]} among them)"
        )
    return {name: stored[name] for name in ours}


def read_tensors(index: Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Reads float32 tensors by name and verifies their checksums.

    ``index`` is the file ``NAME.index``, beside ``NAME.data-00000-of-00001``. Only the tensors in ``shapes`` are read;
    one that is missing or has another shape is an error.
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
    except (ValueError, LookupError, TypeError) as error:  # an arbitrary file can be wrong in any way
        reason = str(error) if type(error) is ValueError else "damaged"
        raise GenreError(f"{index}: not a TensorFlow checkpoint of the expected network ({reason})") from None


def _tensor(file: BinaryIO, name: str, entries: Mapping[bytes, bytes], shape: tuple[int, ...]) -> Tensor:
    """The tensor of a ``BundleEntryProto``: 1 type, 2 shape, 3 data file, 4 offset, 5 bytes, 6 checksum."""
    if name.encode() not in entries:
        raise ValueError(f"no tensor {name}")
    entry = _message(entries[name.encode()])
    dimensions = _message(entry[2][0]).get(2, [])  # TensorShapeProto; a scalar has none
    stored_shape = tuple(_message(dimension)[1][0] for dimension in dimensions)
    size = 4 * prod(shape)
    if stored_shape != shape or entry[1] != [FLOAT] or entry[5] != [size] or 3 in entry:
        raise ValueError(f"{name} is no float32 of shape {shape} in one data file")
    file.seek(entry[4][0] if 4 in entry else 0)  # protobuf leaves zeros out
    values = file.read(size)
    if _checksum(values) != entry[6][0]:
        raise ValueError(f"the checksum of {name} is wrong")
    return torch.from_numpy(np.frombuffer(values, "<f4").astype(np.float32).reshape(shape))


def _table(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a LevelDB table: the footer points to the index block, which points to blocks of entries."""
    if content[-len(MAGIC) :] != MAGIC:
        raise ValueError("the file is cut short or no LevelDB table")
    footer = BytesIO(content[-FOOTER:])
    _handle(footer)  # of the metaindex block
    end = 0
    for _, value in _block(content, *_handle(footer)):
        start, size = _handle(BytesIO(value))
        if start < end:
            raise ValueError("its blocks overlap")
        end = start + size
        yield from _block(content, start, size)


def _block(content: bytes, start: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """The entries of a block. Restart points, a type byte and a checksum follow them.

    A key is the first bytes of the last key, followed by bytes of its own.
    """
    block, checksum = content[start : start + size + 1], content[start + size + 1 : start + size + 5]
    if len(block) < size + 1 or _checksum(block) != checksum:
        raise ValueError("a checksum of the index is wrong")
    if block[-1]:
        raise ValueError("the index is compressed")
    restarts = int.from_bytes(block[-5:-1], "little")
    entries = block[: max(0, size - 4 * (restarts + 1))]
    stream, key = BytesIO(entries), b""
    while stream.tell() < len(entries):
        shared, added, length = _varint(stream), _varint(stream), _varint(stream)
        key = key[:shared] + _take(stream, added)
        if len(key) > MAX_NAME_BYTES:
            raise ValueError("it has a name that is too long")
        yield key, _take(stream, length)


def _handle(stream: BinaryIO) -> tuple[int, int]:
    """The start of a block, and its size without the type byte and the checksum."""
    return _varint(stream), _varint(stream)


def _message(content: bytes) -> dict[int, list[Any]]:
    """The fields of a protobuf message by their numbers, as integers or bytes."""
    fields, stream = defaultdict[int, list[Any]](list), BytesIO(content)
    while stream.tell() < len(content):
        number, wire_type = divmod(_varint(stream), 8)
        if wire_type == 0:
            fields[number].append(_varint(stream))
        elif wire_type in (2, 5):
            fields[number].append(_take(stream, _varint(stream) if wire_type == 2 else 4))
        else:
            raise ValueError("damaged")
    return dict(fields)


def _varint(stream: BinaryIO) -> int:
    """The next integer, of 7 bits per byte, the lowest first."""
    value = 0
    for shift in range(0, 63, 7):
        (byte,) = _take(stream, 1)
        value |= (byte & 127) << shift
        if byte < 128:
            return value
    raise ValueError("damaged")


def _take(stream: BinaryIO, size: int) -> bytes:
    """The next bytes; raises a ``ValueError`` if there are fewer."""
    content = stream.read(size)
    if len(content) < size:
        raise ValueError("damaged")
    return content


def _checksum(content: bytes) -> bytes:
    """LevelDB's masked CRC-32C: rotated, plus a constant."""
    crc = crc32c(content)
    return (((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF).to_bytes(4, "little")


def crc32c(content: bytes) -> int:
    """The CRC-32C of bytes."""
    register = 0xFFFFFFFF
    for byte in content:
        register = CRC_TABLE[(register ^ byte) & 255] ^ register >> 8
    return register ^ 0xFFFFFFFF


def _divide(register: int) -> int:
    """The register after 8 bits of a division by Castagnoli's polynomial."""
    for _ in range(8):
        register = register >> 1 ^ (register & 1) * 0x82F63B78
    return register


CRC_TABLE = [_divide(byte) for byte in range(256)]
