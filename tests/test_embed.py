"""Embeddings of files and arrays, in Python and by ``genre embed``."""

import importlib.util
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor, nn

import genre
from genre import Ensemble, GenreError, Predictor
from genre.audio.decode import AudioError, read_segment
from genre.audio.recording import Recording
from genre.data import MelSpectrogram
from genre.embeddings import Embeddings, read_embeddings, write_embeddings
from genre.models import SpectralCNN

from .conftest import run_cli, tone


@pytest.fixture(scope="module")
def checkpoint(trained: Path) -> Path:
    return trained / "checkpoints" / "best.ckpt"


@pytest.fixture(scope="module")
def predictor(checkpoint: Path) -> Predictor:
    return genre.load(checkpoint)


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    root = tmp_path / "songs"
    root.mkdir()
    for index, name in enumerate(("a.wav", "b.flac", "c ü.wav")):
        soundfile.write(root / name, tone(index, index, 1.0 + index), 22050)
    return root


class StandIn(nn.Module):
    """A pretrained network: its weights say how much of the mean of every band they let through."""

    def __init__(self, num_classes: int, pretrained: str = "one") -> None:
        super().__init__()
        if pretrained not in ("one", "two"):
            raise GenreError(f"pretrained: {pretrained} is no name of weights; pass one or two")
        self.scale = {"one": 1.0, "two": 2.0}[pretrained]
        self.head = nn.Linear(16, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.scale * x.mean((1, 3)))
        return logits

    @staticmethod
    def features() -> MelSpectrogram:
        return MelSpectrogram(sample_rate=16000, n_fft=512, n_mels=16, mean=0.0, std=1.0)


class Unmeasured(StandIn):
    @staticmethod
    def features() -> MelSpectrogram:
        return MelSpectrogram(sample_rate=16000, n_fft=512, n_mels=16)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(genre.models, "StandIn", StandIn, raising=False)
    monkeypatch.setattr(genre.models, "Unmeasured", Unmeasured, raising=False)


def test_an_embedding_is_the_mean_over_segments_of_what_enters_the_head(predictor: Predictor, tmp_path: Path) -> None:
    """By hand: the three segments of 2.4 s, the network without its last layer."""
    wave = tone(1, 77, 2.4)
    soundfile.write(tmp_path / "song.wav", wave, 22050, subtype="FLOAT")
    samples = round(0.8 * 22050)
    starts = [0, round(0.5 * (len(wave) - samples)), len(wave) - samples]
    network = predictor.network
    assert isinstance(network, SpectralCNN)
    with torch.no_grad():
        parts = torch.stack([torch.from_numpy(wave[start : start + samples]) for start in starts])
        maps = network.blocks(network.input_norm(predictor.features(parts.unsqueeze(1)))).mean((2, 3))
        expected = network.dense[:-1](maps).mean(0)
    embedding = predictor.embed(tmp_path / "song.wav")
    assert embedding.dtype == np.float32
    np.testing.assert_allclose(embedding, expected, atol=1e-5)


@pytest.mark.parametrize("several", [False, True], ids=["Predictor", "Ensemble"])
def test_files_arrays_lists_and_folders(predictor: Predictor, several: bool, songs: Path) -> None:
    embedder = Ensemble([predictor, predictor]) if several else predictor
    files = sorted(songs.iterdir())
    rows = embedder.embed(files)
    assert rows.shape == (3, 128 if several else 64)
    assert rows.dtype == np.float32
    if several:
        np.testing.assert_array_equal(rows, np.hstack([predictor.embed(files)] * 2))
    np.testing.assert_array_equal(embedder.embed(str(songs)), rows)
    np.testing.assert_array_equal(embedder.embed(files[1]), rows[1])
    np.testing.assert_array_equal(embedder.embed(io.BytesIO(files[1].read_bytes())), rows[1])
    wave, rate = soundfile.read(files[2], dtype="int16")
    np.testing.assert_allclose(embedder.embed(wave, rate), rows[2], atol=1e-6)
    np.testing.assert_allclose(embedder.embed([torch.from_numpy(wave), files[0]], rate), rows[[2, 0]], atol=1e-6)
    assert embedder.embed([]).shape == (0, rows.shape[1])
    with pytest.raises(AudioError, match=r"gone\.wav: no such file"):
        embedder.embed([files[0], songs / "gone.wav"])
    with pytest.raises(GenreError, match="needs its sample_rate"):
        embedder.embed(wave)


@pytest.mark.parametrize("ending", ["npz", "parquet", "NPZ"])
def test_the_verb_writes_a_row_for_each_file(
    ending: str, checkpoint: Path, predictor: Predictor, songs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    out = songs.parent / "new" / f"e.{ending}"
    assert run_cli("embed", checkpoint, songs / "c ü.wav", songs, "--out", out) == 0
    assert capsys.readouterr().out == f"{out}: 4 embeddings of 64 values\n"
    files = [songs / "c ü.wav", *sorted(songs.iterdir())]
    expected = predictor.embed(files)
    if ending == "parquet":
        import pyarrow.parquet

        table = pyarrow.parquet.read_table(out)
        assert table.column_names == ["path", "embedding"]
        assert str(table.schema.field("embedding").type).startswith("list<")
        assert table["path"].to_pylist() == [str(file) for file in files]
        np.testing.assert_array_equal(np.array(table["embedding"].to_pylist(), np.float32), expected)
    else:
        with np.load(out) as content:
            assert content["paths"].tolist() == [str(file) for file in files]
            np.testing.assert_array_equal(content["embeddings"], expected)
    paths, values = read_embeddings(out)
    assert paths == files
    np.testing.assert_array_equal(values, expected)
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_networks_side_by_side(stand_in: None, checkpoint: Path, predictor: Predictor, songs: Path) -> None:
    out = songs.parent / "e.npz"
    others = ("--with", "StandIn", "--with", checkpoint, "--segments", "1")
    assert run_cli("embed", "StandIn:two", *others, songs / "a.wav", "--out", out) == 0
    _, (row,) = read_embeddings(out)
    feature = StandIn.features()
    segment = torch.from_numpy(read_segment(songs / "a.wav", 16000, 48000, 0.5))
    bands = feature(segment).mean(1).numpy()
    np.testing.assert_allclose(row[:16], 2 * bands, rtol=1e-5)
    np.testing.assert_allclose(row[16:32], bands, rtol=1e-5)
    predictor = genre.load(checkpoint)
    predictor.evaluation_segments = 1
    np.testing.assert_array_equal(row[32:], predictor.embed(songs / "a.wav"))


def test_a_bad_file_is_named_and_the_rest_goes_on(
    checkpoint: Path, songs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (songs / "bad.wav").write_text("no audio")
    (songs.parent / "empty").mkdir()
    out = songs.parent / "e.npz"
    assert run_cli("embed", checkpoint, songs, songs / "gone.wav", songs.parent / "empty", "--out", out) == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 3
    assert all(line.startswith(f"genre: {songs.parent}") for line in errors)
    assert [path.name for path in read_embeddings(out).paths] == ["a.wav", "b.flac", "c ü.wav"]
    out.unlink()
    assert run_cli("embed", checkpoint, songs / "bad.wav", "--out", out) == 1
    assert not out.exists()


def test_an_interrupted_run_keeps_what_is_done(
    checkpoint: Path, songs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    average = Predictor.average_embedding

    def interrupted(self: Predictor, recording: Recording) -> object:
        if recording.path is not None and recording.path.name == "c ü.wav":
            raise KeyboardInterrupt
        return average(self, recording)

    monkeypatch.setattr(Predictor, "average_embedding", interrupted)
    out = songs.parent / "e.npz"
    assert run_cli("embed", checkpoint, songs, "--out", out) == 130
    output, errors = capsys.readouterr()
    assert "2 embeddings of 64 values" in output
    assert errors == "genre: interrupted\n"
    assert [path.name for path in read_embeddings(out).paths] == ["a.wav", "b.flac"]


MISTAKES = {
    "unknown ending": (["CKPT", "SONGS", "--out=e.csv"], "e.csv: unknown ending; expected .npz or .parquet"),
    "no ending": (["CKPT", "SONGS", "--out=e"], "e: unknown ending"),
    "a folder": (["CKPT", "SONGS", "--out=folder.npz"], "folder.npz: found a folder"),
    "below a file": (["CKPT", "SONGS", "--out=file/e.npz"], "file: cannot be made"),
    "missing checkpoint": (["gone.ckpt", "SONGS", "--out=e.npz"], "gone.ckpt: no such checkpoint"),
    "unknown network": (["MusicNN", "SONGS", "--out=e.npz"], "no pretrained network of that name; known:"),
    "network without weights": (["SpectralCNN", "SONGS", "--out=e.npz"], "SpectralCNN: no such checkpoint, and no pre"),
    "unknown weights": (["StandIn:three", "SONGS", "--out=e.npz"], "three is no name of weights; pass one or two"),
    "second network": (["CKPT", "--with=Nobody", "SONGS", "--out=e.npz"], "Nobody: no such checkpoint, and no pre"),
    "unmeasured": (["Unmeasured", "SONGS", "--out=e.npz"], "its features have no mean and std of their own"),
    "module": (["CKPT", "SONGS", "--out=e.npz", "--import=nowhere"], "--import nowhere: No module named"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line(mistake: str, stand_in: None, checkpoint: Path, songs: Path,
                               monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    monkeypatch.chdir(songs.parent)
    (songs.parent / "folder.npz").mkdir()
    (songs.parent / "file").touch()
    options, message = MISTAKES[mistake]
    names = {"CKPT": str(checkpoint), "SONGS": "songs"}
    assert run_cli("embed", *(names.get(option, option) for option in options)) == 1
    output, errors = capsys.readouterr()
    (line,) = errors.splitlines()
    assert line.startswith("genre: error: ")
    assert message in line
    assert output == ""
    assert {path.name for path in songs.parent.iterdir()} == {"songs", "folder.npz", "file"}


def test_parquet_without_pyarrow(checkpoint: Path, songs: Path, monkeypatch: pytest.MonkeyPatch,
                                 capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert run_cli("embed", checkpoint, songs, "--out", songs.parent / "e.parquet") == 1
    assert "parquet needs pyarrow; pip install 'lightning-genre[parquet]', or use .npz" in capsys.readouterr().err


def test_a_checkpoint_that_is_called_like_a_network(
    stand_in: None, checkpoint: Path, songs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(songs.parent)
    shutil.copy(checkpoint, "StandIn")
    assert run_cli("embed", "StandIn", "songs", "--out", "e.npz") == 0
    assert read_embeddings(Path("e.npz")).values.shape == (3, 64)


@pytest.mark.parametrize("content", [b"", b"no archive", "other arrays", "other shapes", "NaN"])
def test_a_file_that_holds_no_embeddings(tmp_path: Path, content: bytes | str) -> None:
    file = tmp_path / "e.npz"
    if content == "other arrays":
        np.savez(file, x=np.zeros(3))
    elif content == "other shapes":
        np.savez(file, paths=np.array(["a"]), embeddings=np.zeros(3))
    elif content == "NaN":
        np.savez(file, paths=np.array(["a"]), embeddings=np.full((1, 3), np.nan))
    else:
        assert isinstance(content, bytes)
        file.write_bytes(content)
    with pytest.raises(GenreError, match=r"e\.npz: (not what|found 1 paths|found NaN)"):
        read_embeddings(file)
    with pytest.raises(GenreError, match="no such file"):
        read_embeddings(tmp_path / "gone.npz")


@pytest.mark.parametrize("ending", ["npz", "parquet"])
def test_names_that_are_not_in_utf_8(tmp_path: Path, ending: str) -> None:
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    path = Path(b"caf\xe9.mp3".decode(errors="surrogateescape"))
    write_embeddings(tmp_path / f"e.{ending}", Embeddings([path], np.ones((1, 2), np.float32)))
    (read,), _ = read_embeddings(tmp_path / f"e.{ending}")
    assert read == (path if ending == "npz" else Path("caf\\udce9.mp3"))
