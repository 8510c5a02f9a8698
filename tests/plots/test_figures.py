"""``genre figures``: what it writes, what it says, and how it ends."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from PIL import Image

from genre.plots.style import DIVERGING, SEQUENTIAL, save_small

from ..conftest import QUICK, run_cli

OF_DATA = ["track", "tracks_waveform", "tracks_spectrogram", "tracks_mel", "tracks_mfcc", "counts", "artists", "pca"]
OF_RUNS = ["runs_learning_curves", "runs_accuracy", "runs_roc"]


def test_data_and_runs(
    folder: Path,
    trained: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    out = tmp_path / "deep" / "out"
    shutil.copytree(folder, tmp_path / "music")
    (tmp_path / "music" / "genre1" / "broken.wav").write_bytes(b"no audio")
    options = ("--tracks", "2", "--runs", trained, "--out", out)
    assert run_cli("figures", *options, *QUICK, f"--data.root={tmp_path / 'music'}") == 0
    said = capsys.readouterr().out
    assert [line.partition(":")[0] for line in said.splitlines()] == [
        str(out / f"{name}.png") for name in OF_DATA + OF_RUNS
    ]
    assert caplog.text.count("skipped") == 1
    assert "broken.wav: undecodable" in caplog.text
    assert sorted(path.stem for path in out.iterdir()) == sorted(OF_DATA + OF_RUNS)
    for path in out.iterdir():
        with Image.open(path) as picture:
            assert picture.width == 1200


def test_runs_alone(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli("figures", "--runs", trained, trained, "--out", tmp_path) == 0
    assert sorted(path.stem for path in tmp_path.iterdir()) == sorted(OF_RUNS)
    assert run_cli("figures", "--out", tmp_path, "--runs", trained, "/nowhere/version_0") == 1
    assert "/nowhere/version_0: found nothing; expected a finished run" in capsys.readouterr().err


def test_corpus_without_artists(
    folder: Path, tmp_path: Path, empty_pictures: None, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in folder.rglob("*.wav"):
        genre, artist, name = path.relative_to(folder).parts
        target = tmp_path / "music" / genre / f"{artist}{name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    track = tmp_path / "music" / "genre2" / "artist21song3.wav"
    options = ("--tracks=1", "--track", track, f"--out={tmp_path / 'out'}")
    assert run_cli("figures", *options, *QUICK, f"--data.root={tmp_path / 'music'}") == 0
    said = capsys.readouterr().out
    assert "no artists.png: Folder knows the artist of no track here" in said
    assert "artist21song3.wav in all four kinds of input" in said
    assert (tmp_path / "out" / "counts.png").exists()
    assert not (tmp_path / "out" / "artists.png").exists()


def test_no_more_columns_than_fit(
    folder: Path,
    tmp_path: Path,
    empty_pictures: None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("genre.cli.figures.MAX_COLUMNS", 2)
    assert run_cli("figures", "--tracks=300", f"--out={tmp_path}", *QUICK, f"--data.root={folder}") == 0
    said = capsys.readouterr().out
    assert "--tracks 300: a sheet has room for 2 tracks per genre; no more are drawn" in said
    assert "Mel spectrogram of 2 random tracks per genre" in said
    assert "300 random" not in said


MISTAKES = {
    "nothing": ([], 2, "nothing to draw; give --config RECIPE, or --runs RUN"),
    "misspelt option": (["--ot=x", *QUICK], 2, "--ot"),
    "no tracks": (["--tracks=0", *QUICK], 2, "at least 1"),
    "missing config": (["--config=/nowhere.yaml"], 2, "/nowhere.yaml"),
    "missing root": ([*QUICK, "--data.root=/nowhere"], 1, "/nowhere: found nothing, expected a folder of audio"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(mistake: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options, status, message = MISTAKES[mistake]
    assert run_cli("figures", "--out", tmp_path / "out", *options) == status
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_track_that_is_bad(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"no audio")
    assert run_cli("figures", "--out", tmp_path / "out", "--track", bad, *QUICK, f"--data.root={folder}") == 1
    assert "bad.wav: undecodable" in capsys.readouterr().err
    assert run_cli("figures", "--out", bad, *QUICK, f"--data.root={folder}") == 1
    assert "bad.wav: cannot be made (File exists); choose another --out" in capsys.readouterr().err


def test_help_loads_no_torch() -> None:
    code = "import sys; from genre.cli import main\ntry: main(['figures', '--help'])\nfinally: assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for option in ("--out", "--tracks", "--track", "--runs", "Any option of `genre fit`"):
        assert option in done.stdout


@pytest.mark.parametrize("scale", [SEQUENTIAL, DIVERGING], ids=lambda scale: scale.name)
def test_palette_keeps_the_colours(scale: Colormap, tmp_path: Path) -> None:
    figure = Figure(figsize=(2, 2))
    figure.add_axes((0, 0, 1, 1)).pcolormesh(np.linspace(0, 1, 64)[None], cmap=scale, antialiased=False)
    figure.axes[0].set_axis_off()
    save_small(figure, tmp_path / "small.png")
    figure.savefig(tmp_path / "large.png", dpi=110)
    small, large = (
        np.asarray(Image.open(tmp_path / file).convert("RGB"), dtype=int) for file in ("small.png", "large.png")
    )
    assert np.abs(small - large).max() <= 8
