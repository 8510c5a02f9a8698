"""Every callback that Lightning ships works on the command line, or is refused in one line."""

from pathlib import Path

import pytest
import pytorch_lightning as pl
from pytorch_lightning import callbacks

from .conftest import Try

SHIPPED = sorted(
    name for name, kind in vars(callbacks).items() if isinstance(kind, type) and issubclass(kind, pl.Callback)
)
#: The arguments that a callback needs.
ARGUMENTS = {
    "BatchSizeFinder": ("max_trials=1",),
    "EarlyStopping": ("monitor=val_loss",),
    "EMAWeightAveraging": ("decay=0.6",),
    "GradientAccumulationScheduler": ("scheduling={1: 2}",),
    "LearningRateFinder": ("num_training_steps=10", "early_stop_threshold=null"),
    "ModelPruning": ("pruning_fn=l1_unstructured",),
    "OnExceptionCheckpoint": ("dirpath=elsewhere",),
    "StochasticWeightAveraging": ("swa_lrs=0.01",),
    "ThroughputMonitor": ("batch_size_fn=builtins.len",),
}
#: Callbacks that only look on: they are tried in one fit.
ONLOOKERS = ("Callback", "LambdaCallback", "LearningRateMonitor", "ModelSummary", "ThroughputMonitor", "Timer")
#: What is refused, and what the line says.
REFUSED = {
    "BackboneFinetuning": "use genre.GradualUnfreezing, or genre.LinearProbe",
    "BaseFinetuning": "BaseFinetuning does not implement freeze_before_training; give a class derived from it",
    "SpikeDetection": "SpikeDetection cannot load the state that it saves",
}
try:
    import psutil  # noqa: F401  # an extra of Lightning's
except ImportError:
    REFUSED["DeviceStatsMonitor"] = "needs a package that is not installed: `DeviceStatsMonitor`"


@pytest.mark.parametrize("name", [name for name in SHIPPED if name not in ONLOOKERS])
def test_a_shipped_callback(
    name: str,
    attempt: Try,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    options = [f"--trainer.callbacks.{argument}" for argument in ARGUMENTS.get(name, ())]
    if name.endswith("ProgressBar"):
        options.append("--trainer.enable_progress_bar=true")  # in place of the one that a fit has by default
    line = attempt(f"--trainer.callbacks+=pytorch_lightning.callbacks.{name}", *options)
    assert REFUSED.get(name, "nothing") in (line or "nothing")


def test_shipped_callbacks_that_only_look_on(attempt: Try) -> None:
    assert set(ONLOOKERS) <= set(SHIPPED)
    options: list[str] = []
    for name in ONLOOKERS:
        options.append(f"--trainer.callbacks+=pytorch_lightning.callbacks.{name}")
        options += [f"--trainer.callbacks.{argument}" for argument in ARGUMENTS.get(name, ())]
    assert attempt(*options) is None


def test_a_wrong_argument_of_one_of_several_is_one_line(attempt: Try) -> None:
    both = '[{"class_path": "LearningRateMonitor"}, {"class_path": "Timer", "init_args": {"interval": "hour"}}]'
    assert attempt(f"--trainer.callbacks={both}") is not None


def test_a_progress_bar_that_is_switched_off(attempt: Try) -> None:
    line = attempt("--trainer.callbacks+=pytorch_lightning.callbacks.TQDMProgressBar")
    assert line is not None
    assert "`enable_progress_bar=False`" in line
