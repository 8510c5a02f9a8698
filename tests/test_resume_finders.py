"""A fit that has found its learning rate or its batch size goes on with it, without a second search."""

from pathlib import Path

import pytest
import torch
from pytorch_lightning.callbacks import BatchSizeFinder, LearningRateFinder

from .conftest import run_cli
from .every_tool import SMALL, quick_reports  # noqa: F401  # a fixture

ONE_CYCLE = ("--model.scheduler=torch.optim.lr_scheduler.OneCycleLR", "--model.scheduler.max_lr=0.01")
FINDERS = {
    "rate": ("LearningRateFinder", "num_training_steps=12", "early_stop_threshold=null"),
    "size": ("BatchSizeFinder", "max_trials=1", "mode=power"),
}


@pytest.mark.parametrize("schedule", [(), ONE_CYCLE], ids=["constant", "one-cycle"])
@pytest.mark.parametrize("finder", FINDERS)
def test_goes_on_with_what_was_found(
    finder: str,
    schedule: tuple[str, ...],
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    quick_reports: None,  # noqa: F811
) -> None:
    name, *arguments = FINDERS[finder]
    callback = [f"--trainer.callbacks+=pytorch_lightning.callbacks.{name}"]
    callback += [f"--trainer.callbacks.{argument}" for argument in arguments]
    options = (*SMALL, f"--data.root={folder}", f"--runs_dir={tmp_path}", *callback, *schedule)
    # Interrupted after an epoch of three, and not a fit of one: a schedule is stretched over all three.
    epochs = "--trainer.max_epochs=3"
    stop = "--trainer.callbacks+=tests.callbacks.Interrupt"
    steps = 14 // 2 if finder == "size" else 14 // 6
    assert run_cli("fit", *options, epochs, stop, f"--trainer.callbacks.step={steps}", "--name=run") == 130
    last = tmp_path / "run" / "version_0" / "checkpoints" / "last.ckpt"
    before = torch.load(last, weights_only=True)
    assert before["global_step"] == steps

    def search(*given: object, **options: object) -> None:
        raise AssertionError("searches again")

    monkeypatch.setattr(LearningRateFinder, "lr_find", search)
    monkeypatch.setattr(BatchSizeFinder, "scale_batch_size", search)
    config = f"--config={tmp_path / 'run' / 'version_0' / 'config.yaml'}"
    assert run_cli("fit", config, f"--ckpt_path={last}", "--trainer.callbacks.step=1000", "--name=run") == 0
    after = torch.load(last, weights_only=True)
    assert after["global_step"] == 3 * steps
    (old,), (new,) = (content["optimizer_states"][0]["param_groups"] for content in (before, after))
    if schedule:
        assert after["lr_schedulers"][0]["total_steps"] == 3 * steps
        assert new["max_lr"] == old["max_lr"]
    else:
        assert new["lr"] == old["lr"]
        assert (old["lr"] == 0.02) == (finder == "size")
