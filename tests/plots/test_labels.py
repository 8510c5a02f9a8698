"""Pictures say what they are of: whole artists, segments where segments are scored, values of a single epoch."""

from pathlib import Path

import numpy as np
import pytest

from genre.audio.features import MelSpectrogram
from genre.audio.mfcc import MFCC
from genre.data.track import Track
from genre.plots.corpus import plot_artists, plot_counts
from genre.plots.inputs import plot_inputs
from genre.plots.runs import (
    plot_confusion_matrix,
    plot_learning_curves,
    plot_roc,
    plot_runs_accuracy,
    plot_runs_learning_curves,
    plot_sweep,
)
from genre.report.folder import duration


def test_axes_of_artists_and_tracks_have_whole_numbers() -> None:
    tracks = [Track(Path(f"{genre}.wav"), genre, genre) for genre in ("blues", "jazz")]
    partition = {"train": tracks, "validation": [], "test": []}
    for figure in (plot_artists(tracks), plot_counts(partition)):  # type: ignore[arg-type]
        figure.draw_without_rendering()
        assert all(float(tick).is_integer() for tick in figure.axes[0].get_xticks())


@pytest.mark.parametrize("epochs", [(1, 2), (5,), (5, 10, 15)])
def test_a_sweep_has_whole_epochs(epochs: tuple[int, ...]) -> None:
    figure = plot_sweep({"lstm": dict.fromkeys(epochs, 0.5)}, {"lstm": 0.97})
    figure.draw_without_rendering()
    axes = figure.axes[0]
    low, high = axes.get_xlim()
    ticks = [float(tick) for tick in axes.get_xticks() if low <= tick <= high]
    assert ticks
    assert all(tick.is_integer() for tick in ticks)


def test_titles_name_what_is_scored() -> None:
    targets, probabilities = np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], dtype=np.float32)
    figure = plot_confusion_matrix(targets, probabilities.argmax(1), ["a", "b"], "test", "segments")
    assert figure.get_suptitle() == "Confusion matrix\nof 3 test segments"
    assert figure.axes[1].get_ylabel() == "share of the genre's segments"
    roc = plot_roc(targets, probabilities, ["a", "b"], {"a": 1.0, "b": 1.0}, 1.0, "validation", "tracks").axes[0]
    assert roc.get_title() == "ROC curves of 3 validation tracks,\none genre against the rest"


def test_a_single_epoch_shows_its_values() -> None:
    history = [{"epoch": 0.0, "train_loss": 2.0, "train_accuracy": 0.2, "val_loss": 1.5, "val_accuracy": 0.25}]
    loss, accuracy = plot_learning_curves(history, 0, "segments").axes
    assert [text.get_text() for text in loss.texts] == ["2.000", "1.500"]
    assert [text.get_text() for text in accuracy.texts] == ["0.200", "0.250"]
    assert (loss.get_ylim()[0], accuracy.get_ylim()) == (0, (0, 1))
    assert all(line.get_marker() in {"^", "o"} for axes in (loss, accuracy) for line in axes.lines)
    low, high = plot_runs_learning_curves({"run": history}, "segments").axes[0].get_ylim()
    assert (low < 1.45, high > 2.05) == (True, True)  # the markers are not cut
    runs = plot_runs_accuracy({"run": history}, "segments").axes[0]
    assert runs.get_title() == "Accuracy of train segments and validation segments by epoch"
    assert sorted(text.get_text() for text in runs.texts) == ["0.200", "0.250"]


@pytest.mark.parametrize(
    ("feature", "y", "color"),
    [
        (MelSpectrogram(n_mels=32), "frequency in hertz", "normalised decibels"),
        (MelSpectrogram(n_mels=32, compression="log10", mean=0, std=1), "frequency in hertz", "log power"),
        (MFCC(), "row (number)", "normalised value"),
    ],
)
def test_inputs_fit_the_page(feature: MelSpectrogram | MFCC, y: str, color: str) -> None:
    values = np.random.default_rng(0).normal(size=(20, 40)).astype(np.float32)
    figure = plot_inputs({f"genre{number}": values for number in range(10)}, feature, 2.0)
    assert figure.get_figwidth() * 110 == pytest.approx(925)  # pixels: the page does not shrink it
    assert (figure.get_supylabel(), figure.axes[-1].get_ylabel()) == (y, color)
    drawn = [axes for axes in figure.axes[:-1] if axes.axison]
    assert [axes.get_title() for axes in drawn] == [f"genre{number}" for number in range(10)]


def test_conditions_of_the_training(trained: Path) -> None:
    page = (trained / "report" / "index.html").read_text(encoding="utf-8")
    for row in (
        "<td>epochs</td><td>3, scored after epoch ",
        "<td>batch size</td><td>6</td>",
        "<td>learning rate</td><td>0.001 ",
    ):
        assert row in page
    assert "<td>duration of the training</td>" in page


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.1234, "0.123 s"), (59.7, "59.7 s"), (61.0, "1 min 1 s"), (3900.0, "1 h 5 min")]
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text
