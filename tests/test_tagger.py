"""``genre predict`` without a checkpoint: the tags of a song, by a network that others have trained."""

import csv
import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from genre.models import MusiCNN
from genre.models.musicnn import TAGS
from genre.tagger import Tagger

from .conftest import run_cli, tone


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("songs") / "song.wav"
    soundfile.write(path, tone(1, 1, 7.0, 16000), 16000, subtype="FLOAT")
    return path


def test_mean_over_segments(musicnn: Path, song: Path) -> None:
    """Computed by hand: three segments of 187 frames spread over 7 s, sigmoid, mean."""
    wave, samples = tone(1, 1, 7.0, 16000), 186 * 256
    starts = [0, round((len(wave) - samples) / 2), len(wave) - samples]
    network, features = MusiCNN.tagger("mtt"), MusiCNN.features()
    with torch.no_grad():
        mel = features(torch.stack([torch.from_numpy(wave[start : start + samples]) for start in starts]).unsqueeze(1))
        assert mel.shape == (3, 1, 96, 187)
        expected = network(mel).sigmoid().mean(0)
    found = Tagger("mtt").predict(song)
    assert [found.probabilities[tag] for tag in TAGS["mtt"]] == pytest.approx(expected.tolist(), abs=1e-6)
    assert list(found.probabilities.values()) == sorted(found.probabilities.values(), reverse=True)


def test_formats(musicnn: Path, song: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (song.parent / "broken.mp3").write_text("no audio")
    assert run_cli("predict", song, song.parent / "broken.mp3", "--format", "json") == 1
    output = capsys.readouterr()
    (line,), (error,) = output.out.splitlines(), output.err.splitlines()
    assert "broken.mp3: undecodable" in error
    entry = json.loads(line)
    assert list(entry) == ["path", "tag", "probability", "probabilities"]
    assert sorted(entry["probabilities"]) == sorted(TAGS["msd"])
    assert (entry["tag"], entry["probability"]) == next(iter(entry["probabilities"].items()))
    assert run_cli("predict", song, "--format", "csv") == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert list(row) == ["path", "tag", "probability", *TAGS["msd"]]
    assert row["tag"] == entry["tag"]
    assert float(row[entry["tag"]]) == pytest.approx(entry["probability"], abs=1e-6)
    assert run_cli("predict", song) == 0
    table = capsys.readouterr().out
    assert entry["tag"] in table
    assert "tags by MusiCNN" in table


def test_segments(musicnn: Path, song: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One segment, in the middle of the song, is not the mean of three."""
    results = []
    for options in ([], ["--segments=1"], ["--segments=30"]):
        assert run_cli("predict", song, "--format=json", *options) == 0
        results.append(json.loads(capsys.readouterr().out)["probabilities"])
    assert results[0] == results[2]
    assert max(abs(results[0][tag] - results[1][tag]) for tag in TAGS["msd"]) > 1e-4


def test_real_music(musicnn: Path, gtzan_mini: Path) -> None:
    """A blues and a piece of hip-hop."""
    tagger = Tagger()
    for name in ("blues", "hiphop"):
        path = sorted((gtzan_mini / "genres_original" / name).glob("*.wav"))[0]
        tags = list(tagger.predict(path).probabilities)
        assert {"blues": "blues", "hiphop": "Hip-Hop"}[name] in tags[:3]


def test_without_the_weights(
    song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "path", [path for path in sys.path if not (Path(path) / "musicnn").is_dir()])
    assert run_cli("predict", song) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        "genre: error: without --ckpt_path CKPT, genre predict names a song's tags, but the weights of MusiCNN are not "
        "installed: pip install --no-deps musicnn==0.1.0 (29 MB)"
    )


def test_silence_and_noise(musicnn: Path, tmp_path: Path) -> None:
    for name, wave in {"silence": np.zeros(8000), "loud": np.sign(tone(0, 1, 3.0, 44100))}.items():
        soundfile.write(tmp_path / f"{name}.wav", wave, 44100)
        probabilities = Tagger().predict(tmp_path / f"{name}.wav").probabilities
        assert all(0 <= value <= 1 for value in probabilities.values())
