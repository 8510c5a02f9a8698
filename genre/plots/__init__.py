"""Matplotlib figures of a data set, of a run, and of several runs."""

from genre.plots.corpus import plot_artists, plot_counts, plot_pca, plot_tsne
from genre.plots.inputs import plot_inputs, plot_track, plot_tracks
from genre.plots.runs import (
    plot_confusion_matrix,
    plot_learning_curves,
    plot_roc,
    plot_runs_accuracy,
    plot_runs_learning_curves,
    plot_runs_roc,
)

__all__ = [
    "plot_artists",
    "plot_confusion_matrix",
    "plot_counts",
    "plot_inputs",
    "plot_learning_curves",
    "plot_pca",
    "plot_roc",
    "plot_runs_accuracy",
    "plot_runs_learning_curves",
    "plot_runs_roc",
    "plot_track",
    "plot_tracks",
    "plot_tsne",
]
