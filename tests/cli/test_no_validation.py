"""Splits without a validation subset: what a fit, its checkpoint and its report say where no track chose the epoch."""

import csv
import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.cli import ReduceLROnPlateau
from pytorch_lightning.tuner.tuning import Tuner

import genre
from genre.benchmark.plan import Cell, Row
from genre.benchmark.worker import CellFolder
from genre.data import Corpus, Folder, KFoldSplit, MelSpectrogram, SegmentSplit, Split, StratifiedSplit
from genre.data.splits import Partition
from genre.errors import GenreError
from genre.models import SpectralCNN
from genre.plots.runs import plot_learning_curves, plot_runs_accuracy, plot_runs_learning_curves

from ..conftest import QUICK, run_cli

#: A quarter of the tracks tests, the rest trains; the last option of a name counts.
PLAIN = (*QUICK, "--data.split.validation=0")
LAST = "--checkpoint.monitor=null"


@pytest.fixture(scope="module")
def run(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished fit without validation tracks."""
    runs = tmp_path_factory.mktemp("runs")
    options = ["--model.class_weights=balanced", "--trainer.max_epochs=2"]
    assert run_cli("fit", *PLAIN, LAST, *options, f"--data.root={folder}", f"--runs_dir={runs}") == 0
    return runs / "SpectralCNN" / "version_0"


def report(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "report" / "metrics.json").read_text())
    return content


def test_report(run: Path) -> None:
    metrics = report(run)
    assert metrics["subset"] == "test"
    assert metrics["tracks_by_subset"] == {"train": 18, "validation": 0, "test": 6}
    assert metrics["seen"] == {"train": 0, "validation": 0}
    assert metrics["chosen_on"] == 0
    assert metrics["leaky"] is False
    remark = "No track chose the epoch: the network was trained without a validation subset."
    assert remark in (run / "report" / "index.html").read_text()
    with (run / "report" / "history.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert set(rows[0]) == {"epoch", "seconds", "train_loss", "train_accuracy"}


def test_checkpoint_says_that_no_track_chose_the_epoch(run: Path) -> None:
    best, last = (
        torch.load(run / "checkpoints" / f"{name}.ckpt", weights_only=True, map_location="cpu")
        for name in ("best", "last")
    )
    for checkpoint in (best, last):
        heard = checkpoint["genre"]["provenance"]
        assert (len(heard["tracks"]["train"]), heard["tracks"]["validation"]) == (18, [])
        assert heard["artists"]["validation"] == []
        assert checkpoint["epoch"] == 1
    assert all(torch.equal(best["state_dict"][name], weight) for name, weight in last["state_dict"].items())


def test_with_validation_the_report_counts_what_chose(trained: Path) -> None:
    metrics = report(trained)
    assert metrics["chosen_on"] == metrics["tracks_by_subset"]["validation"] > 0
    assert "No track chose" not in (trained / "report" / "index.html").read_text()


def test_test(run: Path, tmp_path: Path) -> None:
    checkpoint = run / "checkpoints" / "best.ckpt"
    assert run_cli("test", f"--ckpt_path={checkpoint}", f"--runs_dir={tmp_path}") == 0
    (again,) = tmp_path.rglob("metrics.json")
    assert json.loads(again.read_text())["accuracy"] == report(run)["accuracy"]


def test_a_cell_counts_its_epochs(run: Path, tmp_path: Path) -> None:
    cell = CellFolder(tmp_path, Cell(Row((Path("good.yaml"),)), 0), [])
    cell.run.mkdir(parents=True)
    assert cell.epochs == 0
    shutil.copy(run / "metrics.csv", cell.run)
    assert cell.epochs == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "checkpoint.monitor is val_loss, and StratifiedSplit has no validation subset here; give checkpoint.monitor: null,"),
        (["--checkpoint.monitor=val_f1", "--checkpoint.mode=max"], "checkpoint.monitor is val_f1, and "),
        ([LAST, "--trainer.callbacks=EarlyStopping", "--trainer.callbacks.monitor=val_accuracy"], "EarlyStopping.monitor is val_accuracy, and StratifiedSplit has no validation subset here; give train_loss, or"),
        ([LAST, "--trainer.callbacks+=ModelCheckpoint", "--trainer.callbacks.monitor=val_loss"], "ModelCheckpoint.monitor is val_loss, and "),
        ([LAST, "--model.scheduler=pytorch_lightning.cli.ReduceLROnPlateau", "--model.scheduler.monitor=val_loss"], "model.scheduler.monitor is val_loss, and "),
    ],
)  # fmt: skip
def test_what_goes_by_validation_scores_is_refused(
    options: list[str], message: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_cli("fit", *PLAIN, *options, f"--data.root={folder}", f"--runs_dir={tmp_path / 'runs'}") == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.rglob("*.*"))


@pytest.mark.parametrize(
    "options",
    [
        ["--checkpoint.monitor=train_loss"],
        [LAST, "--trainer.callbacks=EarlyStopping", "--trainer.callbacks.monitor=train_loss"],
        [LAST, "--model.scheduler=pytorch_lightning.cli.ReduceLROnPlateau", "--model.scheduler.monitor=train_loss"],
        ["--trainer.enable_checkpointing=false"],
    ],
)
def test_what_goes_by_train_scores_is_not(options: list[str], folder: Path, tmp_path: Path) -> None:
    assert run_cli("fit", *PLAIN, *options, f"--data.root={folder}", f"--runs_dir={tmp_path}") == 0


def test_validate_has_nothing_to_do(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli("validate", f"--ckpt_path={run / 'checkpoints' / 'best.ckpt'}") == 1
    error = capsys.readouterr().err
    assert "StratifiedSplit has no validation subset here: there is nothing to validate" in error
    assert error.count("\n") == 1


def make(folder: Path, split: Split) -> Folder:
    features = MelSpectrogram(n_mels=32, n_fft=512, hop_length=256)
    return Folder(folder, features, split, segment_seconds=0.8, batch_size=6, num_workers=0)


def trainer(*callbacks: pl.Callback) -> pl.Trainer:
    return pl.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=list(callbacks),
    )  # fmt: skip


@pytest.mark.parametrize(
    "split", [StratifiedSplit(0, 0.25), KFoldSplit(4, validation=False), SegmentSplit(0.5, 0.0, 0.25)]
)
def test_no_validation_loop_is_run(split: Split, folder: Path) -> None:
    data = make(folder, split)
    assert (data.val_dataloader(), data.tracks("validation"), data.test_subset) == ([], [], "test")
    classifier = genre.GenreClassifier(SpectralCNN, data.genres, class_weights="balanced")
    fit = trainer()
    fit.fit(classifier, datamodule=data)
    assert not any(name.startswith("val_") for name in fit.callback_metrics)
    assert classifier.provenance is not None
    assert classifier.provenance.tracks["validation"] == []
    assert classifier.loss_weights is not None
    assert classifier.loss_weights.tolist() == pytest.approx([1, 1, 1], abs=0.01)
    with pytest.raises(GenreError, match="has no validation subset here: there is nothing to validate"):
        fit.validate(classifier, datamodule=data)
    assert 0 <= fit.test(classifier, datamodule=data, verbose=False)[0]["test_accuracy"] <= 1


def test_a_callback_is_refused_from_python_too(folder: Path) -> None:
    data = make(folder, StratifiedSplit(0, 0.25))
    stop = pl.callbacks.EarlyStopping("val_loss")
    with pytest.raises(GenreError, match=r"EarlyStopping.monitor is val_loss, .*; give train_loss, or a split"):
        trainer(stop).fit(genre.GenreClassifier(SpectralCNN, data.genres), datamodule=data)
    plateau = partial(ReduceLROnPlateau, monitor="val_loss")
    with pytest.raises(GenreError, match=r"ReduceLROnPlateau.monitor is val_loss, "):
        trainer().fit(genre.GenreClassifier(SpectralCNN, data.genres, scheduler=plateau), datamodule=data)


def test_tuner(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = make(folder, StratifiedSplit(0, 0.25))
    classifier = genre.GenreClassifier(SpectralCNN, data.genres)
    found = Tuner(trainer()).scale_batch_size(classifier, datamodule=data, max_trials=1, steps_per_trial=1)
    assert found == data.batch_size


def test_split_that_leaves_nothing_to_score(folder: Path) -> None:
    class Nothing(Split):
        has_validation = False

        def __call__(self, corpus: Corpus) -> Partition:
            return {"train": corpus.tracks, "validation": [], "test": []}

    with pytest.raises(GenreError, match="the split leaves no test track of 24; choose another"):
        make(folder, Nothing()).setup("fit")


HISTORY = [{"epoch": float(epoch), "train_loss": 1.0, "train_accuracy": 0.5} for epoch in range(3)]
VALIDATED = [entry | {"val_loss": 2.0, "val_accuracy": 0.25} for entry in HISTORY]


def test_learning_curves() -> None:
    def labels(history: list[dict[str, float]], unit: str = "tracks") -> list[list[str]]:
        return [axes.get_legend_handles_labels()[1] for axes in plot_learning_curves(history, 2, unit).axes]

    best = "best checkpoint (epoch 3)"  # as the progress bar counts
    segments, tracks = (["train segments", f"validation {unit}", best] for unit in ("segments", "tracks"))
    assert labels(HISTORY) == [["train segments", best]] * 2
    assert labels(VALIDATED) == [segments, tracks]  # the loss is that of segments
    assert labels(VALIDATED, "segments") == [segments, segments]


@pytest.mark.parametrize("others", [1, 6])
def test_curves_of_runs(others: int) -> None:
    histories = {"none": HISTORY} | {f"run {number}": VALIDATED for number in range(others)}
    figure = plot_runs_learning_curves(histories)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["train segments", "validation tracks"]
    (axes,) = plot_runs_accuracy(histories).axes
    assert axes.get_legend_handles_labels()[1] == list(histories)
    assert axes.lines[0].get_ydata().tolist() == [0.5] * 3  # type: ignore[union-attr]
    alone = plot_runs_accuracy({"none": HISTORY})
    assert alone.axes[0].get_title() == "Accuracy of train segments by epoch"
    assert [text.get_text() for text in alone.legends[0].get_texts()] == ["train segments"]
