"""Pictures of a data set, and of several runs on one sheet; every function returns a matplotlib figure."""

from genre.plots.corpus import plot_artists, plot_counts
from genre.plots.embeddings import plot_tsne
from genre.plots.inputs import plot_track, plot_tracks
from genre.plots.pca import plot_pca
from genre.plots.runs import plot_runs_accuracy, plot_runs_learning_curves, plot_runs_roc

__all__ = [
    "plot_artists",
    "plot_counts",
    "plot_pca",
    "plot_runs_accuracy",
    "plot_runs_learning_curves",
    "plot_runs_roc",
    "plot_track",
    "plot_tracks",
    "plot_tsne",
]
