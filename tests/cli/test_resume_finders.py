"""A fit that has found its learning rate or its batch size goes on with it, without a second search."""

from pathlib import Path

import pytest
import torch
from pytorch_lightning.callbacks import BatchSizeFinder, LearningRateFinder

from ..conftest import run_cli
from .conftest import SMALL

FINDERS = {
    "rate": ("LearningRateFinder", "num_training_steps=20", "early_stop_threshold=null"),
    "size": ("BatchSizeFinder", "max_trials=1", "mode=power"),
}


@pytest.mark.parametrize("finder", FINDERS)
def test_goes_on_with_what_was_found(
    finder: str,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    quick_reports: None,
) -> None:
    name, *arguments = FINDERS[finder]
    callback = [f"--trainer.callbacks+=pytorch_lightning.callbacks.{name}"]
    callback += [f"--trainer.callbacks.{argument}" for argument in arguments]
    crops = f"--data.crops_per_track={6 if finder == 'rate' else 1}"  # enough steps to tell a rate
    assert (
        run_cli("fit", *SMALL, f"--data.root={folder}", f"--runs_dir={tmp_path}", "--name=run", *callback, crops) == 0
    )
    last = tmp_path / "run" / "version_0" / "checkpoints" / "last.ckpt"
    before = torch.load(last, weights_only=True)

    def search(*given: object, **options: object) -> None:
        raise AssertionError("searches again")

    monkeypatch.setattr(LearningRateFinder, "lr_find", search)
    monkeypatch.setattr(BatchSizeFinder, "scale_batch_size", search)
    assert run_cli("fit", f"--ckpt_path={last}", "--trainer.max_epochs=3") == 0
    after = torch.load(last, weights_only=True)
    assert after["global_step"] * 2 == before["global_step"] * 3  # of the same batch size
    (old,), (new,) = (content["optimizer_states"][0]["param_groups"] for content in (before, after))
    assert new["lr"] == old["lr"]
    assert (old["lr"] == 0.02) == (finder == "size")
    assert before["global_step"] == (24 if finder == "rate" else 12)  # of batches of 6, and of the 2 that were found
