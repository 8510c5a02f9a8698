"""Every plan under examples/ runs: each cell's options are read with its data, and one plan runs whole."""

import csv
import json
from pathlib import Path

import pytest

from genre.benchmark.plan import Cell, read_plan
from genre.cli.recipe import read_data, read_recipe
from genre.data import KFoldSplit, StratifiedSplit

from .conftest import run_cli
from .test_examples import EXAMPLES, SMALL, write_fma

PLANS = sorted(path for path in EXAMPLES.rglob("*.yaml") if "\nrecipes:" in path.read_text(encoding="utf-8"))
SPLITS = sorted((EXAMPLES / "splits").glob("*.yaml"))


@pytest.mark.parametrize("path", PLANS, ids=lambda path: str(path.relative_to(EXAMPLES)))
def test_every_cell_of_a_plan_can_be_read(path: Path, gtzan: Path, tmp_path: Path) -> None:
    root = write_fma(tmp_path / "fma") if path.parent.name == "yaacob" else gtzan
    plan = read_plan(path)
    for row in plan.rows:
        recipe = read_recipe([*Cell(row, 0).options, f"--data.root={root}"])
        assert recipe.data.corpus.tracks
        assert recipe.epochs > 1


def test_a_plan_runs_whole(gtzan: Path, tmp_path: Path) -> None:
    plan = EXAMPLES / "khamees" / "table.yaml"
    assert run_cli("benchmark", plan, f"--data.root={gtzan}", "--runs_dir", tmp_path, "--epochs", "1", *SMALL[1:]) == 0
    folder = tmp_path / "khamees-table" / "version_0"
    with (folder / "table.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert [row["row"] for row in rows] == ["mlp", "mlp_regularised", "cnn", "lstm"]
    assert [row["accuracy_published"] for row in rows] == ["0.589", "0.6055", "0.74", "0.6344"]
    assert [row["parameters"] for row in rows] == ["1014218", "1014218", "45322", "58314"]
    assert {row["leaky"] for row in rows} == {"True"}
    assert "leaky, " in (folder / "table.md").read_text()
    assert "1 epoch (paper: 50)" in rows[2]["differences"]
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
