"""``genre figures``: draws a data set, several runs, or both into a folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from genre.data.datamodule import GenreDataModule
from genre.data.splits import Partition
from genre.data.track import SUBSETS, Track
from genre.embeddings import Embeddings, read_embeddings
from genre.errors import GenreError
from genre.plots.corpus import embedding_points, feature_points, plot_artists, plot_counts, plot_pca, plot_tsne
from genre.plots.inputs import (
    INPUTS,
    Clip,
    describe_number,
    draw_clips,
    plot_track,
    plot_tracks,
    read_clip,
    read_clips,
)
from genre.plots.runs import plot_runs_accuracy, plot_runs_learning_curves, plot_runs_roc
from genre.plots.style import save_small
from genre.report.conditions import scored_unit, scored_units
from genre.report.folder import Run, read_runs, short
from genre.terminal import progress, say

#: Longer tracks are cut to this length: to the beginning for the picture of one track, to the middle for the PCA.
MAX_SECONDS = 30.0

#: The largest number of tracks per genre on a sheet: more columns would be too narrow to read.
MAX_COLUMNS = 8

#: The largest number of train tracks, spread evenly over all, that the principal components are computed from.
MAX_TRACKS = 1000


def figures(
    data: GenreDataModule | None,
    runs: Sequence[Path],
    out: Path,
    count: int,
    path: Path | None,
    embeddings: Path | None,
) -> None:
    """Draws a data set, several runs, or both."""
    vectors = None if embeddings is None else read_embeddings(embeddings)
    finished = read_runs(runs)  # before anything is drawn, because a folder may be misspelt
    out.mkdir(parents=True, exist_ok=True)
    if data is not None and vectors is not None:
        _draw_embeddings(out, data, vectors)
    elif data is not None:
        _draw_inputs(out, data, count, path)
        _draw_corpus(out, data)
        _draw_components(out, data)
    if finished:
        _draw_runs(out, finished)


def _save(folder: Path, name: str, figure: Figure, caption: str) -> None:
    """Writes a picture, and prints a line about it."""
    path = folder / f"{name}.png"
    save_small(figure, path)
    say(f"{short(path.resolve())}: {caption}")


def _draw_corpus(out: Path, data: GenreDataModule) -> None:
    partition: Partition = {subset: data.tracks(subset) if data.partition[subset] else [] for subset in SUBSETS}
    unit = scored_unit(data)
    _save(out, "counts", plot_counts(partition, unit), f"{unit} per genre in train, validation and test")
    tracks = [track for track in data.corpus.tracks if track.path not in data.bad_files]
    if any(track.artist for track in tracks):
        _save(out, "artists", plot_artists(tracks), "artists per genre, and the share of the largest one")
    else:
        say(f"no artists.png: {type(data).__name__} knows the artist of no track here")


def _draw_inputs(out: Path, data: GenreDataModule, count: int, path: Path | None) -> None:
    clip = _one_clip(data, path)
    _save(out, "track", plot_track(clip, data.features), f"{clip.track.path.name} in all four kinds of input")
    if count > MAX_COLUMNS:
        say(f"--tracks {count}: a sheet has room for {MAX_COLUMNS} tracks per genre; no more are drawn")
    shown, tracks = min(count, MAX_COLUMNS), data.corpus.tracks
    clips = draw_clips(tracks, data.features, shown, data.segment_seconds, data.seed, data.bad_files)
    for name, labels in INPUTS.items():
        figure = plot_tracks(clips, data.features, name)
        _save(out, f"tracks_{name}", figure, f"{labels.title} of {describe_number(clips)}")


def _one_clip(data: GenreDataModule, path: Path | None) -> Clip:
    tracks = data.corpus.tracks
    if path is not None:
        known = [track for track in tracks if track.path.resolve() == path.resolve()]
        return read_clip(known[0] if known else Track(path, ""), data.features, MAX_SECONDS)
    clip = next(iter(read_clips(tracks, data.features, MAX_SECONDS, 0.0, data.bad_files)), None)
    if clip is None:
        raise GenreError(f"every file of {data.root} is bad; one is {data.bad_files.first()}")
    return clip


def _draw_components(out: Path, data: GenreDataModule) -> None:
    tracks = data.tracks("train")
    step = -(-len(tracks) // MAX_TRACKS)
    picked = tracks[::step]
    shown = progress(picked, "reading the train tracks", len(picked))
    points = feature_points(read_clips(shown, data.features, MAX_SECONDS, 0.5, data.bad_files), data.features)
    if len(points.genres) < 3:
        say(f"no pca.png: {len(points.genres)} train track(s) could be read, and it takes 3")
        return
    unit = scored_unit(data)
    title = (
        f"PCA of the {type(data.features).__name__}: a point is one of {len(points.genres)} train {unit},\n"
        "as mean and standard deviation over time of every row, standardised"
    )
    _save(out, "pca", plot_pca(points, title), "principal components of the features, by genre")


def _draw_embeddings(out: Path, data: GenreDataModule, embeddings: Embeddings) -> None:
    points = embedding_points(embeddings.paths, embeddings.values, data.corpus.tracks)
    count, total = len(points.genres), len(embeddings.paths)
    if count < 3:
        raise GenreError(
            f"{count} of the {total} embedded files are tracks of {data.root}, and it takes 3; embed the files of the "
            "recipe's data, and draw them in the folder where they were embedded or with absolute paths"
        )
    if count < total:
        say(f"{total - count} of the {total} embedded files are no tracks of {data.root} and are left out")
    size = embeddings.values.shape[1]
    title = f"{{}} of embeddings of {size} values, standardised:\na point is one of {count} tracks"
    _save(out, "embeddings_tsne", plot_tsne(points, title.format("t-SNE")), "t-SNE of the embeddings, by genre")
    _save(out, "embeddings_pca", plot_pca(points, title.format("PCA")), "principal components of them, by genre")


def _draw_runs(out: Path, runs: Mapping[str, Run]) -> None:
    histories = {name: run.history for name, run in runs.items()}
    areas = {name: float(run.metrics["auroc"]["value"]) for name, run in runs.items()}
    results = {name: run.results for name, run in runs.items()}
    unit = scored_units(run.metrics for run in runs.values())
    curves = plot_runs_learning_curves(histories, unit)
    _save(out, "runs_learning_curves", curves, "loss and accuracy by epoch, run by run")
    _save(out, "runs_accuracy", plot_runs_accuracy(histories, unit), f"accuracy of the validation {unit} by epoch")
    _save(out, "runs_roc", plot_runs_roc(results, areas, unit), "mean ROC curve of each run")
