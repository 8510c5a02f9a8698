"""Options of the Trainer: the report is that of ``best.ckpt``, or one line says why there is none."""

import json
from pathlib import Path

import pytest

from ..conftest import run_cli
from .conftest import SMALL, Try

#: By name and value, and the options beside it.
WORKING = {
    "limit_val_batches=0": (),
    "limit_test_batches=1": (),
    "check_val_every_n_epoch=5": (),
    "check_val_every_n_epoch=2": ("--checkpoint.every_n_epochs=2",),
    "check_val_every_n_epoch=null": ("--trainer.val_check_interval=3",),
    "val_check_interval=0.5": (),
    "val_check_interval=1": ("--checkpoint.every_n_epochs=2",),
    "max_steps=3": (),
    "max_steps=1": ("--trainer.val_check_interval=1",),
    "accumulate_grad_batches=9": (),
}
#: Options that do not concern each other: those of a line are tried in one fit.
TOGETHER = (
    ("max_time=00:00:10:00", "inference_mode=false", "logger=true", "log_every_n_steps=0", "profiler=simple"),
    ("deterministic=true", "detect_anomaly=true", "gradient_clip_val=1", "num_sanity_val_steps=-1", "logger=false"),
    ("min_epochs=3", "reload_dataloaders_every_n_epochs=1", "enable_model_summary=true", "profiler=advanced"),
    ("benchmark=true", "use_distributed_sampler=false", "num_sanity_val_steps=0"),
)
REFUSED = {
    "limit_test_batches=0": "trainer.limit_test_batches is 0, which leaves nothing to score; leave the option out",
    "limit_test_batches=0.0": "trainer.limit_test_batches is 0",
    "accumulate_grad_batches=0": "trainer.accumulate_grad_batches: found 0; give at least 1",
    "barebones=true": "trainer.barebones: Lightning then keeps neither scores nor checkpoints",
    "val_check_interval=50": "`val_check_interval` (50) must be less than or equal to the number of",
    "max_time=00:00:00:00": "the fit has ended before its first step: there is nothing to test; give more max_time",
    "precision=transformer-engine": " needs a package that is not installed: ",
}


@pytest.mark.parametrize("option", WORKING)
def test_works(option: str, attempt: Try) -> None:
    assert attempt(f"--trainer.{option}", *WORKING[option]) is None


@pytest.mark.parametrize("options", TOGETHER, ids=",".join)
def test_work_together(options: tuple[str, ...], attempt: Try) -> None:
    assert attempt(*(f"--trainer.{option}" for option in options)) is None


@pytest.mark.parametrize("precision", ["bf16-true", "64-true", "bf16-mixed"])
def test_precision(precision: str, attempt: Try, tmp_path: Path) -> None:
    """Also where the network is not in the features' float32."""
    assert attempt(f"--trainer.precision={precision}", "--data.mixup=Mixup") is None
    metrics = json.loads((tmp_path / "runs" / "run" / "version_0" / "report" / "metrics.json").read_text())
    assert metrics["tracks"] == 6


def test_half_precision_works_or_says_why(attempt: Try) -> None:
    line = attempt("--trainer.precision=16-true")
    assert line is None or "in half precision, compute in trainer.precision: 32-true" in line


@pytest.mark.parametrize("option", REFUSED)
def test_is_refused(option: str, attempt: Try, tmp_path: Path) -> None:
    line = attempt(f"--trainer.{option}")
    assert line is not None
    assert REFUSED[option] in line
    assert not list(tmp_path.rglob("report"))


@pytest.mark.parametrize("steps", ["true", "3"])
def test_a_development_run_leaves_nothing(steps: str, folder: Path, tmp_path: Path, quick_reports: None) -> None:
    place = (f"--data.root={folder}", f"--runs_dir={tmp_path / 'runs'}", "--name=run")
    assert run_cli("fit", *SMALL, *place, f"--trainer.fast_dev_run={steps}") == 0
    assert not [path for path in (tmp_path / "runs").rglob("*") if path.name != "run"]


def test_without_checkpoints_the_last_weights_are_reported(
    folder: Path,
    tmp_path: Path,
    quick_reports: None,
) -> None:
    place = (f"--data.root={folder}", f"--runs_dir={tmp_path / 'runs'}", "--name=run")
    assert run_cli("fit", *SMALL, *place, "--trainer.enable_checkpointing=false") == 0
    run = tmp_path / "runs" / "run" / "version_0"
    assert json.loads((run / "report" / "metrics.json").read_text())["tracks"] == 6
    assert not list(run.rglob("*.ckpt"))


def test_a_root_of_ones_own_leaves_the_run_in_its_folder(attempt: Try, tmp_path: Path) -> None:
    assert attempt(f"--trainer.default_root_dir={tmp_path / 'root'}") is None


def test_a_test_of_no_batch_is_refused(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    best = trained / "checkpoints" / "best.ckpt"
    for verb, subset in (("test", "test"), ("validate", "val")):
        option = f"--trainer.limit_{subset}_batches=0"
        assert run_cli(verb, f"--ckpt_path={best}", f"--runs_dir={tmp_path / 'runs'}", option) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert f"trainer.limit_{subset}_batches is 0" in line
    assert not (tmp_path / "runs").exists()
