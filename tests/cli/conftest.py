"""Runs a small fit with an option of Lightning's, and checks what comes of it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ..conftest import QUICK, run_cli

#: Options of a fit whose epochs get better and worse.
SMALL = (*QUICK, "--trainer.max_epochs=2", "--model.optimizer=torch.optim.Adam", "--model.optimizer.lr=0.02")

Try = Callable[..., str | None]


@pytest.fixture
def quick_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures and intervals take most of a small fit's time."""
    from genre.metrics import intervals  # here: Lightning is imported before torchmetrics, see tests/conftest.py

    monkeypatch.setattr("genre.report.folder._draw", lambda *arguments: {})
    monkeypatch.setattr("genre.report.results.intervals", lambda scores, targets, *_: intervals(scores, targets, 5))


@pytest.fixture
def attempt(quick_reports: None, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Try:
    """Fits; returns ``None`` where the report's metrics are those of ``best.ckpt``, or the one line that refuses."""

    def run(*options: str) -> str | None:
        place = (f"--data.root={folder}", f"--runs_dir={tmp_path / 'runs'}", "--name=run")
        status = run_cli("fit", *SMALL, *place, *options)
        if status:
            assert status in (1, 2)
            lines = capsys.readouterr().err.splitlines()
            (line,) = [line for line in lines if line.startswith("genre: error: ")]
            assert lines[-1] == line
            assert len(line) < 450
            return line
        report = tmp_path / "runs" / "run" / "version_0"
        best = report / "checkpoints" / "best.ckpt"
        assert run_cli("test", f"--ckpt_path={best}", f"--runs_dir={tmp_path / 'tests'}", "--name=run") == 0
        ours, theirs = (
            json.loads((run / "report" / "metrics.json").read_text())
            for run in (report, tmp_path / "tests" / "run" / "version_0")
        )
        assert ours == theirs
        return None

    return run
