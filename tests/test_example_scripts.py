"""Every Python program under examples/ runs."""

from pathlib import Path

from .processes import run_python
from .test_examples import EXAMPLES


def test_own_network(folder: Path, tmp_path: Path) -> None:
    done = run_python(EXAMPLES / "own_network.py", folder, "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Prediction(path=" in done.stdout
    assert list(tmp_path.rglob("report/index.html"))


def test_svm_baseline(gtzan: Path, tmp_path: Path) -> None:
    """Folds by artist of any DataModule; the last line is the accuracy over all their tracks."""
    split = tmp_path / "folds.yaml"
    split.write_text("class_path: genre.data.KFoldSplit\ninit_args: {folds: 4}\n")
    recipe = EXAMPLES / "singh" / "spectral_cnn.yaml"
    command = (EXAMPLES / "svm_baseline.py", f"--config={recipe}", f"--data.root={gtzan}")
    plain, more, folds = (
        run_python(*command, *options, cwd=tmp_path)
        for options in ([], ["--contrast_and_chroma"], [f"--data.split={split}"])
    )
    for done in (plain, more, folds):
        assert done.returncode == 0, done.stderr
    assert "SVM on 40 features of 20 test tracks: accuracy " in plain.stdout
    assert "SVM on 78 features of 20 test tracks: accuracy " in more.stdout
    assert "SVM on 40 features of 80 test tracks: accuracy " in folds.stdout
    assert "over 4 folds" in folds.stdout
    accuracy = float(folds.stdout.partition("accuracy ")[2].split()[0])
    assert accuracy > 0.5  # the pitch tells the genre
    wrong = run_python(*command, "--data.rot=x", cwd=tmp_path)
    assert wrong.returncode == 2
    assert "Traceback" not in wrong.stderr


def test_leak_study(gtzan: Path, tmp_path: Path) -> None:
    done = run_python(EXAMPLES / "khamees" / "leak_study.py", gtzan, "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("│ ") and "accuracy" not in line]
    assert [row.split()[1] for row in rows[-3:]] == ["segment", "track", "artist"]
    assert [row.rstrip("│ ").endswith("leaky") for row in rows[-3:]] == [True, False, False]
