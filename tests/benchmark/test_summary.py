"""Means over seeds and folds against NumPy and scikit-learn."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from genre.benchmark.plan import Cell, Row
from genre.benchmark.summary import first_area, pooled_metrics, summarize_row
from genre.data import Track
from genre.report.results import Results, write_results

GENRES = ["blues", "jazz", "rock"]


def write_run(folder: Path, first: int, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A run's report on tracks number ``first`` and following, in random order; returns targets and probabilities."""
    random = np.random.default_rng([first, seed])
    order = first + random.permutation(count)
    probabilities = random.dirichlet(np.ones(3), count).round(6)
    tracks = [Track(Path(f"/music/{number}.wav"), GENRES[number % 3]) for number in order]
    report = folder / "report"
    report.mkdir(parents=True)
    write_results(report / "predictions.csv", Results(GENRES, tracks, torch.tensor(probabilities, dtype=torch.float32)))
    metrics = {
        "leaky": False,
        "split": {"class": "KFoldSplit", "fold": 0},
        "loss": 1.0,
        "tracks": count,
        "absent_genres": {"test": ["rock"]},
        "auroc": {"value": 0.5},
    }
    (report / "metrics.json").write_text(json.dumps(metrics))
    cost = {"seconds_per_epoch": 1.0 + seed, "peak_memory_mb": 100 + first}
    (report / "cost.json").write_text(json.dumps(cost))
    (report / "history.csv").write_text("epoch,seconds,val_accuracy\n0,1.5,0.25\n")
    return order % 3, probabilities


def test_seeds(tmp_path: Path) -> None:
    row = Row((Path("good.yaml"),))
    runs, accuracies, areas = {}, [], []
    for seed in range(3):
        targets, probabilities = write_run(tmp_path / str(seed), 0, 30, seed)
        runs[Cell(row, seed)] = tmp_path / str(seed)
        accuracies.append(accuracy_score(targets, probabilities.argmax(1)))
        areas.append(roc_auc_score(targets, probabilities / probabilities.sum(1, keepdims=True), multi_class="ovr"))
    found = summarize_row(row, runs)
    assert found is not None
    assert found.seeds == 3
    assert found.scores["accuracy"].value == pytest.approx(np.mean(accuracies))
    assert found.scores["accuracy"].spread == pytest.approx(np.std(accuracies, ddof=1))
    assert found.scores["auroc"].value == pytest.approx(np.mean(areas), abs=1e-5)
    assert found.scores["accuracy"].folds is None
    assert (found.seconds, found.memory) == (2.0, 100)
    assert found.cells[1] == "good-seed1"
    assert found.histories[1] == [{"epoch": 0.0, "seconds": 1.5, "val_accuracy": 0.25}]


def test_interval_is_that_of_the_mean_over_seeds_on_the_same_tracks(tmp_path: Path) -> None:
    """Tracks are written in another order for every seed: the interval has to bring them together."""
    row = Row((Path("good.yaml"),))
    right = np.zeros((3, 60))
    for seed in range(3):
        targets, probabilities = write_run(tmp_path / str(seed), 0, 60, seed)
        order = np.random.default_rng([0, seed]).permutation(60)
        right[seed, order] = targets == probabilities.argmax(1)
    found = summarize_row(row, {Cell(row, seed): tmp_path / str(seed) for seed in range(3)})
    assert found is not None
    draws = np.random.default_rng(1).integers(0, 60, (4000, 60))
    low, high = np.quantile(right.mean(0)[draws].mean(1), [0.025, 0.975])
    assert (found.scores["accuracy"].low, found.scores["accuracy"].high) == pytest.approx((low, high), abs=0.02)


def test_folds(tmp_path: Path) -> None:
    split = tmp_path / "folds.yaml"
    split.write_text("class_path: genre.data.KFoldSplit\ninit_args: {folds: 4}\n")
    row = Row((Path("good.yaml"),), split=split)
    parts = {fold: write_run(tmp_path / str(fold), 100 * fold, 12 + 3 * fold, 0) for fold in range(4)}
    runs = {Cell(row, 0, fold): tmp_path / str(fold) for fold in range(4)}
    found = summarize_row(row, runs)
    assert found is not None
    truth = np.concatenate([targets for targets, _ in parts.values()])
    said = np.concatenate([probabilities.argmax(1) for _, probabilities in parts.values()])
    accuracies = [accuracy_score(targets, probabilities.argmax(1)) for targets, probabilities in parts.values()]
    f1 = [f1_score(targets, probabilities.argmax(1), average="macro") for targets, probabilities in parts.values()]
    assert found.tracks == len(truth)
    assert found.scores["accuracy"].value == pytest.approx(accuracy_score(truth, said))
    assert found.scores["accuracy"].folds == pytest.approx(np.mean(accuracies))
    assert found.scores["accuracy"].folds_spread == pytest.approx(np.std(accuracies, ddof=1))
    assert found.scores["f1"].folds == pytest.approx(np.mean(f1))
    areas = [
        roc_auc_score(targets, probabilities / probabilities.sum(1, keepdims=True), multi_class="ovr")
        for targets, probabilities in parts.values()
    ]
    assert found.scores["auroc"].value == pytest.approx(np.mean(areas), abs=1e-5)
    assert found.scores["auroc"].folds == found.scores["auroc"].value
    assert found.scores["auroc"].folds_spread == pytest.approx(np.std(areas, ddof=1), abs=1e-5)
    assert found.scores["auroc"].low < np.mean(areas) < found.scores["auroc"].high
    assert first_area(found) == pytest.approx(np.mean(areas), abs=1e-5)
    assert [len(fold.tracks) for fold in found.folds] == [12, 15, 18, 21]
    metrics = pooled_metrics(found)
    assert metrics["auroc"] == pytest.approx(
        {name: getattr(found.scores["auroc"], name) for name in ("value", "low", "high")}, abs=1e-4
    )
    rock = [roc_auc_score(targets == 2, probabilities[:, 2]) for targets, probabilities in parts.values()]
    assert metrics["genres"]["rock"]["auroc"] == pytest.approx(np.mean(rock), abs=1e-4)
    assert metrics["accuracy"]["value"] == pytest.approx(accuracy_score(truth, said), abs=1e-4)
    assert metrics["absent_genres"] == {}  # a genre that one fold lacks is in another
    assert metrics["split"] == {"class": "KFoldSplit", "fold": "all"}
    assert metrics["tracks"] == len(truth)


def test_area_of_folds_and_seeds(tmp_path: Path) -> None:
    split = tmp_path / "folds.yaml"
    split.write_text("class_path: genre.data.KFoldSplit\ninit_args: {folds: 3}\n")
    row = Row((Path("good.yaml"),), split=split)
    cells = [Cell(row, seed, fold) for seed in range(2) for fold in range(3)]
    areas = np.zeros((2, 3))
    for cell in cells:
        assert cell.fold is not None
        targets, said = write_run(tmp_path / cell.name, 100 * cell.fold, 18, cell.seed)
        areas[cell.seed, cell.fold] = roc_auc_score(targets, said / said.sum(1, keepdims=True), multi_class="ovr")
    found = summarize_row(row, {cell: tmp_path / cell.name for cell in cells})
    assert found is not None
    assert found.scores["auroc"].value == pytest.approx(areas.mean(), abs=1e-5)
    assert found.scores["auroc"].spread == pytest.approx(np.std(areas.mean(1), ddof=1), abs=1e-5)
    assert found.scores["auroc"].folds_spread == pytest.approx(np.std(areas, ddof=1), abs=1e-5)
    assert first_area(found) == pytest.approx(areas[0].mean(), abs=1e-5)


def test_a_row_counts_once_all_its_folds_are_there(tmp_path: Path) -> None:
    split = tmp_path / "folds.yaml"
    split.write_text("class_path: genre.data.KFoldSplit\ninit_args: {folds: 3}\n")
    row = Row((Path("good.yaml"),), split=split)
    for fold in range(2):
        write_run(tmp_path / str(fold), 100 * fold, 12, 0)
    assert summarize_row(row, {Cell(row, 0, fold): tmp_path / str(fold) for fold in range(2)}) is None
