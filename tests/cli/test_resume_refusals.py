"""What a fit cannot go on with is said in one line, before anything in the run's folder is touched."""

import shutil
from pathlib import Path

import pytest
import torch

from ..conftest import QUICK, run_cli
from .test_resume import content

ONE_CYCLE = ("--model.scheduler=torch.optim.lr_scheduler.OneCycleLR", "--model.scheduler.max_lr=0.01")
EMA = "--trainer.callbacks+=pytorch_lightning.callbacks.EMAWeightAveraging"
SWA = "--trainer.callbacks+=pytorch_lightning.callbacks.StochasticWeightAveraging"


def refused(run: Path, capsys: pytest.CaptureFixture[str], *options: str, checkpoint: str = "last.ckpt") -> str:
    """Goes on with a run, which is refused and stays as it is, byte for byte; returns the line."""
    before = content(run)
    capsys.readouterr()
    assert run_cli("fit", f"--ckpt_path={run / 'checkpoints' / checkpoint}", *options) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert content(run) == before
    return line


def fit(folder: Path, runs: Path, *options: str) -> Path:
    begun = (*QUICK, f"--data.root={folder}", f"--runs_dir={runs}", "--name=run", "--trainer.max_epochs=2", *options)
    assert run_cli("fit", *begun) == 0
    return runs / "run" / "version_0"


def test_a_stretched_schedule_keeps_its_length(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = fit(folder, tmp_path, *ONE_CYCLE)
    for option, steps in {
        "--trainer.max_epochs=4": 8,
        "--data.batch_size=3": 8,
        "--data.crops_per_track=2": 8,
        "--trainer.accumulate_grad_batches=2": 2,
        "--trainer.limit_train_batches=1": 2,
    }.items():
        line = refused(run, capsys, option)
        assert f"over 4 steps in the checkpoint, over {steps} here; go on with the same trainer.max_epochs" in line
    assert "trainer.max_steps: found 3; the checkpoint has 4 steps" in refused(run, capsys, "--trainer.max_steps=3")
    assert run_cli("fit", f"--ckpt_path={run / 'checkpoints/last.ckpt'}") == 0


def test_what_the_checkpoint_has_its_state_of_is_not_changed(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lightning loads such a state over the new settings, or adds it to those of another class, without a word."""
    run = tmp_path / "SpectralCNN" / "version_0"
    shutil.copytree(trained, run)
    adam = ("--model.optimizer=torch.optim.Adam", "--model.optimizer.lr=0.5")
    assert "model.optimizer: found Adam(" in refused(run, capsys, *adam)
    assert "model.scheduler: found StepLR(" in refused(
        run, capsys, "--model.scheduler=torch.optim.lr_scheduler.StepLR", "--model.scheduler.step_size=1"
    )
    assert "trainer.max_epochs: found 1; the checkpoint has 3 epochs" in refused(run, capsys, "--trainer.max_epochs=1")
    assert "trainer.max_steps: found 2; the checkpoint has 6 steps" in refused(run, capsys, "--trainer.max_steps=2")
    probe = "--trainer.callbacks+=genre.LinearProbe"
    assert "SpectralCNN has no backbone" in refused(run, capsys, probe, "--trainer.max_epochs=4")
    weights = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    for name in ("optimizer_states", "lr_schedulers", "callbacks"):
        del weights[name]
    torch.save(weights, run / "checkpoints" / "weights.ckpt")
    assert "holds weights alone" in refused(run, capsys, checkpoint="weights.ckpt")


def test_the_best_epoch_is_chosen_by_one_score(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A loss above 1 is larger than any accuracy: no later epoch would ever be the best."""
    run = tmp_path / "SpectralCNN" / "version_0"
    shutil.copytree(trained, run)
    for monitor, mode in (("val_accuracy", "max"), ("val_loss", "max"), ("train_loss", "min")):
        line = refused(run, capsys, f"--checkpoint.monitor={monitor}", f"--checkpoint.mode={mode}")
        assert f"checkpoint.monitor: found {monitor} (mode {mode}); the fit was begun with val_loss (mode min)" in line
    assert "found None; the fit was begun with val_loss" in refused(run, capsys, "--checkpoint.monitor=null")


@pytest.mark.parametrize(
    ("callback", "options"),
    [(EMA, ()), (SWA, ("--trainer.callbacks.swa_lrs=0.01", "--trainer.callbacks.swa_epoch_start=1"))],
    ids=["ema", "swa"],
)
def test_averaged_weights_need_their_callback(
    callback: str, options: tuple[str, ...], folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = fit(folder, tmp_path, callback, *options)
    assert "give it in trainer.callbacks" in refused(run, capsys, "--trainer.callbacks=null")
    if callback == SWA:
        assert "over 4 steps in the checkpoint, over 8 here" in refused(run, capsys, "--trainer.max_epochs=4")
    assert run_cli("fit", f"--ckpt_path={run / 'checkpoints/last.ckpt'}") == 0


def test_options_without_a_state_may_change(trained: Path, tmp_path: Path) -> None:
    """The length of a fit without a stretched schedule, its batches and its precision."""
    run = tmp_path / "SpectralCNN" / "version_0"
    shutil.copytree(trained, run)
    last = run / "checkpoints" / "last.ckpt"
    changed = ("--data.batch_size=4", "--trainer.accumulate_grad_batches=2", "--trainer.precision=bf16-mixed")
    stop = ("--trainer.callbacks+=pytorch_lightning.callbacks.EarlyStopping", "--trainer.callbacks.monitor=val_loss")
    assert run_cli("fit", f"--ckpt_path={last}", "--trainer.max_epochs=4", *changed, *stop) == 0
    assert torch.load(last, weights_only=True)["epoch"] == 3
