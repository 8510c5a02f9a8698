"""What a run leaves behind: its scores with intervals, its predictions, its pictures, and one page that shows them."""

import csv
import json
from importlib.resources import files
from pathlib import Path
from time import perf_counter
from typing import Any

import jinja2
import pytorch_lightning as pl
import torch
from rich.console import Console
from rich.table import Table
from torch import nn

from genre import plots
from genre._version import __version__
from genre.classifier import GenreClassifier
from genre.data.audio import AudioError, read_segment
from genre.data.datamodule import GenreDataModule
from genre.data.splits import shared_artists
from genre.metrics import SCORES, TrackPredictions, intervals, score, score_genres


class Report(pl.Callback):
    """Keeps the history of a fit, and writes a report at the end of every test.

    Args:
        folder: Where the report goes; ``None``: ``report/`` in the run's log folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.history: list[dict[str, float]] = []
        self._started = 0.0
        self._metrics: dict[str, Any] = {}
        self._written: Path | None = None

    def state_dict(self) -> dict[str, Any]:
        """The history, which a resumed fit goes on with."""
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over the history of an interrupted fit; a test loads that of the best epoch, which is shorter."""
        self.history = max(self.history, list(state_dict["history"]), key=len)

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Says in one line what is trained on what."""
        data = getattr(trainer, "datamodule", None)
        if trainer.is_global_zero and isinstance(pl_module, GenreClassifier) and isinstance(data, GenreDataModule):
            sides = ", ".join(f"{len(tracks)} {side}" for side, tracks in data.partition.items())
            network = pl_module.network
            sizes = f"{count(network):,} parameters, {count(network, trainable=True):,} trainable"
            Console().print(
                f"{type(network).__name__} ({sizes}) on {type(data).__name__}: "
                f"{len(data.genres)} genres, {sides} tracks",
                highlight=False,
            )

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: D102
        self._started = perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: D102
        scores = {name: float(value) for name, value in trainer.callback_metrics.items()}
        seconds = perf_counter() - self._started
        self.history.append({"epoch": trainer.current_epoch, "seconds": round(seconds, 3), **scores})

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Writes the report."""
        data = getattr(trainer, "datamodule", None)
        folder = self.folder or (Path(trainer.log_dir) / "report" if trainer.log_dir else None)
        if not trainer.is_global_zero or folder is None or not isinstance(data, GenreDataModule):
            return
        assert isinstance(pl_module, GenreClassifier)
        assert pl_module.test_predictions is not None
        predictions = TrackPredictions(*(part.cpu() for part in pl_module.test_predictions))
        metrics = summarize(predictions, pl_module, data)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
        _write_predictions(folder / "predictions.csv", predictions, pl_module.genres, data)
        pictures = self._draw(folder, predictions, metrics, pl_module.genres, data, _best_epoch(trainer))
        _write_page(folder / "index.html", metrics, pictures)
        self._metrics, self._written = metrics, folder

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Prints the table of a test, once its progress bar is gone."""
        if self._written is not None:
            _print_table(self._metrics, self._written)
            self._written = None

    def _draw(self, folder: Path, predictions: TrackPredictions, metrics: dict[str, Any], genres: list[str],
              data: GenreDataModule, best_epoch: int | None) -> dict[str, str]:  # fmt: skip
        """Draws all pictures; returns their captions by file name."""
        targets, probabilities = predictions.targets.numpy(), predictions.probabilities.numpy()
        areas = {genre: values["auroc"] for genre, values in metrics["genres"].items()}
        pictures = {"confusion_matrix.png": "Confusion matrix", "roc.png": "ROC curves"}
        plots.save(
            plots.plot_confusion_matrix(targets, probabilities.argmax(1), genres),
            folder / "confusion_matrix.png",
        )
        plots.save(
            plots.plot_roc(targets, probabilities, genres, areas, metrics["auroc"]["value"]),
            folder / "roc.png",
        )
        if self.history:
            plots.save(plots.plot_learning_curves(self.history, best_epoch), folder / "learning_curves.png")
            pictures["learning_curves.png"] = "Learning curves"
        _draw_inputs(folder / "inputs.png", data)
        return pictures | {"inputs.png": "What the network sees of one track of each genre"}


def summarize(predictions: TrackPredictions, model: GenreClassifier, data: GenreDataModule) -> dict[str, Any]:
    """All that ``metrics.json`` holds: scores with 95 % intervals, scores by genre, and the conditions of the run."""
    probabilities, targets = predictions.probabilities, predictions.targets
    bounds = intervals(probabilities, targets)
    metrics: dict[str, Any] = {
        name: {
            "value": round(float(value), 4),
            "low": round(bounds[name][0], 4),
            "high": round(bounds[name][1], 4),
        }
        for name, value in score(probabilities, targets).items()
    }
    by_genre = score_genres(probabilities, targets)
    counts = targets.bincount(minlength=len(model.genres))
    metrics["genres"] = {
        genre: {"tracks": int(counts[index])}
        | {name: round(float(values[index]), 4) if counts[index] else None for name, values in by_genre.items()}
        for index, genre in enumerate(model.genres)
    }
    metrics["loss"] = round(float(predictions.loss), 4)
    metrics["network"] = type(model.network).__name__
    metrics["parameters"] = count(model.network)
    metrics["trainable"] = count(model.network, trainable=True)
    metrics["features"] = type(data.features).__name__
    metrics["data_set"] = type(data).__name__
    metrics["root"] = str(data.root)
    metrics["split"] = {"class": type(data.split).__name__, **vars(data.split)}
    metrics["side"] = data.test_side
    metrics["seed"] = data.seed
    metrics["tracks"] = len(targets)
    metrics["tracks_by_side"] = {side: len(tracks) for side, tracks in data.partition.items()}
    metrics["leaky"] = data.split.leaky
    metrics["artists_shared"] = shared_artists(data.partition)
    metrics["bad_files"] = [{"path": str(path), "reason": reason} for path, reason in data.bad_files.items()]
    metrics["version"] = __version__
    return metrics


def count(network: nn.Module, *, trainable: bool = False) -> int:
    """The number of a network's parameters, or of those that train."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad or not trainable)


def _write_predictions(path: Path, predictions: TrackPredictions, genres: list[str], data: GenreDataModule) -> None:
    """One row a track: its file, genre, prediction, and the probability of every genre."""
    tracks = data.tracks(data.test_side)
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(["path", "genre", "artist", "start", "predicted", "probability", *genres])
        for index, target, row in zip(*(part.tolist() for part in predictions[:3]), strict=True):
            best = max(range(len(genres)), key=row.__getitem__)
            track = tracks[index]
            start = f"{track.excerpt[0]:g}" if track.excerpt else ""
            values = [f"{value:.6f}" for value in (row[best], *row)]
            writer.writerow([track.path, genres[target], track.artist or "", start, genres[best], *values])


def _draw_inputs(path: Path, data: GenreDataModule) -> None:
    inputs = {}
    for track in data.tracks(data.test_side):
        if track.genre not in inputs:
            try:
                samples = read_segment(track.path, data.features.sample_rate, data.samples, 0.5, track.excerpt)
            except AudioError:
                continue
            inputs[track.genre] = data.features.cpu()(torch.from_numpy(samples)).numpy()
    hop = data.samples / max(1, next(iter(inputs.values())).shape[1] - 1)
    figure = plots.plot_inputs(
        dict(sorted(inputs.items())), data.features.sample_rate, round(hop), type(data.features).__name__
    )
    plots.save(figure, path)


def _best_epoch(trainer: pl.Trainer) -> int | None:
    checkpoint = trainer.checkpoint_callback
    path = getattr(checkpoint, "best_model_path", "")
    if not path or not Path(path).is_file():
        return None
    return int(torch.load(path, weights_only=True, map_location="cpu", mmap=True)["epoch"])


def _write_page(path: Path, metrics: dict[str, Any], pictures: dict[str, str]) -> None:
    template = (files("genre") / "report.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    page = environment.from_string(template).render(
        metrics=metrics, scores=SCORES, pictures=pictures, remarks=remarks(metrics)
    )
    path.write_text(page, encoding="utf-8")


def _print_table(metrics: dict[str, Any], folder: Path) -> None:
    unit = "segments" if metrics["leaky"] else "tracks"
    table = Table(title=f"{metrics['tracks']} {metrics['side']} {unit} of {metrics['data_set']}")
    table.add_column("score")
    table.add_column("value", justify="right")
    table.add_column("95 % interval", justify="right")
    for name in SCORES:
        entry = metrics[name]
        table.add_row(name, f"{entry['value']:.3f}", f"{entry['low']:.3f} – {entry['high']:.3f}")
    console = Console()
    console.print(table)
    for line in remarks(metrics):
        console.print(line, style="yellow", highlight=False)
    console.print(f"report: {short(folder / 'index.html')}", soft_wrap=True, highlight=False)


def short(path: Path) -> Path:
    """The path from the current folder, where it lies below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def remarks(metrics: dict[str, Any]) -> list[str]:
    """What a reader of the scores has to know, a sentence each."""
    found = []
    if metrics["leaky"]:
        found.append(
            "LEAKY: segments of one track stand on both sides of this split; the scores are not those of unseen music."
        )
    if metrics["side"] != "test":
        found.append(
            "The split has no test track at hand: these are the validation tracks, which also chose the checkpoint."
        )
    if metrics["artists_shared"]:
        found.append(
            f"{metrics['artists_shared']} artists stand on more than one side: expect lower scores on artists that "
            "were never heard (by_artist: true measures them)."
        )
    if metrics["bad_files"]:
        found.append(f"{len(metrics['bad_files'])} file(s) could not be read and are listed in the report.")
    return found
