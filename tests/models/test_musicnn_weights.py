"""The weights of MusiCNN from any source, and the reader of TensorFlow's files: all tensors, or one line of error."""

import shutil
import sys
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from genre import GenreError
from genre.models import MusiCNN
from genre.models.musicnn_weights import MAX_INDEX_BYTES, crc32c, read_tensors

DATA = ".data-00000-of-00001"
#: The first tensor of the data file, and one with several dimensions.
WANTED = {"batch_normalization/beta": (1,), "conv2d_4/kernel": (32, 1, 1, 51)}


def all_shapes() -> dict[str, tuple[int, ...]]:
    """The 150 tensors of MusiCNN: 63 of the network, and the state of Adam."""
    trained: dict[str, tuple[int, ...]] = {}
    statistics: dict[str, tuple[int, ...]] = {}
    for index, channels in enumerate([1, 204, 204, 51, 51, 51, 64, 64, 64, 1506, 200]):
        name = f"batch_normalization_{index}" if index else "batch_normalization"
        trained |= {f"{name}/gamma": (channels,), f"{name}/beta": (channels,)}
        statistics |= {f"{name}/moving_mean": (channels,), f"{name}/moving_variance": (channels,)}
    kernels = {
        "conv2d": (7, 38, 1, 204),
        "conv2d_1": (7, 67, 1, 204),
        "conv2d_2": (128, 1, 1, 51),
        "conv2d_3": (64, 1, 1, 51),
        "conv2d_4": (32, 1, 1, 51),
        "conv2d_5": (7, 561, 1, 64),
        "conv2d_6": (7, 64, 1, 64),
        "conv2d_7": (7, 64, 1, 64),
        "dense": (1506, 200),
        "dense_1": (200, 50),
    }
    for name, shape in kernels.items():
        trained |= {f"{name}/kernel": shape, f"{name}/bias": shape[-1:]}
    adam = {f"{name}/{slot}": shape for name, shape in trained.items() for slot in ("Adam", "Adam_1")}
    return trained | statistics | adam | {"beta1_power": (), "beta2_power": ()}


@pytest.fixture
def checkpoint(musicnn: Path, tmp_path: Path) -> Path:
    """A copy of the two files of a checkpoint; the path of its index."""
    for ending in (".index", DATA):
        shutil.copy(musicnn / "MSD_musicnn" / ending, tmp_path / f"model{ending}")
    return tmp_path / "model.index"


def test_crc32c() -> None:
    """The check value of the polynomial, the examples of RFC 3720 (B.4), and a bitwise division."""
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E
    assert crc32c(b"") == 0
    for size in (1, 3, 255, 256, 4096, 4097, 5197):
        content = np.random.default_rng(size).bytes(size)
        register = 0xFFFFFFFF
        for byte in content:
            register ^= byte
            for _ in range(8):
                register = register >> 1 ^ (0x82F63B78 if register & 1 else 0)
        assert crc32c(content) == register ^ 0xFFFFFFFF


@pytest.mark.parametrize("name", ["MSD_musicnn", "MTT_musicnn"])
def test_every_tensor(musicnn: Path, name: str) -> None:
    """The tensors, one after the other in the order of their names, are the data file bit for bit."""
    shapes = all_shapes()
    assert len(shapes) == 150
    tensors = read_tensors(musicnn / name / ".index", shapes)
    assert {name: tuple(tensor.shape) for name, tensor in tensors.items()} == shapes
    assert all(tensor.dtype == torch.float32 and tensor.isfinite().all() for tensor in tensors.values())
    content = b"".join(tensors[name].numpy().tobytes() for name in sorted(tensors))
    assert content == (musicnn / name / DATA).read_bytes()


def test_only_what_is_wanted(checkpoint: Path) -> None:
    assert read_tensors(checkpoint, {}) == {}
    tensors = read_tensors(checkpoint, WANTED)
    assert list(tensors) == list(WANTED)
    tensors["batch_normalization/beta"].zero_()  # memory of its own


def assert_refused(index: Path, reason: str, shapes: dict[str, tuple[int, ...]] = WANTED) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(GenreError, match=reason) as error:
            read_tensors(index, shapes)
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()
    assert "\n" not in str(error.value)
    assert str(index.parent) in str(error.value)


def test_another_network(checkpoint: Path) -> None:
    assert_refused(checkpoint, "no tensor conv2d_9/kernel", {"conv2d_9/kernel": (1,)})
    assert_refused(checkpoint, "conv2d/bias is no float32 of shape .205,.", {"conv2d/bias": (205,)})
    assert_refused(checkpoint, "conv2d/bias is no float32 of shape", {"conv2d/bias": (10**12,)})


def test_missing_files(checkpoint: Path) -> None:
    data = checkpoint.with_name(f"model{DATA}")
    data.unlink()
    assert_refused(checkpoint, f"{data}: no such file")
    checkpoint.unlink()
    assert_refused(checkpoint, "model.index: no such file")
    checkpoint.mkdir()
    assert_refused(checkpoint, "no such file")


@pytest.mark.parametrize("size", [0, 1, 7, 8, 47, 48, 1000, 4900, 4947])
def test_index_cut_short(checkpoint: Path, size: int) -> None:
    checkpoint.write_bytes(checkpoint.read_bytes()[:size])
    assert_refused(checkpoint, "cut short or no LevelDB table")


def test_data_cut_short(checkpoint: Path) -> None:
    data = checkpoint.with_name(f"model{DATA}")
    data.write_bytes(data.read_bytes()[:2_000_000])
    assert_refused(checkpoint, "the checksum of conv2d_4/kernel is wrong")


@pytest.mark.parametrize("content", [b"hello", b"\x00" * 5000, b"\xff" * 5000, b"PK\x03\x04" * 100])
@pytest.mark.parametrize("ending", ["", "57fb808b247547db"])
def test_foreign_index(checkpoint: Path, content: bytes, ending: str) -> None:
    checkpoint.write_bytes(content + bytes.fromhex(ending))
    assert_refused(checkpoint, "not a TensorFlow checkpoint of the expected network")


def test_huge_index(checkpoint: Path) -> None:
    with checkpoint.open("ab") as file:
        file.truncate(1 << 40)  # of which nothing is on the disk
    assert checkpoint.stat().st_size > MAX_INDEX_BYTES
    assert_refused(checkpoint, "too large for an index")


def test_changed_value(checkpoint: Path) -> None:
    data = checkpoint.with_name(f"model{DATA}")
    content = bytearray(data.read_bytes())
    content[2_002_244 + 1001] ^= 1
    data.write_bytes(content)
    assert_refused(checkpoint, "the checksum of conv2d_4/kernel is wrong")
    assert len(read_tensors(checkpoint, {"conv2d/bias": (204,)})) == 1


def test_changed_index(checkpoint: Path) -> None:
    """A bit that flips anywhere gives the same tensors, or one line: never another error, nor other values."""
    content, random = checkpoint.read_bytes(), np.random.default_rng(0)
    expected = read_tensors(checkpoint, WANTED)
    refused = 0
    for place in [*random.integers(0, len(content), 60), *range(len(content) - 60, len(content))]:
        changed = bytearray(content)
        changed[place] ^= 1 << int(random.integers(8))
        checkpoint.write_bytes(changed)
        try:
            tensors = read_tensors(checkpoint, WANTED)
        except GenreError:
            refused += 1
        else:
            assert all(torch.equal(tensors[name], expected[name]) for name in expected)
    assert refused > 60


def test_changed_index_with_right_checksums(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As above, where whoever changed the file has set the checksums of the blocks right: lengths run wild."""
    content, random = checkpoint.read_bytes(), np.random.default_rng(1)
    checked: list[bytes] = []

    def checksum(block: bytes) -> AnyChecksum:
        checked.append(block)
        return AnyChecksum()

    monkeypatch.setattr("genre.models.musicnn_weights._checksum", checksum)
    for place in random.integers(0, len(content), 500):
        changed = bytearray(content)
        changed[place] = int(random.integers(256))
        checkpoint.write_bytes(changed)
        with suppress(GenreError):
            read_tensors(checkpoint, WANTED)
    assert checked


class AnyChecksum:
    """Equal to every checksum."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
@pytest.mark.parametrize("part", ["network", "backbone"])
def test_local_file(tmp_path: Path, ending: str, part: str) -> None:
    torch.manual_seed(3)
    network = MusiCNN(7, pretrained=False)
    state = (network if part == "network" else network.backbone).state_dict()
    path = tmp_path / f"mine.{ending}"
    torch.save(state, path) if ending == "pth" else safetensors.torch.save_file(state, path)
    backbone = MusiCNN(10, pretrained=str(path)).backbone.state_dict()
    expected = network.backbone.state_dict()
    assert all(torch.equal(backbone[name], expected[name]) for name in expected)


def test_original_in_another_place(musicnn: Path, tmp_path: Path) -> None:
    for ending in (".index", ".data-00000-of-00001"):
        shutil.copy(musicnn / "MTT_musicnn" / ending, tmp_path / f"mine{ending}")
    backbone = MusiCNN(10, pretrained=str(tmp_path / "mine.index")).backbone.state_dict()
    expected = MusiCNN(10, "mtt").backbone.state_dict()
    assert all(torch.equal(backbone[name], expected[name]) for name in expected)


def test_wrong_files(musicnn: Path, tmp_path: Path) -> None:
    (tmp_path / "text.pth").write_text("no weights")
    (tmp_path / "text.index").write_text("no weights")
    (tmp_path / "text.index").with_suffix(".data-00000-of-00001").write_text("no weights")
    torch.save({"other.weight": torch.ones(3)}, tmp_path / "other.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    torch.save({"model": Evil()}, tmp_path / "evil.pth")
    changed = MusiCNN(7, pretrained=False).state_dict()
    changed["backbone.midend2.norm.bias"] = torch.ones(63)
    torch.save(changed, tmp_path / "shape.pth")
    for file, message in {
        str(tmp_path / "text.pth"): "no weights for MusiCNN",
        str(tmp_path / "text.index"): "not a TensorFlow checkpoint",
        str(musicnn / "MSD_vgg/.index"): "not a TensorFlow checkpoint of the expected network",
        str(tmp_path / "other.pth"): "no weights for MusiCNN .* frontend.norm.weight among them",
        str(tmp_path / "list.pth"): "no weights for MusiCNN",
        str(tmp_path / "evil.pth"): "no weights for MusiCNN",
        str(tmp_path / "shape.pth"): "1 of its .* midend2.norm.bias among them",
        str(tmp_path / "gone.pth"): "is no file and no name of weights",
        str(tmp_path): "is no file and no name of weights",
        "MSD": "is no file and no name of weights for MusiCNN; pass msd, mtt, a file",
    }.items():
        with pytest.raises(GenreError, match=message) as error:
            MusiCNN(10, pretrained=file)
        assert "\n" not in str(error.value)
    assert not Path("exploded").exists()


class Evil:
    """Runs code where it is unpickled without care."""

    def __reduce__(self) -> Any:
        return Path.touch, (Path("exploded"),)


def hide(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Makes the distribution `musicnn` one that is not installed; a folder of that name lies in its place."""
    (tmp_path / "musicnn").mkdir()
    monkeypatch.chdir(tmp_path)
    site = [path for path in sys.path if not (Path(path) / "musicnn").is_dir()]
    monkeypatch.setattr(sys, "path", [str(tmp_path), *site])


def test_missing_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hide(monkeypatch, tmp_path)
    builds: list[Callable[[], nn.Module]] = [
        lambda: MusiCNN(10),
        lambda: MusiCNN(10, "mtt"),
        lambda: MusiCNN.tagger("msd"),
    ]
    for build_it in builds:
        with pytest.raises(GenreError, match=r"pip install --no-deps musicnn==0\.1\.0") as error:
            build_it()
        assert "\n" not in str(error.value)
    MusiCNN(10, pretrained=False)
