"""An ensemble's probabilities are the mean of its members', and its score is refused where it would leak."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from sklearn.metrics import accuracy_score

import genre
from tests.conftest import QUICK, run_cli, without_pictures


@pytest.fixture(scope="module")
def other(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with another feature, rate and segment length on the same split."""
    runs = tmp_path_factory.mktemp("other")
    options = [option.replace("MelSpectrogram", "Spectrogram") for option in QUICK if "n_mels" not in option]
    options += ["--data.segment_seconds=0.6", "--seed_everything=3", "--trainer.max_epochs=3"]
    with without_pictures():
        assert run_cli("fit", *options, f"--data.root={folder}", f"--runs_dir={runs}") == 0
    return runs / "SpectralCNN" / "version_0"


def checkpoint(run: Path) -> Path:
    return run / "checkpoints" / "best.ckpt"


def rows(report: Path) -> dict[str, dict[str, str]]:
    with (report / "predictions.csv").open() as lines:
        return {row["path"]: row for row in csv.DictReader(lines)}


@pytest.mark.pictures
def test_report_is_of_the_mean_of_the_members_own_reports(trained: Path, other: Path, tmp_path: Path) -> None:
    assert run_cli("ensemble", checkpoint(trained), checkpoint(other), "--out", tmp_path) == 0
    found, first, second = rows(tmp_path), rows(trained / "report"), rows(other / "report")
    assert found.keys() == first.keys() == second.keys()
    for path, row in found.items():
        for name in ("genre0", "genre1", "genre2"):
            mean = (float(first[path][name]) + float(second[path][name])) / 2
            assert float(row[name]) == pytest.approx(mean, abs=2e-4)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    truth, said = zip(*((row["genre"], row["predicted"]) for row in found.values()), strict=True)
    assert metrics["accuracy"]["value"] == pytest.approx(accuracy_score(truth, said), abs=1e-4)
    assert metrics["features"] == "MelSpectrogram, Spectrogram"
    assert {"index.html", "roc.png", "confusion_matrix.png"} <= {path.name for path in tmp_path.iterdir()}


def test_predict_takes_several_checkpoints(
    trained: Path, other: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    song = next(folder.rglob("*.wav"))
    status = run_cli(
        "predict", "--ckpt_path", checkpoint(trained), "--ckpt_path", checkpoint(other), "--format", "json", song
    )
    assert status == 0
    said = json.loads(capsys.readouterr().out)["probabilities"]
    members = [genre.load(checkpoint(run)).predict(song).probabilities for run in (trained, other)]
    for name, probability in said.items():
        assert probability == pytest.approx((members[0][name] + members[1][name]) / 2, abs=1e-6)
    ensemble = genre.Ensemble([genre.load(checkpoint(run)) for run in (trained, other)])
    assert ensemble.predict(song).probabilities == pytest.approx(said)


def test_a_member_that_knows_the_test_tracks_is_refused(
    trained: Path, other: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    status = run_cli("ensemble", checkpoint(trained), checkpoint(other), "--out", out, "--data.split.seed=5")
    assert status == 1
    assert "was trained or chosen on" in capsys.readouterr().err
    assert not out.exists()


def test_a_member_knows_its_tracks_without_its_folder(
    trained: Path, other: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = shutil.copy(checkpoint(other), tmp_path / "moved.ckpt")
    assert run_cli("ensemble", checkpoint(trained), moved, "--out", tmp_path / "out") == 0
    options = ("--out", tmp_path / "again", "--data.split.seed=5")
    assert run_cli("ensemble", moved, checkpoint(trained), f"--config={trained}/config.yaml", *options) == 1
    assert "moved.ckpt was trained or chosen on" in capsys.readouterr().err


def test_members_of_other_genres_are_refused(trained: Path, tmp_path: Path) -> None:
    first, second = genre.load(checkpoint(trained)), genre.load(checkpoint(trained))
    second.genres = ["polka", *second.genres[1:]]
    with pytest.raises(genre.GenreError, match="same genres"):
        genre.Ensemble([first, second])
