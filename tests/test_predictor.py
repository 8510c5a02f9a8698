"""A checkpoint alone names the genre of any file."""

import csv
import json
import pickle
import shutil
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import soundfile
import torch
from torch import Tensor, nn

import genre
from genre import GenreClassifier, GenreError
from genre.data import CSV, MFCC, Feature, Folder, MelSpectrogram, StratifiedSplit
from genre.models import SpectralCNN

from .conftest import run_cli, tone
from .processes import run_python


class Tiny(nn.Module):
    """A network of the user's own."""

    def __init__(self, num_classes: int, width: int = 4) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, width, 3)
        self.head = nn.Linear(width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.conv(x).mean((2, 3)))
        return logits


def fit_by_hand(
    folder: Path, network: Callable[[int], nn.Module], out: Path, features: Feature | None = None
) -> GenreClassifier:
    data = Folder(
        folder, features or MelSpectrogram(n_mels=32, n_fft=512), StratifiedSplit(), segment_seconds=0.8, num_workers=0
    )
    classifier = GenreClassifier(network, data.genres)
    trainer = pl.Trainer(
        max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        accelerator="cpu",
    )  # fmt: skip
    trainer.fit(classifier, datamodule=data)
    trainer.save_checkpoint(out)
    return classifier


def test_prediction_is_that_of_the_test(trained: Path) -> None:
    """The probabilities that the report gives for a test track are those of ``predict``."""
    predictor = genre.load(trained / "checkpoints" / "best.ckpt")
    with (trained / "report" / "predictions.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == 6
    for row in rows:
        prediction = predictor.predict(row["path"])
        assert prediction.genre == row["predicted"]
        for name in predictor.genres:
            assert prediction.probabilities[name] == pytest.approx(float(row[name]), abs=2e-6)


def test_probabilities_are_the_mean_of_the_segments(trained: Path, tmp_path: Path) -> None:
    """Computed by hand: decode, cut, transform, network, temperature, softmax, mean."""
    wave = tone(1, 77, 2.4)
    soundfile.write(tmp_path / "song.wav", wave, 22050, subtype="FLOAT")
    predictor = genre.load(trained / "checkpoints" / "best.ckpt")
    samples = round(0.8 * 22050)
    starts = [0, round(0.5 * (len(wave) - samples)), len(wave) - samples]
    with torch.no_grad():
        parts = torch.stack([torch.from_numpy(wave[start : start + samples]) for start in starts])
        logits = predictor.network(predictor.features(parts.unsqueeze(1)))
        expected = (logits / predictor.calibration.temperature).softmax(1).mean(0)
    found = predictor.predict(tmp_path / "song.wav").probabilities
    assert [found[name] for name in predictor.genres] == pytest.approx(expected.tolist(), abs=1e-6)
    assert sum(found.values()) == pytest.approx(1)
    assert list(found.values()) == sorted(found.values(), reverse=True)


def test_moved_checkpoint_in_another_process(trained: Path, folder: Path, tmp_path: Path) -> None:
    shutil.copy(trained / "checkpoints" / "best.ckpt", tmp_path / "moved.ckpt")
    song = next(folder.rglob("*.wav"))
    script = tmp_path / "predict.py"
    script.write_text("import genre, sys; print(genre.load('moved.ckpt').predict(sys.argv[1]).genre)")
    done = run_python(script, song, cwd=tmp_path)
    assert done.stdout.strip() == genre.load(trained / "checkpoints" / "best.ckpt").predict(song).genre, done.stderr


@pytest.mark.parametrize("network", [SpectralCNN, partial(SpectralCNN, dropout=0.0)], ids=["class", "partial"])
def test_checkpoint_of_a_trainer_used_by_hand(
    folder: Path, tmp_path: Path, network: Callable[[int], nn.Module]
) -> None:
    features = MFCC(n_mfcc=36, n_fft=512, n_mels=40)
    classifier = fit_by_hand(folder, network, tmp_path / "hand.ckpt", features)
    predictor = genre.load(tmp_path / "hand.ckpt")
    assert type(predictor.network) is SpectralCNN
    trainer: Any = classifier.trainer
    measured = trainer.datamodule.features  # a copy of those that it was given, which stay as they are
    assert predictor.features.mean == measured.mean is not None
    assert features.mean is None
    inputs = torch.randn(2, 1, 36, 40)
    with torch.no_grad():
        assert torch.equal(predictor.network(inputs), classifier.network.eval()(inputs))


def test_network_of_the_users_own(folder: Path, tmp_path: Path) -> None:
    """Its module is imported already, as in the program that trained it; a lambda has to be given again."""
    fit_by_hand(folder, partial(Tiny, width=3), tmp_path / "own.ckpt")
    assert genre.load(tmp_path / "own.ckpt").network.get_submodule("conv").out_channels == 3
    fit_by_hand(folder, lambda classes: Tiny(classes, width=5), tmp_path / "lambda.ckpt")
    with pytest.raises(GenreError, match="pass network="):
        genre.load(tmp_path / "lambda.ckpt")
    assert (
        genre.load(tmp_path / "lambda.ckpt", network=lambda n: Tiny(n, 5)).network.get_submodule("conv").out_channels
        == 5
    )


def test_foreign_module_is_not_imported(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                        capsys: pytest.CaptureFixture[str], folder: Path) -> None:  # fmt: skip
    checkpoint = torch.load(trained / "checkpoints" / "best.ckpt", weights_only=True)
    checkpoint["genre"]["network"] = {"class_path": "trap_module.Trap", "init_args": {}}
    torch.save(checkpoint, tmp_path / "trap.ckpt")
    (tmp_path / "trap_module.py").write_text("open('sprung', 'w')\nfrom genre.models import SpectralCNN as Trap\n")
    monkeypatch.chdir(tmp_path)
    song = next(folder.rglob("*.wav"))
    assert run_cli("predict", "--ckpt_path", "trap.ckpt", song) == 1
    assert "genre predict --import trap_module" in capsys.readouterr().err
    assert not (tmp_path / "sprung").exists()
    assert run_cli("predict", "--ckpt_path", "trap.ckpt", song, "--import", "trap_module") == 0
    assert (tmp_path / "sprung").exists()


class Bomb:
    """Executes something when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("exploded"),))


def test_nothing_in_a_checkpoint_is_executed(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"genre": Bomb()}, "bomb.ckpt")
    with pytest.raises(GenreError, match="could run code"):
        genre.load("bomb.ckpt")
    Path("bare.ckpt").write_bytes(pickle.dumps(Bomb(), protocol=4))
    with warnings.catch_warnings(action="error"), pytest.raises(GenreError, match="not a checkpoint"):
        genre.load("bare.ckpt")
    assert not Path("exploded").exists()
    for path, content in {"os.system": {"command": "touch exploded"}, "genre.GenreError": {}}.items():
        spec = {"class_path": path, "init_args": content}
        saved = torch.load(trained / "checkpoints/best.ckpt", weights_only=True)
        saved["genre"]["network"] = spec
        torch.save(saved, "bad.ckpt")
        with pytest.raises(GenreError, match=f"names {path} where a Module"):
            genre.load("bad.ckpt")
    assert not Path("exploded").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such checkpoint"),
        (b"hello", "not a file that torch.save wrote"),
        (b"", "not a file that torch.save wrote"),
        ("song", "not a file that torch.save wrote"),
        ("cut", "cut short"),
        ("folder", "a folder, where a checkpoint is expected"),
        ({"epoch": 3}, "not of a genre"),
    ],
    ids=["missing", "text", "empty", "song", "cut", "folder", "foreign"],
)
def test_bad_checkpoints(tmp_path: Path, content: object, message: str) -> None:
    path = tmp_path / "x.ckpt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "song":  # of which torch's own unpickler says `pop from empty list`
        soundfile.write(path, tone(0, 1, 1.0), 22050, format="WAV")
    elif content == "cut":
        torch.save({"epoch": torch.zeros(5000)}, path)
        path.write_bytes(path.read_bytes()[:9000])
    elif content == "folder":
        path.mkdir()
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(GenreError, match=message) as caught:
        genre.load(path)
    assert "\n" not in str(caught.value)
    assert "weights_only" not in str(caught.value)  # torch's own words, which are of another library's options


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    """Files as users have them."""
    root = tmp_path / "songs"
    root.mkdir()
    soundfile.write(root / "a.mp3", tone(0, 1, 3.0), 22050)
    soundfile.write(root / "b.ogg", tone(0, 2, 3.0), 22050)
    soundfile.write(root / "c short.wav", tone(0, 3, 0.5), 22050)
    stereo = np.stack([tone(1, 4, 2.0, 96000), tone(2, 4, 2.0, 96000)], 1)
    soundfile.write(root / "d 96k stereo.flac", stereo, 96000, subtype="PCM_24")
    soundfile.write(root / "e 8bit.wav", tone(1, 5, 2.0, 8000), 8000, subtype="PCM_U8")
    soundfile.write(root / "f silence.wav", np.zeros(22050), 22050)
    soundfile.write(root / "g 0.1s.wav", tone(0, 3, 0.1), 22050)
    return root


def test_json_of_all_kinds_of_files(trained: Path, songs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (songs / "broken.mp3").write_text("no audio")
    (songs / "empty.wav").touch()
    soundfile.write(songs / "nan.wav", np.full(22050, np.nan), 22050, subtype="FLOAT")
    (songs / "notes.txt").write_text("not looked at")
    status = run_cli(
        "predict", "--ckpt_path", trained / "checkpoints/best.ckpt", "--format", "json", songs, songs / "no.wav"
    )
    output, errors = capsys.readouterr()
    rows = [json.loads(line) for line in output.splitlines()]
    assert status == 1
    assert [Path(row["path"]).name[0] for row in rows] == list("abcdefg")
    for row in rows:
        assert row.keys() == {"path", "genre", "probability", "probabilities"}
        assert row["probability"] == max(row["probabilities"].values()) == row["probabilities"][row["genre"]]
    assert sorted(Path(line.split(": ")[1]).name for line in errors.splitlines()) == [
        "broken.mp3", "empty.wav", "nan.wav", "no.wav",
    ]  # fmt: skip


def test_a_folder_in_python_is_the_folder_on_the_command_line(
    trained: Path, songs: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    (songs / "broken.mp3").write_text("no audio")
    checkpoint = trained / "checkpoints/best.ckpt"
    assert run_cli("predict", "--ckpt_path", checkpoint, "--format", "json", songs) == 1
    output, errors = capsys.readouterr()
    rows = [json.loads(line) for line in output.splitlines()]
    predictions = genre.load(checkpoint).predict(str(songs))
    assert isinstance(predictions, list)
    assert [str(prediction.path) for prediction in predictions] == [row["path"] for row in rows]
    assert [prediction.probabilities for prediction in predictions] == [row["probabilities"] for row in rows]
    assert [message.removeprefix("skipped ") for message in caplog.messages] == [
        line.removeprefix("genre: ") for line in errors.splitlines()
    ]


def test_table_and_csv(trained: Path, songs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli("predict", "--ckpt_path", trained / "checkpoints/best.ckpt", songs / "a.mp3", "--format", "csv") == 0
    (row,) = csv.DictReader(capsys.readouterr().out.splitlines())
    assert float(row["probability"]) == pytest.approx(max(float(row[f"genre{i}"]) for i in range(3)))
    assert run_cli("predict", "--ckpt_path", trained / "checkpoints/best.ckpt", songs / "a.mp3") == 0
    assert row["genre"] in capsys.readouterr().out


def test_interrupted_table_shows_what_is_done(
    trained: Path, songs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rank = genre.Ensemble.rank

    def interrupted(self: genre.Ensemble, path: Path, probabilities: Tensor) -> genre.Prediction:
        if path.name.startswith("c"):
            raise KeyboardInterrupt
        return rank(self, path, probabilities)

    monkeypatch.setattr(genre.Ensemble, "rank", interrupted)
    assert run_cli("predict", "--ckpt_path", trained / "checkpoints/best.ckpt", songs) == 130
    output, errors = capsys.readouterr()
    assert "b.ogg" in output.replace("\n", "")
    assert "interrupted" in errors


BAD_COMMANDS = {
    "misspelt option": (
        ["song.mp3", "--formt=csv"],
        "genre predict: error: unrecognized arguments: --formt=csv; did you mean --format?",
    ),
    "address": (["http://example.com/a.mp3"], "addresses are not downloaded; found http://example.com/a.mp3"),
    "not a number": (["song.mp3", "--segments=abc"], "expected a whole number, at least 1; found 'abc'"),
    "no segment": (["song.mp3", "--segments=0"], "expected a whole number, at least 1; found '0'"),
}


@pytest.mark.parametrize("mistake", BAD_COMMANDS)
def test_bad_commands(mistake: str, capsys: pytest.CaptureFixture[str]) -> None:
    options, message = BAD_COMMANDS[mistake]
    assert run_cli("predict", "--ckpt_path", "x.ckpt", *options) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("genre predict: error: ")
    assert message in line


def test_memory_is_flat_for_an_hour(trained: Path, tmp_path: Path) -> None:
    """Peak memory for an hour of 44.1-kHz stereo is within 300 MB of that for a minute."""
    minute = np.zeros((60 * 44100, 2), np.float32)  # pauses are quickly encoded, and take as much memory as music
    minute[: 3 * 44100] = tone(0, 1, 3, 44100)[:, None]
    soundfile.write(tmp_path / "minute.flac", minute, 44100)
    with soundfile.SoundFile(tmp_path / "hour.flac", "w", 44100, 2) as file:
        for _ in range(60):
            file.write(minute)
    script, peaks = tmp_path / "predict.py", {}
    script.write_text(
        "import genre, resource, sys\n"
        "genre.load(sys.argv[1]).predict(sys.argv[2])\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    for name in ("minute", "hour"):
        done = run_python(script, trained / "checkpoints/best.ckpt", tmp_path / f"{name}.flac", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        peaks[name] = int(done.stdout)
    unit = 1 if sys.platform == "darwin" else 1024
    assert abs(peaks["hour"] - peaks["minute"]) * unit < 300e6


def test_track_list_that_names_missing_files(trained: Path, folder: Path, tmp_path: Path) -> None:
    """A CSV data set predicts the same as the folder that it lists, and a missing file is a bad file."""
    with (tmp_path / "list.csv").open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(["path", "genre"])
        writer.writerows([path, path.parts[-3]] for path in sorted(folder.rglob("*.wav")))
        writer.writerow([tmp_path / "gone.wav", "genre0"])
    data = CSV(tmp_path / "list.csv", MelSpectrogram(), StratifiedSplit(test=0.25))
    seen = {subset: data.tracks(subset) for subset in ("train", "validation", "test")}
    assert sum(map(len, seen.values())) == 24
    assert data.bad_files == {tmp_path / "gone.wav": "no such file"}


class Fetching(Tiny):
    """A network that fetches weights by default."""

    def __init__(self, num_classes: int, pretrained: bool = True) -> None:
        super().__init__(num_classes)
        if pretrained and not FETCHED:
            raise GenreError("the weights cannot be had")


FETCHED: list[bool] = []


def test_loading_fetches_no_pretrained_weights(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint brings its own weights, also where the network's default is to fetch some."""
    with monkeypatch.context() as patch:
        patch.setattr(f"{__name__}.FETCHED", [True])
        fit_by_hand(folder, Fetching, tmp_path / "own.ckpt")
    with pytest.raises(GenreError, match="cannot be had"):
        Fetching(3)
    assert type(genre.load(tmp_path / "own.ckpt").network) is Fetching
