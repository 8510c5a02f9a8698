"""Audit, fit, predict and ensemble agree on every file: it is heard whole by all of them, or named by all of them."""

import csv
import importlib.util
import json
from pathlib import Path
from typing import NamedTuple

import pytest

import genre
from genre.audio import ffmpeg
from genre.audio.decode import probe
from genre.data import Folder, MelSpectrogram, StratifiedSplit
from genre.data.files import BadFiles, scan

from .audio.odd_files import BAD, BAD_BY_AV, CUT, HEARD, HEARD_BY_AV, encode, sound
from .conftest import QUICK, run_cli, tone, without_pictures, write_folder

AV = importlib.util.find_spec("av") is not None
needs_av = pytest.mark.skipif(not AV, reason="PyAV is not installed")

#: Every part of every train track is read in every epoch, as every part of the others is.
READ_ALL = ("--data.fixed_segments=true", "--data.segment_seconds=0.4", "--data.split.by_artist=false")


class Odd(NamedTuple):
    """A folder of odd files beside sound ones, and the run of a fit on it."""

    root: Path
    run: Path
    heard: set[Path]
    bad: set[Path]


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Odd:
    base = tmp_path_factory.mktemp("odd")
    root = write_folder(base / "music")
    heard = {name: make for name, (make, _) in (HEARD | HEARD_BY_AV if AV else HEARD).items()} | CUT
    bad = {name: make for name, (make, _) in (BAD | BAD_BY_AV if AV else BAD).items()}
    paths = []
    for made in (heard, bad):
        paths.append({root / f"genre{number % 3}" / name for number, name in enumerate(made)})
        for path in paths[-1]:
            made[path.name](path)
    options = (f"--data.root={root}", f"--runs_dir={base / 'runs'}", "--data.evaluation_segments=20")
    with without_pictures():
        assert run_cli("fit", *QUICK, *READ_ALL, *options) == 0
    return Odd(root, base / "runs" / "SpectralCNN" / "version_0", *paths)


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_fit_names_what_it_does_not_hear(odd: Odd) -> None:
    metrics = json.loads((odd.run / "report" / "metrics.json").read_text())
    assert {entry["path"] for entry in metrics["bad_files"]} == {str(path) for path in odd.bad}
    scored = [row["path"] for row in read_csv(odd.run / "report" / "predictions.csv")]
    assert not set(scored) & {str(path) for path in odd.bad}
    assert len(set(scored)) == len(scored) == metrics["tracks"] == metrics["tracks_by_subset"]["test"]
    assert sum(metrics["tracks_by_subset"].values()) == 24 + len(odd.heard)


def test_audit_agrees_on_every_file(odd: Odd, tmp_path: Path) -> None:
    assert run_cli("audit", odd.root, "--out", tmp_path) == 0
    rows = {odd.root / row["path"]: row for row in read_csv(tmp_path / "tracks.csv")}
    assert set(rows) == set(odd.root.rglob("*.*"))
    useless = ("missing", "empty", "undecodable", "not finite", "out of range", "silent")
    assert {path for path, row in rows.items() if row["faults"].startswith(useless)} == odd.bad
    assert odd.bad <= {path for path, row in rows.items() if row["exclude"]}
    data = Folder(odd.root, MelSpectrogram(), StratifiedSplit())
    data.setup("fit")
    data.setup("test")
    lengths = {readable.track.path: readable.seconds for subset in ("train", "validation", "test")
               for readable in scan(data.tracks(subset), BadFiles())}  # fmt: skip
    assert lengths
    for path in odd.heard:
        assert float(rows[path]["seconds"]) == pytest.approx(probe(path).seconds, abs=6e-4)
        assert lengths[path] == probe(path).seconds
    for name in ("zero.wav", "no_count.mp3", "chained.ogg", "total.flac"):
        assert "wrong header (" in next(row["faults"] for path, row in rows.items() if path.name == name)
    for name in ("cut.flac", "cut.mp3"):
        assert "cut off (" in next(row["faults"] for path, row in rows.items() if path.name == name)


def test_predict_agrees_on_every_file(odd: Odd, capsys: pytest.CaptureFixture[str]) -> None:
    best = odd.run / "checkpoints" / "best.ckpt"
    assert run_cli("predict", f"--ckpt_path={best}", "--format=csv", "--segments=20", odd.root) == 1
    output = capsys.readouterr()
    predicted = {Path(row["path"]) for row in csv.DictReader(output.out.splitlines())}
    assert predicted & (odd.heard | odd.bad) == odd.heard
    lines = [line for line in output.err.splitlines() if line.startswith("genre: ")]
    assert {Path(line.split(": ")[1]) for line in lines} == odd.bad
    assert len(lines) == len(odd.bad)


def test_predictions_of_fit_are_those_of_test_and_ensemble(odd: Odd, tmp_path: Path) -> None:
    best = odd.run / "checkpoints" / "best.ckpt"
    rows = read_csv(odd.run / "report" / "predictions.csv")
    predictor = genre.load(best)
    for row in rows:
        found = predictor.predict(row["path"])
        assert float(row["genre0"]) == pytest.approx(found.probabilities["genre0"], abs=1e-6)
    assert run_cli("ensemble", best, best, f"--out={tmp_path}") == 0
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert [row["path"] for row in read_csv(tmp_path / "predictions.csv")] == [row["path"] for row in rows]
    assert metrics["tracks"] == metrics["tracks_by_subset"]["test"] == len(rows)


class TestWithoutPyAV:
    @pytest.fixture
    def music(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        root = write_folder(tmp_path / "music", genres=2)
        (root / "rock").mkdir()
        for number in range(8):
            (root / "rock" / f"song{number}.m4a").write_bytes(b"m4a")
        (root / "genre0" / "song.wma").write_bytes(b"wma")
        monkeypatch.setattr(ffmpeg, "available", lambda: False)
        return root

    def said(self, root: Path) -> list[str]:
        return [
            f"{root}: 9 audio files need PyAV to be read, such as {root}/genre0/song.wma; "
            "pip install 'lightning-genre[av]'",
            f"1 folder yields no track, and no genre: {root}/rock",
        ]

    def test_fit(self, music: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        assert run_cli("fit", *QUICK, f"--data.root={music}", f"--runs_dir={tmp_path}") == 0
        assert caplog.messages == self.said(music)

    def test_audit(self, music: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert run_cli("audit", music, "--out", tmp_path / "out") == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line for line in lines if line in self.said(music)] == self.said(music)

    def test_predict(self, trained: Path, music: Path, capsys: pytest.CaptureFixture[str]) -> None:
        best = f"--ckpt_path={trained / 'checkpoints/best.ckpt'}"
        assert run_cli("predict", best, "--format=csv", music) == 1
        output = capsys.readouterr()
        assert len(output.out.splitlines()) == 17
        assert output.err.splitlines() == [f"genre: {self.said(music)[0]}"]
        assert run_cli("predict", best, music / "genre0" / "song.wma") == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line == f"genre: {music}/genre0/song.wma: needs PyAV to be read; pip install 'lightning-genre[av]'"

    def test_nothing_else(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("a/1.m4a", "b/2.wma"):
            (tmp_path / name).parent.mkdir()
            (tmp_path / name).write_bytes(b"x")
        monkeypatch.setattr(ffmpeg, "available", lambda: False)
        with pytest.raises(genre.GenreError) as caught:
            Folder(tmp_path, MelSpectrogram(), StratifiedSplit()).read_corpus()
        assert str(caught.value) == (
            f"{tmp_path}: 2 audio files need PyAV to be read, such as {tmp_path}/a/1.m4a; "
            "pip install 'lightning-genre[av]'"
        )


@needs_av
def test_a_folder_of_m4a_is_a_genre(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = write_folder(tmp_path / "music", genres=2)
    (root / "rock").mkdir()
    for number in range(2):
        encode(root / "rock" / f"song{number}.m4a", "aac", "ipod")
    (root / "rock" / "list.txt").write_text("song0.m4a")
    assert Folder(root, MelSpectrogram(), StratifiedSplit()).corpus.genres == ["genre0", "genre1", "rock"]
    assert not caplog.records


@pytest.mark.parametrize(
    "content", [(), ("songs.zip",), ("a.xyz",), ("list.txt",)], ids=["empty", "archive", "unknown", "text"]
)
def test_genre_without_a_track_is_named(
    tmp_path: Path, content: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    root = write_folder(tmp_path / "music", genres=2)
    (root / "rock").mkdir()
    for name in content:
        (root / "rock" / name).write_bytes(b"x")
    assert Folder(root, MelSpectrogram(), StratifiedSplit()).corpus.genres == ["genre0", "genre1"]
    assert caplog.messages == [f"1 folder yields no track, and no genre: {root}/rock"]


def test_integers_as_floating_point_do_not_flip_a_genre(trained: Path, tmp_path: Path) -> None:
    import soundfile

    soundfile.write(tmp_path / "loud.wav", 32768 * tone(0, 0, 1.0), 22050, subtype="FLOAT")
    with pytest.raises(genre.GenreError, match=r"loud\.wav: a level of \+8\d dBFS \(integers"):
        genre.load(trained / "checkpoints" / "best.ckpt").predict(tmp_path / "loud.wav")
    sound(tmp_path / "sound.wav", subtype="FLOAT")
    genre.load(trained / "checkpoints" / "best.ckpt").predict(tmp_path / "sound.wav")
