"""Principal components against an independent computation."""

from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

from genre.data import MelSpectrogram, Track
from genre.plots.corpus import Points, feature_points, plot_pca
from genre.plots.inputs import Clip

from ..conftest import tone


@pytest.fixture(scope="module")
def points() -> Points:
    random = np.random.default_rng(0)
    values = random.normal(size=(60, 5)) @ random.normal(size=(5, 12)) * random.uniform(0.1, 50, 12)
    return Points(values, [f"genre{index % 11}" for index in range(60)])


def test_points_are_mean_and_deviation_over_time() -> None:
    feature = MelSpectrogram(n_mels=16, n_fft=512)
    clips = [Clip(Track(Path(f"{i}.wav"), f"genre{i}"), torch.from_numpy(tone(i, 0, 1.0))) for i in range(3)]
    found = feature_points(clips, feature)
    assert found.genres == ["genre0", "genre1", "genre2"]
    rows = feature.decibels(clips[1].waveform).numpy()
    np.testing.assert_allclose(found.values[1], np.concatenate([rows.mean(1), rows.std(1)]), rtol=1e-4)


def test_scatter_is_the_projection(points: Points) -> None:
    figure = plot_pca(points, "what a point is")
    axes = {panel.get_label(): panel for panel in figure.axes}
    # By the singular value decomposition of the standardised points; the sign of a component is arbitrary.
    standard = (points.values - points.values.mean(0)) / points.values.std(0)
    left, scale, _ = np.linalg.svd(standard, full_matrices=False)
    expected, share = left * scale, 100 * scale**2 / (scale**2).sum()
    for scattered, genre in zip(axes["points"].collections, sorted(set(points.genres)), strict=True):
        assert scattered.get_label() == genre
        places = expected[[name == genre for name in points.genres], :2]
        np.testing.assert_allclose(np.abs(scattered.get_offsets()), np.abs(places), atol=1e-8)
    assert axes["points"].get_xlabel() == f"first principal component ({share[0]:.1f} % of the variance)"
    assert axes["points"].get_ylabel() == f"second principal component ({share[1]:.1f} % of the variance)"
    assert axes["points"].get_title() == "what a point is"
    np.testing.assert_allclose([bar.get_height() for bar in axes["scree"].containers[0]], share[:10], atol=1e-8)
    np.testing.assert_allclose(np.asarray(axes["scree"].lines[0].get_ydata()), np.cumsum(share)[:10], atol=1e-8)
    assert axes["scree"].get_ylabel() == "explained variance in per cent"


def test_genres_differ_in_colour_or_marker(points: Points) -> None:
    figure = plot_pca(points)
    drawn = {
        (to_hex(np.asarray(scattered.get_facecolor())[0]), np.asarray(scattered.get_paths()[0].vertices).tobytes())
        for scattered in figure.axes[0].collections
    }
    assert len(drawn) == 11
    legend = next(axes for axes in figure.axes if axes.get_label() == "legend").get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == sorted(set(points.genres))
