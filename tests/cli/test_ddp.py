"""Two processes on the CPU give the scores of one."""

import json
from pathlib import Path

import torch

from ..conftest import QUICK, run_cli
from ..processes import run_python, run_two

TWO = ("--trainer.strategy=ddp", "--trainer.devices=2")


def scores(report: Path) -> dict[str, object]:
    metrics = json.loads((report / "metrics.json").read_text())
    return {
        name: metrics[name] for name in ("accuracy", "precision", "recall", "f1", "auroc", "tracks", "genres", "loss")
    }


def test_two_processes_test_as_one(trained: Path, folder: Path, tmp_path: Path) -> None:
    """With 7 test segments of 6 tracks, of which the two processes get 4 each: one segment stands twice."""
    options = (
        *QUICK,
        f"--data.root={folder}",
        f"--ckpt_path={trained / 'checkpoints/best.ckpt'}",
        "--data.batch_size=2",
    )
    assert run_cli("test", *options, f"--runs_dir={tmp_path}", "--name=one") == 0
    two = run_two("-m", "genre", "test", *options, f"--runs_dir={tmp_path}", "--name=two", *TWO, cwd=tmp_path)
    assert [process.returncode for process in two] == [0, 0], [process.stderr for process in two]
    assert scores(tmp_path / "two/version_0/report") == scores(tmp_path / "one/version_0/report")
    rows = [(tmp_path / name / "version_0/report/predictions.csv").read_text() for name in ("one", "two")]
    assert rows[0] == rows[1]


def test_two_processes_fit(folder: Path, tmp_path: Path) -> None:
    """Both train: every track is drawn once an epoch, and the checkpoint scores alone what it scored together.

    Here Lightning itself starts the second process, from the command line of the first.
    """
    fit = run_python(
        "-m",
        "genre",
        "fit",
        *QUICK,
        f"--data.root={folder}",
        f"--runs_dir={tmp_path}",
        "--name=two",
        "--data.batch_size=3",
        *TWO,
        cwd=tmp_path,
    )
    assert fit.returncode == 0, fit.stderr
    run = tmp_path / "two/version_0"
    checkpoint = torch.load(run / "checkpoints/last.ckpt", weights_only=True)
    assert checkpoint["global_step"] == 14 // 2 // 3  # 14 train tracks, 2 processes, batches of 3
    best = f"--ckpt_path={run / 'checkpoints/best.ckpt'}"
    alone = (best, f"--runs_dir={tmp_path}", "--name=one", "--trainer.strategy=auto", "--trainer.devices=1")
    assert run_cli("test", *alone) == 0
    assert scores(run / "report") == scores(tmp_path / "one/version_0/report")
