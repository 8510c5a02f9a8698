"""``genre figures``: the pictures of a data set and of several runs, drawn into a folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure
from rich.progress import track as progress

from genre.data.datamodule import GenreDataModule
from genre.data.splits import Partition
from genre.data.track import SUBSETS, Track
from genre.embeddings import Embeddings, read_embeddings
from genre.errors import GenreError
from genre.plots.clips import Clip, describe_number, draw_clips, read_clip, read_clips
from genre.plots.corpus import plot_artists, plot_counts
from genre.plots.embeddings import label, plot_tsne
from genre.plots.inputs import plot_track, plot_tracks
from genre.plots.kinds import KINDS, TITLES
from genre.plots.pca import plot_pca, summarize
from genre.plots.png import save_small
from genre.plots.runs import plot_runs_accuracy, plot_runs_learning_curves, plot_runs_roc
from genre.report.finished_run import Run, read_runs
from genre.report.folder import short
from genre.terminal import terminal

#: What is read of a longer track: its beginning for the picture of one track, its middle for the components.
MOST_SECONDS = 30.0

#: With more tracks a genre than this, the columns of a sheet would be too narrow to be read.
MOST_COLUMNS = 8

#: So many train tracks, spread evenly over all, are enough to find the principal components.
MOST_TRACKS = 1000


def figures(
    data: GenreDataModule | None,
    runs: Sequence[Path],
    out: Path,
    count: int,
    path: Path | None,
    embeddings: Path | None = None,
) -> int:
    """Draws a data set, several runs, or both; returns the exit status.

    Args:
        data: The data set, if any.
        runs: The folders of the runs.
        out: Where the pictures go.
        count: Random tracks a genre on the sheets of inputs, of which at most :data:`MOST_COLUMNS` are drawn.
        path: The file whose inputs are drawn; ``None``: the first track that can be read.
        embeddings: Embeddings of tracks of the data set, which are then drawn in place of its other pictures.
    """
    vectors = None if embeddings is None else read_embeddings(embeddings)
    found = read_runs(runs)  # before anything is drawn, since a folder may be misspelt
    sheets = _Sheets(out)
    if data is not None and vectors is not None:
        _draw_embeddings(sheets, data, vectors)
    elif data is not None:
        _draw_inputs(sheets, data, count, path)
        _draw_corpus(sheets, data)
        _draw_components(sheets, data)
    if found:
        _draw_runs(sheets, found)
    return 0


class _Sheets:
    """The folder that pictures are written to; each is named on the terminal."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.console = folder, terminal()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise GenreError(f"{folder}: cannot be made ({error.strerror}); choose another --out") from None

    def add(self, name: str, figure: Figure, caption: str) -> None:
        """Writes a picture."""
        path = self.folder / f"{name}.png"
        save_small(figure, path)
        self.say(f"{short(path.resolve())}: {caption}")

    def say(self, line: str) -> None:
        """Prints a line as it is."""
        self.console.print(line, soft_wrap=True, highlight=False, markup=False)


def _draw_corpus(sheets: _Sheets, data: GenreDataModule) -> None:
    partition: Partition = {subset: data.tracks(subset) if data.partition[subset] else [] for subset in SUBSETS}
    unit = "segments" if data.split.leaky else "tracks"
    sheets.add("counts", plot_counts(partition, unit), f"{unit} a genre in train, validation and test")
    tracks = [track for track in data.corpus.tracks if track.path not in data.bad_files]
    if any(track.artist for track in tracks):
        sheets.add("artists", plot_artists(tracks), "artists a genre, and the share of the largest")
    else:
        sheets.say(f"no artists.png: {type(data).__name__} knows the artist of no track here")


def _draw_inputs(sheets: _Sheets, data: GenreDataModule, count: int, path: Path | None) -> None:
    clip = _one_clip(data, path)
    sheets.add("track", plot_track(clip, data.features), f"{clip.track.path.name} in all four kinds of input")
    if count > MOST_COLUMNS:
        sheets.say(f"--tracks {count}: a sheet has room for {MOST_COLUMNS} tracks a genre; no more are drawn")
    shown, tracks = min(count, MOST_COLUMNS), data.corpus.tracks
    clips = draw_clips(tracks, data.features, shown, data.segment_seconds, data.seed, data.bad_files)
    for kind in KINDS:
        figure = plot_tracks(clips, data.features, kind)
        sheets.add(f"tracks_{kind}", figure, f"{TITLES[kind]} of {describe_number(clips)}")


def _one_clip(data: GenreDataModule, path: Path | None) -> Clip:
    tracks = data.corpus.tracks
    if path is not None:
        known = [track for track in tracks if track.path.resolve() == path.resolve()]
        return read_clip(known[0] if known else Track(path, ""), data.features, MOST_SECONDS)
    clip = next(iter(read_clips(tracks, data.features, MOST_SECONDS, 0.0, data.bad_files)), None)
    if clip is None:
        raise GenreError(f"every file of {data.root} is bad; one is {data.bad_files.first()}")
    return clip


def _draw_components(sheets: _Sheets, data: GenreDataModule) -> None:
    tracks = data.tracks("train")
    step = -(-len(tracks) // MOST_TRACKS)
    picked = progress(
        tracks[::step],
        "reading the train tracks",
        console=sheets.console,
        transient=True,
        disable=not sheets.console.is_terminal,
    )
    points = summarize(read_clips(picked, data.features, MOST_SECONDS, 0.5, data.bad_files), data.features)
    if len(points.genres) < 3:
        sheets.say(f"no pca.png: {len(points.genres)} train track(s) could be read, and it takes 3")
        return
    unit = "segment" if data.split.leaky else "track"
    title = (
        f"PCA of the {type(data.features).__name__}: a point is a train {unit} ({len(points.genres)}),\n"
        "by mean and standard deviation over time of every row, standardised"
    )
    sheets.add("pca", plot_pca(points, title), "principal components of the features, by genre")


def _draw_embeddings(sheets: _Sheets, data: GenreDataModule, embeddings: Embeddings) -> None:
    points = label(embeddings, data.corpus.tracks)
    count, total = len(points.genres), len(embeddings.paths)
    if count < 3:
        raise GenreError(
            f"{count} of the {total} embedded files are tracks of {data.root}, and it takes 3; embed the files of the "
            "recipe's data, and draw them in the folder where they were embedded or with absolute paths"
        )
    if count < total:
        sheets.say(f"{total - count} of the {total} embedded files are no tracks of {data.root} and are left out")
    size = embeddings.values.shape[1]
    title = f"{{}} of embeddings of {size} values, standardised:\na point is a track ({count})"
    sheets.add("embeddings_tsne", plot_tsne(points, title.format("t-SNE")), "t-SNE of the embeddings, by genre")
    sheets.add("embeddings_pca", plot_pca(points, title.format("PCA")), "principal components of them, by genre")


def _draw_runs(sheets: _Sheets, runs: Mapping[str, Run]) -> None:
    histories = {name: run.history for name, run in runs.items()}
    areas = {name: float(run.metrics["auroc"]["value"]) for name, run in runs.items()}
    results = {name: run.results for name, run in runs.items()}
    sheets.add("runs_learning_curves", plot_runs_learning_curves(histories), "loss and accuracy by epoch, run by run")
    sheets.add("runs_accuracy", plot_runs_accuracy(histories), "accuracy of the validation tracks by epoch")
    sheets.add("runs_roc", plot_runs_roc(results, areas), "mean ROC curve of each run")
