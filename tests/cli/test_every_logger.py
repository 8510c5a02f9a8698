"""Every logger that Lightning ships works on the command line, or one line names it and its package."""

import json
import os
import re
from pathlib import Path

import pytest

from genre.checkpoint import read_checkpoint

from ..processes import ROOT, run_python
from .conftest import SMALL, Try

CSV = '{"class_path": "CSVLogger", "init_args": {"save_dir": "elsewhere"}}'
WORKING = {
    "csv": ["--trainer.logger=CSVLogger", "--trainer.logger.save_dir=elsewhere"],
    "tensorboard": ["--trainer.logger=TensorBoardLogger", "--trainer.logger.save_dir=elsewhere"],
    "list": [f"--trainer.logger=[{CSV}]"],
    "two": [f"--trainer.logger=[{CSV}, {CSV.replace('CSV', 'TensorBoard')}]"],
}
PACKAGES = {"WandbLogger": "wandb", "MLFlowLogger": "mlflow", "CometLogger": "comet", "LitLogger": "litlogger"}

WANDB = """
import json
run = None
def note(**entry):
    with open("log.jsonl", "a") as log:
        print(json.dumps(entry), file=log)
class Artifact:
    def __init__(self, name, type, metadata):
        self.score = metadata["score"]
    def add_file(self, path, name, policy):
        self.path = str(path)
class Config:
    def update(self, *given, **options):
        pass
class Run:
    id, name, config, dir = "id", "name", Config(), "."
    def log(self, metrics, **options):
        note(metrics=metrics)
    def define_metric(self, *given, **options):
        pass
    def log_artifact(self, artifact, aliases):
        note(uploaded=artifact.path, score=artifact.score, aliases=aliases)
def init(**options):
    note(project=options["project"])
    return Run()
def require(feature):
    pass
"""
MLFLOW = """
import json
from types import SimpleNamespace as Thing
def note(**entry):
    with open("log.jsonl", "a") as log:
        print(json.dumps(entry), file=log)
class MlflowClient:
    def __init__(self, uri):
        pass
    def get_experiment_by_name(self, name):
        note(project=name)
    def create_experiment(self, name, artifact_location=None):
        return "experiment"
    def create_run(self, experiment_id, tags):
        return Thing(info=Thing(run_id="run"))
    def get_run(self, run):
        return True
    def log_batch(self, run_id, params=(), metrics=(), **options):
        note(metrics={metric.key: metric.value for metric in metrics})
    def log_artifact(self, run, path, place):
        note(uploaded=path)
    def log_artifacts(self, run, path, place):
        pass
    def set_terminated(self, run, status):
        note(status=status)
"""
STUBS = {
    "wandb/__init__.py": WANDB,
    "wandb/sdk/__init__.py": "",
    "wandb/sdk/lib/__init__.py": "class RunDisabled: pass",
    "wandb/wandb_run.py": "from wandb import Run",
    "wandb-0.25.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: wandb\nVersion: 0.25.0\n",
    "mlflow/__init__.py": "def set_tracking_uri(uri): pass",
    "mlflow/tracking/__init__.py": MLFLOW,
    "mlflow/tracking/context/__init__.py": "",
    "mlflow/tracking/context/registry.py": "def resolve_tags(tags): return tags",
    "mlflow/utils/__init__.py": "",
    "mlflow/utils/mlflow_tags.py": "MLFLOW_RUN_NAME = 'name'",
    "mlflow/entities.py": "class Metric:\n    def __init__(self, key, value, timestamp, step):\n"
    "        self.key, self.value = key, value\nParam = dict\n",
    "mlflow-2.20.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: mlflow\nVersion: 2.20.0\n",
}


@pytest.mark.parametrize("case", WORKING)
def test_a_logger(case: str, attempt: Try, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert attempt(*WORKING[case]) is None
    assert any((tmp_path / "elsewhere").rglob("metrics.csv")) == (case != "tensorboard")
    assert any((tmp_path / "elsewhere").rglob("events.out.*")) == (case in ("tensorboard", "two"))
    assert (tmp_path / "runs" / "run" / "version_0" / "metrics.csv").is_file()


@pytest.mark.parametrize("form", ["{}", "[{}]", "pytorch_lightning.loggers.{}", f"[{CSV}, {{}}]"])
@pytest.mark.parametrize("name", PACKAGES)
def test_a_logger_that_is_not_installed(name: str, form: str, attempt: Try, tmp_path: Path) -> None:
    try:
        __import__({"comet": "comet_ml"}.get(PACKAGES[name], PACKAGES[name]))
    except ImportError:
        pass
    else:
        pytest.skip(f"{name} can be used")
    line = attempt("--trainer.logger=" + form.replace("{}", f'{{"class_path": "{name}"}}' if CSV in form else name))
    assert line is not None
    assert re.search(rf"\b{name}\b", line)
    assert re.search(rf"\b{PACKAGES[name]}\b", line)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("name", ["WandbLogger", "MLFlowLogger"])
def test_the_commands_of_the_documentation(name: str, folder: Path, tmp_path: Path) -> None:
    """As they stand, beside packages that write down what is logged; ``log_model`` uploads ``best.ckpt``."""
    for path, text in STUBS.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    table = (ROOT / "docs/pages/configuration.md").read_text(encoding="utf-8")
    (command,) = re.findall(rf"`({name} --trainer\.logger\.[^`]+)`", table)
    place = (f"--data.root={folder}", "--name=run", "--trainer.logger", *command.split())
    options = (*SMALL, *place, "--trainer.logger.log_model=true")
    fit = run_python("-m", "genre", "fit", *options, cwd=tmp_path)
    assert fit.returncode == 0, fit.stderr
    entries = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert {"project": "genre"} in entries
    logged = {key for entry in entries for key in entry.get("metrics", {})}
    assert {"train_loss", "val_loss", "val_accuracy", "test_accuracy"} <= logged
    best = tmp_path / "runs" / "run" / "version_0" / "checkpoints" / "best.ckpt"
    assert [os.path.realpath(entry["uploaded"]) for entry in entries if "uploaded" in entry] == [str(best.resolve())]
    (score,) = [entry["score"] for entry in entries if "score" in entry] or [None]
    assert score in (None, read_checkpoint(best)["callbacks"]["BestCheckpoint"]["score"])
