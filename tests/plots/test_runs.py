"""Sheets of several runs: their lines are the numbers that the runs wrote, their names tell them apart."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.lines import Line2D
from sklearn.metrics import roc_auc_score

from genre.data.track import Track
from genre.errors import GenreError
from genre.plots.runs import plot_learning_curves, plot_runs_accuracy, plot_runs_learning_curves, plot_runs_roc
from genre.report.folder import read_run, read_runs
from genre.report.results import Results

HISTORY = [
    {"epoch": 0.0, "train_loss": 2.0, "train_accuracy": 0.2, "val_loss": 2.2, "val_accuracy": 0.1},
    {"epoch": 1.0, "train_loss": 1.5, "train_accuracy": 0.4},  # not validated
    {"epoch": 2.0, "train_loss": 1.0, "train_accuracy": 0.7, "val_loss": 1.9, "val_accuracy": 0.3},
]


def area(curve: Line2D) -> float:
    return float(np.trapezoid(np.asarray(curve.get_ydata()), np.asarray(curve.get_xdata())))


def copy(run: Path, to: Path) -> Path:
    shutil.copytree(run / "report", to / "report")
    return to


def test_a_run_is_read_as_it_was_written(trained: Path) -> None:
    run = read_run(trained)
    with (trained / "report" / "history.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [entry["epoch"] for entry in run.history] == [0, 1, 2]
    assert [entry["val_loss"] for entry in run.history] == [float(row["val_loss"]) for row in rows]
    assert run.metrics == json.loads((trained / "report" / "metrics.json").read_text())
    assert len(run.results.tracks) == run.metrics["tracks"]


def test_names_are_as_short_as_tells_apart(trained: Path, tmp_path: Path) -> None:
    runs = [
        copy(trained, tmp_path / name)
        for name in ("a/cnn/version_0", "a/cnn/version_1", "a/rnn/version_3", "b/cnn/version_1", "b/ensemble")
    ]
    assert list(read_runs([runs[0], runs[2], runs[4], runs[0]])) == ["cnn", "rnn", "ensemble"]
    assert list(read_runs(runs[:3])) == ["cnn/version_0", "cnn/version_1", "rnn"]
    assert list(read_runs(runs[1:4])) == [str(runs[1]), "rnn", str(runs[3])]
    path = runs[2] / "report" / "metrics.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"leaky": True}))
    assert list(read_runs([runs[0], runs[2]])) == ["cnn", "rnn, LEAKY"]


def test_messages(trained: Path, tmp_path: Path) -> None:
    def error(run: Path) -> str:
        with pytest.raises(GenreError) as caught:
            read_run(run)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert (
        error(tmp_path / "no")
        == f"{tmp_path / 'no'}: found nothing; expected a finished run, such as runs/<name>/version_0"
    )
    assert "found no report in it" in error(tmp_path)
    run = copy(trained, tmp_path / "run")
    (run / "report" / "history.csv").rename(tmp_path / "history.csv")
    assert (
        error(run)
        == f"{run}/report/history.csv: no such file; only a fit writes it: fit this run again, or leave it out"
    )
    for content in ("", "epoch,val_loss\n", "epoch,val_loss\n0,many\n", "val_loss\n1.0\n", "epoch,val_loss\n0,1,2\n"):
        (run / "report" / "history.csv").write_text(content)
        assert "expected a column 'epoch' and a row of numbers per epoch" in error(run)
    shutil.copy(tmp_path / "history.csv", run / "report")
    for content in ("{}", "[]", "no json", '{"auroc": null}'):
        (run / "report" / "metrics.json").write_text(content)
        assert "expected the scores of a run, with auroc" in error(run)
    (run / "report" / "metrics.json").unlink()
    assert "metrics.json: no such file" in error(run)
    (run / "report" / "predictions.csv").unlink()
    assert "predictions.csv: no such file" in error(run)


def test_learning_curves_are_the_history() -> None:
    histories = {f"run{index}": HISTORY for index in range(5)}
    figure = plot_runs_learning_curves(histories)
    figure.canvas.draw()
    grid = np.array(figure.axes).reshape(4, 4)  # two rows of four runs, loss above accuracy
    assert [axes.get_title() for axes in grid[0]] == ["run0", "run1", "run2", "run3"]
    assert grid[2, 0].get_title() == "run4"
    assert not any(axes.axison for axes in grid[2:, 1:].flat)
    train, validation = grid[0, 1].lines
    assert list(train.get_xdata()) == [1, 2, 3]
    assert list(train.get_ydata()) == [2.0, 1.5, 1.0]
    assert (list(validation.get_xdata()), list(validation.get_ydata())) == ([1, 3], [2.2, 1.9])
    assert [list(line.get_ydata()) for line in grid[3, 0].lines] == [[0.2, 0.4, 0.7], [0.1, 0.3]]
    assert [axes.get_ylabel() for axes in grid[:, 0]] == ["cross-entropy in nats", "accuracy"] * 2
    assert grid[1, 0].get_xlabel() == grid[3, 0].get_xlabel() == "epoch"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["train segments", "validation tracks"]
    assert len({axes.get_ylim() for axes in (*grid[0], grid[2, 0])}) == 1


@pytest.mark.parametrize("runs", [1, 4, 5, 12])
def test_accuracy_has_a_line_a_run(runs: int) -> None:
    figure = plot_runs_accuracy({f"run{index}": HISTORY for index in range(runs)})
    axes = figure.axes[0]
    solid = {line.get_label(): line for line in axes.lines if str(line.get_label()).startswith("run")}
    assert list(solid) == [f"run{index}" for index in range(runs)]
    for line in solid.values():
        assert (np.asarray(line.get_xdata()).tolist(), np.asarray(line.get_ydata()).tolist()) == ([1, 3], [0.1, 0.3])
    assert len({(line.get_color(), line.get_linestyle()) for line in solid.values()}) == runs
    dashed = [line for line in axes.lines if line.get_linestyle() == "--" and np.size(line.get_xdata()) == 3]
    assert len(dashed) == (runs if runs <= 4 else 0)
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_ylim()) == ("epoch", "accuracy", (0, 1))


def test_train_and_validation_differ_by_line_and_marker() -> None:
    figure = plot_runs_accuracy({"run": HISTORY})
    validation, train = figure.axes[0].lines
    named = dict(zip(("train segments", "validation tracks"), figure.legends[0].get_lines(), strict=True))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(named)
    for line, label in ((train, "train segments"), (validation, "validation tracks")):
        key = named[label]
        assert (line.get_linestyle(), line.get_marker()) == (key.get_linestyle(), key.get_marker())
    assert train.get_linestyle() != validation.get_linestyle()
    assert train.get_marker() != validation.get_marker()


@pytest.mark.parametrize("epochs", [1, 2, 7, 50])
def test_epochs_are_whole_numbers_and_in_sight(epochs: int) -> None:
    history = [HISTORY[0] | {"epoch": float(epoch)} for epoch in range(epochs)]
    sheets = [
        plot_runs_accuracy({"run": history}), plot_runs_learning_curves({"run": history}),
        plot_learning_curves(history, 0),
    ]  # fmt: skip
    for sheet in sheets:
        sheet.draw_without_rendering()
    for axes in (axes for sheet in sheets for axes in sheet.axes):
        low, high = axes.get_xlim()
        ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
        assert (low, high) == (0.5, epochs + 0.5)
        assert ticks
        assert all(float(tick).is_integer() for tick in ticks)
        assert len(ticks) <= 10


def test_long_names_leave_room_for_the_curves() -> None:
    name = "spectral_cnn-" * 8
    for figure in (plot_runs_accuracy({name: HISTORY}), plot_runs_learning_curves({name: HISTORY, "b": HISTORY})):
        figure.canvas.draw()
        box = figure.axes[0].get_window_extent()
        assert box.width > 0.3 * figure.bbox.width
        assert figure.axes[0].title.get_window_extent().x0 > 0


def test_accuracy_without_any_epoch() -> None:
    assert np.size(plot_runs_accuracy({"run": []}).axes[0].lines[0].get_xdata()) == 0
    plot_runs_learning_curves({"run": []})


def test_curve_of_folds_encloses_the_mean_of_their_areas() -> None:
    """The networks of the folds differ in how sure they are: pooled, their tracks would rank by fold."""
    random = np.random.default_rng(1)
    folds, areas = [], []
    for fold in range(5):
        targets = random.permutation(np.arange(60) % (2 if fold == 3 else 3))  # one genre is not in every fold
        scores = random.random((60, 3)) + 0.5 * np.eye(3)[targets]
        probabilities = scores / 2 ** (fold + 1)  # ranks are those of the fold, levels are not
        tracks = [Track(Path(f"{fold}/{place}.wav"), "abc"[target]) for place, target in enumerate(targets)]
        folds.append(Results(["a", "b", "c"], tracks, torch.tensor(probabilities)))
        areas.append(np.mean([roc_auc_score(targets == g, probabilities[:, g]) for g in np.unique(targets)]))
    figure = plot_runs_roc({"folds": folds, "one": folds[0]}, {"folds": float(np.mean(areas)), "one": areas[0]})
    curve, single, _ = figure.axes[0].lines
    assert area(curve) == pytest.approx(np.mean(areas), abs=0.005)
    assert area(single) == pytest.approx(areas[0], abs=0.005)
    assert curve.get_label() == f"folds ({np.mean(areas):.2f})"
    pooled = np.concatenate([fold.targets for fold in folds]), np.concatenate([fold.probabilities for fold in folds])
    assert np.mean([roc_auc_score(pooled[0] == g, pooled[1][:, g]) for g in range(3)]) < np.mean(areas) - 0.1


def test_mean_roc_encloses_the_macro_area() -> None:
    random = np.random.default_rng(0)
    genres = ["a", "b", "c", "never"]
    targets = random.integers(0, 3, 300)
    probabilities = random.dirichlet(np.ones(4), 300) + 0.3 * np.eye(4)[targets]
    probabilities /= probabilities.sum(1, keepdims=True)
    tracks = [Track(Path(f"{i}.wav"), genres[target]) for i, target in enumerate(targets)]
    results = Results(genres, tracks, torch.tensor(probabilities))
    figure = plot_runs_roc({"good": results}, {"good": 0.876})
    curve, chance = figure.axes[0].lines
    expected = np.mean([roc_auc_score(targets == genre, probabilities[:, genre]) for genre in range(3)])
    assert area(curve) == pytest.approx(expected, abs=0.003)
    corners = np.asarray(curve.get_xydata())
    assert (corners[0].tolist(), corners[-1].tolist()) == ([0, 0], [1, 1])
    assert (np.diff(curve.get_ydata()) >= 0).all()
    assert curve.get_label() == "good (0.88)"
    assert np.asarray(chance.get_ydata()).tolist() == [0, 1]
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("false positive rate", "true positive rate")
