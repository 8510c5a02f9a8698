"""Embeddings as points in the plane, coloured by genre."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from sklearn.manifold import TSNE
from sklearn.preprocessing import StandardScaler

from genre.data.track import Track
from genre.embeddings import Embeddings
from genre.errors import GenreError
from genre.plots.pca import Points, scatter, show_legend
from genre.plots.style import WIDTH

#: The number of neighbours that t-SNE keeps near a point, where there are enough points.
PERPLEXITY = 30.0


def label(embeddings: Embeddings, tracks: Sequence[Track]) -> Points:
    """Embeddings of tracks, with their genres; those of other files are left out."""
    genres = {track.path.resolve(): track.genre for track in tracks}
    known = [genres.get(path.resolve()) for path in embeddings.paths]
    rows = [index for index, genre in enumerate(known) if genre is not None]
    return Points(embeddings.values[rows].astype(np.float64), [genre for genre in known if genre is not None])


def plot_tsne(points: Points, title: str = "", seed: int = 0) -> Figure:
    """t-SNE of standardised points: near points are alike, distances between clusters mean little.

    L. van der Maaten and G. Hinton, "Visualizing data using t-SNE", Journal of Machine Learning Research 9, 2008.

    Args:
        points: At least three, and their genres.
        title: What a point is.
        seed: Of the optimisation.

    Raises:
        GenreError: All points are the same.
    """
    if not np.ptp(points.values, axis=0).any():  # scikit-learn's tree of points would crash the process
        raise GenreError(f"all {len(points.genres)} embeddings are the same: there is nothing to draw")
    perplexity = min(PERPLEXITY, (len(points.genres) - 1) / 3)
    standard = StandardScaler().fit_transform(points.values)
    init = "pca" if standard.shape[1] > 1 else "random"
    places = TSNE(perplexity=perplexity, init=init, random_state=seed).fit_transform(standard)
    figure = Figure(figsize=(WIDTH, 7), layout="constrained")
    axes = figure.subplot_mosaic([["points", "legend"]], width_ratios=(3.2, 1))
    scatter(axes["points"], places, points.genres)
    axes["points"].set(
        xlabel="first dimension of t-SNE (no unit)",
        ylabel="second dimension of t-SNE (no unit)",
        title=f"{title}; perplexity {perplexity:.3g}" if title else "",
    )
    show_legend(axes["legend"], axes["points"])
    return figure
