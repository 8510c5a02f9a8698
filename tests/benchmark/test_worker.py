"""Cells share the imports of one server and nothing else."""

import csv
import json
from collections.abc import Sequence
from multiprocessing import get_start_method
from pathlib import Path

import pytest

from genre.benchmark.plan import Cell, Row, merge_options
from genre.benchmark.worker import CellFolder
from tests.conftest import run_cli

MODULE = """
import os
from genre.models import SpectralCNN
from pytorch_lightning import Callback

class Own(SpectralCNN):
    pass

class Crash(Callback):
    def on_train_epoch_start(self, trainer, pl_module):
        os._exit(3)
"""


def test_a_crash_leaves_the_next_cell_as_a_fit_of_its_own(
    plan: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The network is of a module in the current folder, which the process of every cell imports."""
    folder = plan.parent
    monkeypatch.chdir(folder)
    (folder / "own_module_of_a_test.py").write_text(MODULE)
    recipe = (folder / "good.yaml").read_text().replace("genre.models.SpectralCNN", "own_module_of_a_test.Own")
    (folder / "own.yaml").write_text(recipe)
    (folder / "crash.yaml").write_text("trainer: {callbacks: [{class_path: own_module_of_a_test.Crash}]}\n")
    plan.write_text("recipes: [[own.yaml, crash.yaml], own.yaml]\n")
    options = ("--import", "own_module_of_a_test")
    assert run_cli("benchmark", plan, "--name=bench", "--runs_dir=runs", *options) == 1
    out = " ".join(capsys.readouterr().out.split())
    place = folder / "runs" / "bench" / "version_0"
    output = place / "cells" / "own-crash-seed0" / "output.txt"
    assert f"own-crash-seed0 failed: genre fit ended with status 3; see {output}".replace(" ", "") in out.replace(
        " ", ""
    )
    assert "1 cell failed, see above; --resume tries again" in out
    with (place / "table.csv").open() as lines:
        crashed, finished = csv.DictReader(lines)
    assert (crashed["failed"], finished["failed"]) == ("own-crash-seed0", "")
    assert run_cli("fit", "--config=own.yaml", "--seed_everything=0", "--name=alone", "--runs_dir=runs") == 0
    alone = folder / "runs" / "alone" / "version_0" / "report"
    cell = place / "cells" / "own-seed0" / "version_0" / "report"
    assert (cell / "predictions.csv").read_bytes() == (alone / "predictions.csv").read_bytes()
    with (cell / "history.csv").open() as ours, (alone / "history.csv").open() as theirs:
        losses, expected = ([row["train_loss"] for row in csv.DictReader(lines)] for lines in (ours, theirs))
    assert losses == expected
    metrics, reference = (json.loads((report / "metrics.json").read_text()) for report in (cell, alone))
    assert metrics == reference


def note_start_method(options: Sequence[str]) -> None:
    Path(options[0]).write_text(get_start_method())


def test_the_workers_of_a_cell_start_as_those_of_a_fit(tmp_path: Path) -> None:
    folder = CellFolder(tmp_path / "cells", Cell(Row((Path("a.yaml"),)), 0), [str(tmp_path / "method")])
    folder.claim()
    folder.fit(note_start_method, lambda: None)
    assert (tmp_path / "method").read_text() == get_start_method()


@pytest.mark.parametrize(
    ("own", "given", "merged"),
    [
        (["--config=a", "--seed_everything=0"], ["--data.root", "R"], ["--config=a", "--seed_everything=0", "--data.root", "R"]),
        (
            ["--config=a", "--data.features=f", "--seed_everything=0"],
            ["--data.root=R", "--data", "Folder", "--data.batch_size", "4"],
            ["--config=a", "--data", "Folder", "--data.features=f", "--seed_everything=0", "--data.root=R", "--data.batch_size", "4"],
        ),
        (
            ["--config=a", "--model.network.dropout=0.3", "--data.split=s", "--data.split.fold=1"],
            ["--model.network=CRNN", "--data.split=t"],
            ["--config=a", "--model.network=CRNN", "--model.network.dropout=0.3", "--data.split=s", "--data.split.fold=1",
             "--data.split=t"],
        ),
        (["--config=a", "--seed_everything=1"], ["-c", "b", "--x=-1"], ["--config=a", "-c", "b", "--seed_everything=1", "--x=-1"]),
        ([], ["--trainer.callbacks+=A", "--trainer.callbacks.x", "-1"], ["--trainer.callbacks+=A", "--trainer.callbacks.x", "-1"]),
    ],
    ids=["arguments last", "data first", "class of arguments", "configuration before the seed", "negative value"],
)  # fmt: skip
def test_order_of_options(own: list[str], given: list[str], merged: list[str]) -> None:
    assert merge_options(own, given) == merged


def test_recipes_without_data(plan: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The plan has the features, the command line has the data, in any order of its options."""
    base = plan.parent
    (base / "network.yaml").write_text(
        "model: {network: genre.models.SpectralCNN}\ntrainer: {max_epochs: 1, accelerator: cpu}\n"
    )
    (base / "mel.yaml").write_text(
        "class_path: genre.audio.MelSpectrogram\ninit_args: {n_fft: 512, hop_length: 256, n_mels: 32}\n"
    )
    (base / "split.yaml").write_text(
        "class_path: genre.data.StratifiedSplit\ninit_args: {by_artist: true, test: 0.25}\n"
    )
    plan.write_text("recipes: [network.yaml]\nfeatures: [mel.yaml]\nsplits: [split.yaml]\n")
    options = ("--data.root", folder, "--data.batch_size=6", "--data.num_workers=0", "--data", "Folder")
    assert run_cli("benchmark", plan, "--name=bench", f"--runs_dir={base / 'runs'}", *options) == 0
    with (base / "runs" / "bench" / "version_0" / "table.csv").open() as lines:
        (row,) = csv.DictReader(lines)
    assert (row["row"], row["tracks"], row["failed"]) == ("network-mel-split", "6", "")
    capsys.readouterr()
    assert run_cli("benchmark", plan, "--name=bench", f"--runs_dir={base / 'runs'}") == 2  # no data at all
    error, row_line = capsys.readouterr().err.splitlines()
    assert error.startswith("genre: error: ")
    assert row_line.startswith("genre: the mistake is in the row network-mel-split (")
