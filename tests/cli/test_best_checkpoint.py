"""What the report of a fit says is what ``best.ckpt`` does, and that is the best epoch."""

import csv
import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

import genre
from genre.checkpoint import read_checkpoint

from ..conftest import QUICK, run_cli

CALLBACK = "--trainer.callbacks+=pytorch_lightning.callbacks"
#: A small ResNet without weights.
BACKBONE = (
    "--model.network=genre.models.Backbone",
    "--model.network.name=test_resnet",
    "--model.network.pretrained=false",
)
SWA = (f"{CALLBACK}.StochasticWeightAveraging", "--trainer.callbacks.swa_lrs=0.001")
#: Without batch norm, Lightning neither scores nor saves the average of SWA.
MLP = ("--model.network=genre.models.KhameesMLP", "--model.network.bands=32", "--model.network.frames=69")
EMA = (f"{CALLBACK}.EMAWeightAveraging", "--trainer.callbacks.decay=0.6")
SECOND = (
    f"{CALLBACK}.ModelCheckpoint",
    "--trainer.callbacks.every_n_train_steps=1",
    "--trainer.callbacks.save_top_k=-1",
)

#: The options of a fit, and how many files it keeps beside best.ckpt and last.ckpt.
CASES: dict[str, tuple[tuple[str, ...], int]] = {
    "plain": ((), 0),
    "top-3": (("--checkpoint.save_top_k=3",), 3),
    "top-all": (("--checkpoint.save_top_k=-1",), 5),
    "own-name": (("--checkpoint.save_top_k=2", "--checkpoint.filename=mine"), 2),
    "steps": (("--checkpoint.every_n_train_steps=1", "--checkpoint.save_top_k=-1"), 8),
    "none": (("--checkpoint.save_top_k=0",), 0),
    "save-last": (("--checkpoint.save_last=true", "--checkpoint.save_weights_only=true"), 0),
    "accuracy": (("--checkpoint.monitor=val_accuracy", "--checkpoint.mode=max"), 0),
    "train-loss": (("--checkpoint.monitor=train_loss", "--trainer.check_val_every_n_epoch=2"), 0),
    "second": (SECOND, 10),
    "second-last": ((*SECOND[:2], "--trainer.callbacks.save_last=true"), 1),
    "ema": (EMA, 0),
    "ema-by-epoch": ((*EMA, "--trainer.callbacks.update_starting_at_epoch=1"), 0),
    "ema-second": ((*EMA, *SECOND), 10),
    "swa": ((*SWA, "--trainer.callbacks.swa_epoch_start=2"), 0),
    "swa-no-batch-norm": ((*SWA, *MLP), 0),
    "stopped": (
        (f"{CALLBACK}.EarlyStopping", "--trainer.callbacks.monitor=val_loss", "--trainer.callbacks.patience=1"),
        0,
    ),
    "newest": (("--checkpoint.monitor=null",), 0),
    "newest-swa": (("--checkpoint.monitor=null", *SWA), 0),
    "every-second": (("--checkpoint.every_n_epochs=2",), 0),
    "every-second-scored": (("--trainer.check_val_every_n_epoch=2",), 0),
    "within-epochs": (("--trainer.val_check_interval=1", "--trainer.limit_train_batches=2"), 0),
    "not-scored": (("--trainer.limit_val_batches=0",), 0),
    "pruned": ((f"{CALLBACK}.ModelPruning", "--trainer.callbacks.pruning_fn=l1_unstructured"), 0),
    "linear-probe": ((*BACKBONE, "--trainer.callbacks+=genre.LinearProbe"), 0),
    "unfreezing": ((*BACKBONE, "--trainer.callbacks+=genre.GradualUnfreezing"), 0),
}


def fit(folder: Path, runs: Path, *options: str, epochs: int = 5) -> Path:
    """Fits with a rate at which epochs get better and worse; returns the run's folder."""
    begun = ("--model.optimizer=torch.optim.Adam", "--model.optimizer.lr=0.02", f"--trainer.max_epochs={epochs}")
    assert run_cli("fit", *QUICK, f"--data.root={folder}", f"--runs_dir={runs}", "--name=run", *begun, *options) == 0
    return runs / "run" / "version_0"


@pytest.fixture(scope="module")
def fitted(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Gives the run of a case, which is fitted once for all tests."""
    return cache(lambda case: fit(folder, tmp_path_factory.mktemp(case), *CASES[case][0]))


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def best_epoch(run: Path, options: tuple[str, ...]) -> int:
    """Which epoch is the best by the history of the run."""
    monitor = next((o.partition("=")[2] for o in options if o.startswith("--checkpoint.monitor")), "val_loss")
    history = [row for row in rows(run / "report" / "history.csv") if monitor == "null" or row.get(monitor)]
    if "--checkpoint.every_n_epochs=2" in options:
        history = [row for row in history if int(row["epoch"]) % 2]
    if monitor == "null" or not history:
        return int(rows(run / "report" / "history.csv")[-1]["epoch"])
    sign = -1 if "--checkpoint.mode=max" in options else 1
    return int(min(history, key=lambda row: sign * float(row[monitor]))["epoch"])


@pytest.mark.parametrize("case", CASES)
def test_the_report_describes_the_best_checkpoint(case: str, fitted: Callable[[str], Path], tmp_path: Path) -> None:
    options, more = CASES[case]
    run = fitted(case)
    best = run / "checkpoints" / "best.ckpt"
    assert read_checkpoint(best)["epoch"] == best_epoch(run, options)
    others = {path.name for path in (run / "checkpoints").iterdir()} - {"best.ckpt", "last.ckpt"}
    assert len(others) == more
    assert run_cli("test", f"--ckpt_path={best}", f"--runs_dir={tmp_path / 'tests'}", "--name=run") == 0
    reports = [run / "report", tmp_path / "tests" / "run" / "version_0" / "report"]
    ours, theirs = (json.loads((report / "metrics.json").read_text()) for report in reports)
    assert ours["loss"] == pytest.approx(theirs["loss"], abs=1e-6)
    predictor = genre.load(best)
    for row, other in zip(*(rows(report / "predictions.csv") for report in reports), strict=True):
        prediction = predictor.predict(row["path"])
        assert prediction.genre == row["predicted"] == other["predicted"]
        for name in ours["genres"]:
            assert float(row[name]) == pytest.approx(float(other[name]), abs=1e-6)
            assert float(row[name]) == pytest.approx(prediction.probabilities[name], abs=1e-6)


@pytest.mark.parametrize("case", ["plain", "ema", "ema-by-epoch", "swa", "swa-no-batch-norm", "within-epochs"])
def test_the_best_checkpoint_has_the_score_that_it_was_chosen_by(
    case: str, fitted: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Scored again, its validation loss is that of the history: the weights are those that were scored."""
    run = fitted(case)
    history = {row["epoch"]: row["val_loss"] for row in rows(run / "report" / "history.csv")}
    best = run / "checkpoints" / "best.ckpt"
    capsys.readouterr()
    assert run_cli("validate", f"--ckpt_path={best}", f"--runs_dir={tmp_path}") == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if " loss " in line]
    assert f"{float(history[str(read_checkpoint(best)['epoch'])]):.3f}" in line


def test_weights_averaged_at_the_end_are_scored_too(folder: Path, tmp_path: Path) -> None:
    """Lightning leaves them in memory alone; here they are an epoch of the history, and can be the best."""
    options = (*SWA, *MLP, "--trainer.callbacks.swa_epoch_start=1")
    run = fit(folder, tmp_path, *options, "--checkpoint.monitor=null", epochs=3)
    history = rows(run / "report" / "history.csv")
    assert [row["epoch"] for row in history] == ["0", "1", "2", "3"]
    best, last = (read_checkpoint(run / "checkpoints" / name) for name in ("best.ckpt", "last.ckpt"))
    assert (best["epoch"], last["epoch"]) == (3, 2)
    average = last["callbacks"]["StochasticWeightAveraging"]["average_model_state"]
    network = [name for name in average if name.startswith("network.")]
    assert all(torch.equal(best["state_dict"][name], average[name]) for name in network)
    assert any(not torch.equal(last["state_dict"][name], average[name]) for name in network)


def test_the_best_epoch_goes_along(folder: Path, tmp_path: Path) -> None:
    """A fit that goes on under another name begins with the best epoch so far, or without it where its file is lost."""
    run = fit(folder, tmp_path, epochs=3)
    best, last = run / "checkpoints" / "best.ckpt", run / "checkpoints" / "last.ckpt"
    before = best.read_bytes()
    assert read_checkpoint(best)["epoch"] == 0
    on = (f"--config={run / 'config.yaml'}", f"--ckpt_path={last}", f"--runs_dir={tmp_path}", "--trainer.max_epochs=4")
    assert run_cli("fit", *on, "--name=other") == 0
    assert (tmp_path / "other" / "version_0" / "checkpoints" / "best.ckpt").read_bytes() == before
    assert best.read_bytes() == before
    best.unlink()
    assert run_cli("fit", *on, "--name=lost") == 0
    assert read_checkpoint(tmp_path / "lost" / "version_0" / "checkpoints" / "best.ckpt")["epoch"] == 3


def test_other_callbacks_leave_our_files_alone(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = (*QUICK, f"--data.root={folder}", f"--runs_dir={tmp_path / 'runs'}")
    assert run_cli("fit", *options, f"{CALLBACK}.ModelCheckpoint", "--trainer.callbacks.filename=best") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "ModelCheckpoint in trainer.callbacks has the filename best" in line
    assert not list((tmp_path / "runs").rglob("*"))


def states(run: Path) -> dict[str, Any]:
    callbacks: dict[str, Any] = read_checkpoint(run / "checkpoints" / "last.ckpt")["callbacks"]
    return callbacks


def test_kept_files_move_with_the_run(folder: Path, tmp_path: Path) -> None:
    """Moved and gone on with, it still keeps three."""
    run = fit(folder, tmp_path, "--checkpoint.save_top_k=3", epochs=4)
    moved = tmp_path / "elsewhere" / "run" / "version_0"
    shutil.copytree(run, moved)
    last = moved / "checkpoints" / "last.ckpt"
    assert run_cli("fit", f"--ckpt_path={last}", "--trainer.max_epochs=7") == 0
    kept = sorted((moved / "checkpoints").glob("epoch=*.ckpt"))
    assert len(kept) == 3
    history = sorted(rows(moved / "report" / "history.csv"), key=lambda row: float(row["val_loss"]))
    assert {read_checkpoint(path)["epoch"] for path in kept} == {int(row["epoch"]) for row in history[:3]}
    assert states(moved)["BestCheckpoint"]["epoch"] == int(history[0]["epoch"])
