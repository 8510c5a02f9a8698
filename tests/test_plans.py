"""Every plan under examples/ runs: each cell's options are read with its data, and one plan runs whole."""

import csv
import json
from pathlib import Path

import pytest

from genre.benchmark.plan import Cell, read_plan
from genre.cli.recipe import read_data, read_recipe
from genre.data import KFoldSplit, StratifiedSplit

from .conftest import run_cli
from .test_examples import EXAMPLES, SMALL, write_ballroom, write_fma

PLANS = sorted(path for path in EXAMPLES.rglob("*.yaml") if "\nrecipes:" in path.read_text(encoding="utf-8"))
SPLITS = sorted((EXAMPLES / "splits").glob("*.yaml"))


@pytest.mark.parametrize("path", PLANS, ids=lambda path: str(path.relative_to(EXAMPLES)))
def test_every_cell_of_a_plan_can_be_read(path: Path, gtzan: Path, tmp_path: Path) -> None:
    root = write_fma(tmp_path / "fma") if path.parent.name == "yaacob" else gtzan
    root = write_ballroom(tmp_path / "ballroom") if path.parent.name == "ballroom" else root
    plan = read_plan(path)
    for row in plan.rows:
        recipe = read_recipe([*Cell(row, 0).options, f"--data.root={root}"])
        assert recipe.data.corpus.tracks
        assert recipe.epochs > 1


def test_a_plan_runs_whole(gtzan: Path, tmp_path: Path, quick_cells: None) -> None:
    plan = EXAMPLES / "khamees" / "table.yaml"
    assert run_cli("benchmark", plan, f"--data.root={gtzan}", "--runs_dir", tmp_path, "--epochs", "1", *SMALL[1:]) == 0
    folder = tmp_path / "khamees-table" / "version_0"
    with (folder / "table.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert [row["row"] for row in rows] == ["mlp", "mlp_regularised", "cnn_30_epochs", "cnn", "lstm"]
    assert [row["accuracy_published"] for row in rows] == ["0.589", "0.6055", "0.6844", "0.74", "0.6344"]
    assert [row["parameters"] for row in rows] == ["1014218", "1014218", "45322", "45322", "58314"]
    assert [row["loss_published"] for row in rows] == ["2.8012", "1.6286", "0.8919", "0.7658", "1.1487"]
    assert [row["train_loss_published"] for row in rows] == ["0.1813", "1.0073", "0.7253", "0.4715", "0.7925"]
    assert [row["seconds_per_epoch_published"] for row in rows] == ["1.0", "1.0", "18.0", "18.0", "28.0"]
    for row in rows:
        cell = folder / "cells" / f"{row['row']}-seed0" / "version_0" / "report"
        assert float(row["loss"]) == pytest.approx(json.loads((cell / "metrics.json").read_text())["loss"], abs=1e-4)
        with (cell / "history.csv").open() as lines:
            (epoch,) = csv.DictReader(lines)
        assert float(row["train_loss"]) == pytest.approx(float(epoch["train_loss"]), abs=1e-4)
        assert ("val_loss" in epoch) is not row["row"].startswith("mlp")  # the MLPs have no validation part
        papers = 30 if row["row"] == "cnn_30_epochs" else 50
        assert f"1 epoch (paper: {papers})" in row["differences"]
    table = (folder / "table.md").read_text()
    assert "| test loss | published | train loss, last epoch | published |" in table
    assert "| 2.8012 |" in table
    assert {row["leaky"] for row in rows} == {"True"}
    assert "leaky, " in (folder / "table.md").read_text()
    assert "1 epoch (paper: 50)" in rows[3]["differences"]
    metrics = json.loads((folder / "cells" / "mlp-seed0" / "version_0" / "report" / "metrics.json").read_text())
    assert metrics["leaky"] is True


@pytest.mark.parametrize("path", SPLITS, ids=lambda path: path.stem)
def test_every_split_can_be_given(path: Path, gtzan: Path) -> None:
    recipe = EXAMPLES / "singh" / "spectral_cnn.yaml"
    split = read_data([f"--config={recipe}", f"--data.root={gtzan}", f"--data.split={path}"]).split
    assert isinstance(split, KFoldSplit if "folds" in path.stem else StratifiedSplit)
    assert split.by_artist is path.stem.endswith("by_artist")
    if isinstance(split, KFoldSplit):
        assert path.stem.startswith({5: "five", 10: "ten"}[split.folds])


def test_the_sweep_of_engelkes() -> None:
    """Forty fits of each network, of 5, 10, … 200 epochs; 900 tracks train, 100 test, none chooses the epoch."""
    plan = read_plan(EXAMPLES / "engelkes" / "sweep.yaml")
    assert plan.epochs == list(range(5, 201, 5))
    assert [row.name for row in plan.rows] == ["indrnn", "rnn", "lstm"]
    assert len(plan.cells) == 120
    assert plan.cells[3].name == "indrnn-epochs10-seed0"
    assert "--trainer.max_epochs=10" in plan.cells[3].options


@pytest.mark.pictures
def test_the_sweep_runs(gtzan: Path, tmp_path: Path, quick_cells: None) -> None:
    """Of one network, with two numbers of epochs: the result is the mean over the fits, and their curve."""
    engelkes = EXAMPLES / "engelkes"
    text = (
        (engelkes / "sweep.yaml").read_text().replace("[indrnn.yaml, rnn.yaml, lstm.yaml]", f"[{engelkes}/lstm.yaml]")
    )
    plan = tmp_path / "plan.yaml"
    plan.write_text(text.replace("published: ", f"published: {engelkes}/"))
    # A tenth of 80 tracks is less than one of each genre.
    options = [*SMALL[1:], f"--data.root={gtzan}", "--data.split.test=0.25", "--model.network.layers=1"]
    runs: list[str | Path] = ["--name=sweep", "--runs_dir", tmp_path]
    assert run_cli("benchmark", plan, "--epochs", "1", "2", *runs, *options) == 0
    folder = tmp_path / "sweep" / "version_0"
    fits = [
        json.loads((folder / f"cells/lstm-epochs{epochs}-seed0/version_0/report/metrics.json").read_text())["accuracy"]
        for epochs in (1, 2)
    ]
    accuracies = [fit["value"] for fit in fits]
    with (folder / "table.csv").open() as lines:
        (row,) = csv.DictReader(lines)
    assert float(row["accuracy"]) == pytest.approx(sum(accuracies) / 2, abs=1e-4)
    assert row["accuracy_published"] == "0.97"
    assert "1, 2 epochs (paper: 5, 10, … 200; recipe: 75)" in row["differences"]
    assert "segments of 3 s (paper: not stated)" in row["differences"]
    assert "60 / 0 / 20 train/validation/test (paper: 900 / 0 / 100)" in row["differences"]
    with (folder / "sweep.csv").open() as lines:
        one, two, mean = csv.DictReader(lines)
    assert [line["epochs"] for line in (one, two, mean)] == ["1", "2", "mean"]
    expected = [*accuracies, sum(accuracies) / 2]
    assert [float(line["lstm"]) for line in (one, two, mean)] == pytest.approx(expected, abs=1e-3)
    page = (folder / "index.html").read_text()
    assert "A score is the mean over the fits of 1, 2 epochs." in page
    assert 'src="sweep.png"' in page
    assert (folder / "sweep.png").is_file()
    with (folder / "cells/lstm-epochs2-seed0/version_0/report/history.csv").open() as lines:
        assert len(list(csv.DictReader(lines))) == 2
