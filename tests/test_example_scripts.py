"""Every Python program under examples/ runs."""

import runpy
import sys
from pathlib import Path

import pytest

from .processes import run_python
from .test_examples import EXAMPLES


def run_script(monkeypatch: pytest.MonkeyPatch, folder: Path, *command: str | Path) -> int | str:
    """Runs a script in this process and in a folder; returns its exit status, or the text that it ends with."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", [str(part) for part in command])
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as stop:
        return stop.code or 0
    return 0


def test_own_network(folder: Path, tmp_path: Path) -> None:
    done = run_python(EXAMPLES / "own_network.py", folder, "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Prediction(path=" in done.stdout
    assert list(tmp_path.rglob("report/index.html"))


def test_svm_baseline(
    gtzan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Folds by artist of any DataModule; the last line is the accuracy over all their tracks."""
    split = tmp_path / "folds.yaml"
    split.write_text("class_path: genre.data.KFoldSplit\ninit_args: {folds: 4}\n")
    recipe = EXAMPLES / "singh" / "spectral_cnn.yaml"
    command = (EXAMPLES / "svm_baseline.py", f"--config={recipe}", f"--data.root={gtzan}")
    results = []
    for options in ([], ["--contrast_and_chroma"], [f"--data.split={split}"]):
        assert run_script(monkeypatch, tmp_path, *command, *options) == 0
        results.append(capsys.readouterr().out)
    plain, more, folds = results
    assert "SVM on 40 features of 20 test tracks: accuracy " in plain
    assert "SVM on 78 features of 20 test tracks: accuracy " in more
    assert "SVM on 40 features of 80 test tracks: accuracy " in folds
    assert "over 4 folds" in folds
    accuracy = float(folds.partition("accuracy ")[2].split()[0])
    assert accuracy > 0.5  # the pitch tells the genre
    assert run_script(monkeypatch, tmp_path, *command, "--data.rot=x") == 2
    assert "unknown option --data.rot" in capsys.readouterr().err


def test_leak_study(
    gtzan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_script(monkeypatch, tmp_path, EXAMPLES / "khamees" / "leak_study.py", gtzan, "1") == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("│ ") and "accuracy" not in line]
    assert [row.split()[1] for row in rows[-3:]] == ["segment", "track", "artist"]
    assert [row.rstrip("│ ").endswith("leaky") for row in rows[-3:]] == [True, False, False]
