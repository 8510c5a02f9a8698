"""Pictures of embeddings: the points are those of the file, the genres those of the data."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from genre.data import Track
from genre.embeddings import Embeddings, write_embeddings
from genre.errors import GenreError
from genre.plots import plot_tsne
from genre.plots.corpus import Points, embedding_points

from ..conftest import QUICK, run_cli


def clusters(number: int, size: int = 12) -> Points:
    random = np.random.default_rng(0)
    centres = 10 * random.standard_normal((number, 20))
    values = np.concatenate([centre + random.standard_normal((size, 20)) for centre in centres])
    return Points(values, [f"genre{index}" for index in range(number) for _ in range(size)])


def test_genres_come_from_the_tracks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tracks = [Track(tmp_path / f"{name}.wav", f"genre of {name}") for name in "abc"]
    paths = [Path("c.wav"), Path("elsewhere.wav"), tmp_path / "sub" / ".." / "a.wav"]
    points = embedding_points(paths, np.arange(6, dtype=np.float32).reshape(3, 2), tracks)
    assert points.genres == ["genre of c", "genre of a"]
    assert points.values.tolist() == [[0, 1], [4, 5]]


def test_tsne_keeps_clusters_apart_and_names_them() -> None:
    points = clusters(11)
    figure = plot_tsne(points, "what a point is")
    axes = {panel.get_label(): panel for panel in figure.axes}
    drawn = axes["points"].collections
    assert [scattered.get_label() for scattered in drawn] == sorted(set(points.genres))
    places = np.stack([np.asarray(scattered.get_offsets()) for scattered in drawn])  # (genres, points, 2)
    centres = places.mean(1)
    nearest = np.linalg.norm(places[:, :, None] - centres, axis=-1).argmin(-1)
    assert (nearest == np.arange(11)[:, None]).mean() > 0.95
    styles = {
        (to_hex(np.asarray(s.get_facecolor())[0]), np.asarray(s.get_paths()[0].vertices).tobytes()) for s in drawn
    }
    assert len(styles) == 11
    legend = axes["legend"].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == sorted(set(points.genres))
    assert axes["points"].get_title() == "what a point is; perplexity 30"
    again = plot_tsne(points).figure.axes[0].collections[0].get_offsets()
    np.testing.assert_array_equal(again, drawn[0].get_offsets())


@pytest.mark.parametrize("values", [np.eye(3), np.arange(3.0).reshape(3, 1), np.eye(3)[[0, 0, 1]]])
def test_three_points_are_enough(values: np.ndarray) -> None:
    figure = plot_tsne(Points(values, ["a", "b", "b"]))
    assert len(figure.axes[0].collections) == 2


def test_the_same_point_throughout() -> None:
    with pytest.raises(GenreError, match="all 3 embeddings are the same"):
        plot_tsne(Points(np.ones((3, 4)), ["a", "b", "b"]))


def test_the_verb_draws_them_in_place_of_the_data(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    songs = sorted(folder.rglob("*.wav"))
    values = np.random.default_rng(0).standard_normal((25, 8)).astype(np.float32)
    write_embeddings(tmp_path / "e.npz", Embeddings([*songs, Path("/elsewhere.wav")], values))
    recipe = [option for option in QUICK if option.startswith("--data")] + [f"--data.root={folder}"]
    recipe += ["--model.network=genre.models.SpectralCNN"]
    assert run_cli("figures", "--embeddings", tmp_path / "e.npz", *recipe, "--out", tmp_path / "out") == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["embeddings_pca.png", "embeddings_tsne.png"]
    with Image.open(tmp_path / "out" / "embeddings_tsne.png") as picture:
        assert picture.width == 1200
    assert f"1 of the 25 embedded files are no tracks of {folder}" in capsys.readouterr().out
    write_embeddings(tmp_path / "e.npz", Embeddings([Path("a.wav")], values[:1]))
    assert run_cli("figures", "--embeddings", tmp_path / "e.npz", *recipe, "--out", tmp_path / "other") == 1
    assert f"0 of the 1 embedded files are tracks of {folder}" in capsys.readouterr().err
    assert run_cli("figures", "--embeddings", tmp_path / "gone.npz", *recipe, "--out", tmp_path / "other") == 1
    assert "no such file" in capsys.readouterr().err
    assert run_cli("figures", "--embeddings", tmp_path / "e.npz", "--out", tmp_path / "other") == 2
    assert "give --config RECIPE, too" in capsys.readouterr().err
    assert not list((tmp_path / "other").glob("*"))
