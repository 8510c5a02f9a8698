"""``ReduceLROnPlateau`` by its short name and by its paths, on the command line and in YAML."""

from pathlib import Path

import pytest
import yaml

from genre.cli.lightning_cli import GenreCLI

from ..conftest import QUICK, run_cli

NAMES = {
    "ReduceLROnPlateau": "genre.schedules.ReduceLROnPlateau",
    "genre.schedules.ReduceLROnPlateau": "genre.schedules.ReduceLROnPlateau",
    "torch.optim.lr_scheduler.ReduceLROnPlateau": "torch.optim.lr_scheduler.ReduceLROnPlateau",
    "StepLR": "torch.optim.lr_scheduler.StepLR",
}


def argument_of(name: str) -> tuple[str, float]:
    return ("step_size", 3) if name == "StepLR" else ("factor", 0.25)


def write(file: Path, name: str, arguments: dict[str, float]) -> str:
    """The option of a file that names the schedule."""
    model = {"scheduler": {"class_path": name, "init_args": arguments}}
    file.write_text(yaml.safe_dump({"model": model}), encoding="utf-8")
    return f"--config={file}"


@pytest.mark.parametrize("written", ["option", "two words", "yaml name"])
@pytest.mark.parametrize("name", NAMES)
def test_a_schedule_by_its_name(name: str, written: str, folder: Path, tmp_path: Path) -> None:
    argument, value = argument_of(name)
    file = write(tmp_path / "mine.yaml", name, {argument: value} if name == "StepLR" else {})
    options = {
        "option": [f"--model.scheduler={name}", f"--model.scheduler.{argument}={value}"],
        "two words": ["--model.scheduler", name, f"--model.scheduler.{argument}", str(value)],
        "yaml name": [file, f"--model.scheduler.{argument}={value}"],
    }[written]
    fit = GenreCLI("fit", [*QUICK, f"--data.root={folder}", f"--runs_dir={tmp_path}", "--name=x", *options])
    scheduler = fit.config.model.scheduler
    assert scheduler.class_path == NAMES[name]
    assert scheduler.init_args[argument] == value
    assert fit.model.scheduler is not None


@pytest.mark.parametrize("name", NAMES)
def test_what_is_saved_is_read_again(name: str, folder: Path, tmp_path: Path, quick_reports: None) -> None:
    argument, value = argument_of(name)
    file = write(tmp_path / "mine.yaml", name, {argument: value})
    assert run_cli("fit", *QUICK, f"--data.root={folder}", f"--runs_dir={tmp_path}", "--name=x", file) == 0
    run = tmp_path / "x" / "version_0"
    saved = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))["model"]["scheduler"]
    assert saved["class_path"] == NAMES[name]
    assert saved["init_args"][argument] == value
    assert run_cli("fit", f"--ckpt_path={run / 'checkpoints' / 'last.ckpt'}", "--trainer.max_epochs=2") == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_misspelt_argument(name: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = (*QUICK, f"--data.root={folder}", f"--runs_dir={tmp_path}", f"--model.scheduler={name}")
    assert run_cli("fit", *options, "--model.scheduler.gama=3") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "gama" in line
    assert "Multiple subclasses" not in line
