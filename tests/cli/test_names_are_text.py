"""A name that YAML takes for a number, a date or a truth value stays what it is."""

from pathlib import Path

import pytest
import torch
import yaml

from genre.cli.arguments import load_yaml

from ..conftest import QUICK, run_cli

NAMES = ("1e3", "007", "2024-01-02", "on", "12:30", "1_000", "0x10", "null")


@pytest.mark.parametrize("name", [name for name in NAMES if name != "null"])
def test_in_yaml(name: str) -> None:
    assert load_yaml(f"name: {name}\nruns_dir: {name}\nseed_everything: 7") == {
        "name": name,
        "runs_dir": name,
        "seed_everything": 7,
    }
    assert load_yaml("name: null\nruns_dir: 'a'") == {"name": None, "runs_dir": "a"}


def goes_on(run: Path) -> None:
    """Goes on with a run in its own folder, by what it has saved."""
    last = run / "checkpoints" / "last.ckpt"
    assert run_cli("fit", f"--ckpt_path={last}", "--trainer.max_epochs=2") == 0
    assert torch.load(last, weights_only=True)["epoch"] == 1
    assert [path.name for path in run.parent.iterdir()] == ["version_0"]
    saved = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    assert (saved["name"], Path(saved["runs_dir"]).name) == (run.parent.name, run.parents[1].name)


@pytest.mark.parametrize("name", ["1e3", "on", "2024-01-02"])
def test_in_a_configuration_file(
    name: str,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    quick_reports: None,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(f"name: {name}\nruns_dir: {name}\n", encoding="utf-8")
    assert run_cli("fit", *QUICK, f"--data.root={folder}", "--config=mine.yaml") == 0
    goes_on(tmp_path / name / name / "version_0")


@pytest.mark.parametrize("name", ["1e3", "2024"])
def test_of_a_configuration_file(
    name: str,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    quick_reports: None,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(f"{name}.yaml").write_text("seed_everything: 1\n", encoding="utf-8")
    assert run_cli("fit", *QUICK, f"--data.root={folder}", f"--config={name}.yaml", "--runs_dir", name) == 0
    goes_on(tmp_path / name / name / "version_0")


@pytest.mark.parametrize("name", ["007", "on", "2024-01-02", "1e3", "true"])
def test_on_the_command_line(
    name: str,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    quick_reports: None,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_cli("fit", *QUICK, f"--data.root={folder}", "--name", name, f"--runs_dir={name}") == 0
    goes_on(tmp_path / name / name / "version_0")
