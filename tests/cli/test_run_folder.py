"""Where runs lie: every fit in a folder of its own, and on it goes wherever that was moved to."""

import shutil
import threading
from pathlib import Path

import pytest
import torch

from genre.cli.run_folder import claim, next_version

from ..conftest import QUICK, run_cli


def test_two_fits_at_once_have_two_folders(tmp_path: Path) -> None:
    names: list[str] = []
    found = next_version(tmp_path / "run")
    threads = [threading.Thread(target=lambda: names.append(claim(found).name)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(names) == [f"version_{number}" for number in range(8)]


@pytest.mark.parametrize("place", ["moved/SpectralCNN/version_0", "renamed/version_0", "SpectralCNN/baseline"])
def test_a_moved_run_goes_on_where_it_lies(place: str, trained: Path, tmp_path: Path) -> None:
    run = tmp_path / place
    shutil.copytree(trained, run)
    last, best = run / "checkpoints" / "last.ckpt", run / "checkpoints" / "best.ckpt"
    for path in (last, best):
        content = torch.load(path, weights_only=True)
        content["callbacks"]["BestCheckpoint"]["score"] = 0.0  # that no later epoch is better than
        torch.save(content, path)
    before = best.read_bytes()
    (tmp_path / "elsewhere").mkdir()
    options = [f"--ckpt_path={last}", f"--runs_dir={tmp_path / 'elsewhere'}", "--trainer.max_epochs=5"]
    assert run_cli("fit", *options) == 0
    assert best.read_bytes() == before
    assert torch.load(last, weights_only=True)["epoch"] == 4
    state = torch.load(last, weights_only=True)["callbacks"]["BestCheckpoint"]
    assert state == {"score": 0.0, "epoch": torch.load(best, weights_only=True)["epoch"]}
    assert (run / "metrics.0.csv").exists()
    assert not list((tmp_path / "elsewhere").iterdir())


def test_the_checkpoint_stays_whatever_the_configuration_says(trained: Path, tmp_path: Path) -> None:
    """A run's config.yaml has ``ckpt_path: null``, which must not undo the option before it."""
    options = ["--ckpt_path", str(trained / "checkpoints" / "best.ckpt"), "--config", str(trained / "config.yaml")]
    assert run_cli("test", *options, f"--runs_dir={tmp_path}") == 0


def test_a_refused_fit_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    options = [*QUICK, f"--data.root={folder}", f"--runs_dir={tmp_path / 'runs'}"]
    assert run_cli("fit", *options, "--trainer.callbacks=genre.LinearProbe") == 1
    assert run_cli("fit", *options, "--trainer.accelerator=banana") == 1
    assert not list((tmp_path / "runs").rglob("*"))
