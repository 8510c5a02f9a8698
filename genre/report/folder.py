"""Writes and reads the folder of a report: scores, predictions, pictures, and a page that shows them."""

import csv
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import torch

from genre.audio.decode import AudioError, read_segment
from genre.data.datamodule import GenreDataModule
from genre.errors import GenreError
from genre.metrics import SCORES
from genre.plots.calibration import plot_coverage, plot_reliability
from genre.plots.inputs import plot_inputs
from genre.plots.runs import History, plot_confusion_matrix, plot_learning_curves, plot_roc
from genre.plots.style import save
from genre.report.conditions import describe_calibration, pools_folds, remarks
from genre.report.results import Results, read_results, write_results
from genre.terminal import make_table, say, terminal


def write_report(folder: Path, results: Results, metrics: Mapping[str, Any], data: GenreDataModule | None = None,
                 history: History = (), best_epoch: int | None = None,
                 training: Mapping[str, float] | None = None) -> None:  # fmt: skip
    """Writes ``predictions.csv``, the pictures, ``index.html`` and, last, ``metrics.json``.

    Args:
        folder: The folder of the report; made if missing.
        results: The scored tracks.
        metrics: The scores and the conditions of the run, see :func:`genre.report.callback.run_metrics`.
        data: The data whose inputs are drawn, if any.
        history: The metrics of every epoch, for the learning curves and ``history.csv``.
        best_epoch: The epoch of the scored checkpoint.
        training: ``batch_size`` and ``learning_rate``, shown only on the page: ``metrics.json`` is then the same for a
            later test of the checkpoint, whose history is shorter.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.json").unlink(missing_ok=True)
    write_results(folder / "predictions.csv", results)
    if history:
        with (folder / "history.csv").open("w", encoding="utf-8", newline="") as lines:
            writer = csv.DictWriter(lines, dict.fromkeys(name for entry in history for name in entry))
            writer.writeheader()
            writer.writerows(history)
    page = render(
        "genre.report",
        "report.html.j2",
        metrics=metrics,
        scores=SCORES,
        pictures=_draw(folder, results, metrics, data, history, best_epoch),
        remarks=remarks(metrics),
        calibration=describe_calibration(metrics),
        training=training or {},
        epochs=len(history),
        best_epoch=best_epoch,
        seconds=[entry["seconds"] for entry in history if "seconds" in entry],
        duration=duration,
        config="../config.yaml" if (folder.parent / "config.yaml").is_file() else None,
    )
    write_whole(folder / "index.html", page)
    write_whole(folder / "metrics.json", json.dumps(metrics, indent=2) + "\n")


def print_report(metrics: Mapping[str, Any], folder: Path) -> None:
    """Prints the table of scores, the remarks on them, and the report's path."""
    title = f"{metrics['tracks']} {metrics['subset']} {metrics['unit']} of {metrics['data_set']}"
    table = make_table("score", numbers=["value", "95 % interval"], title=title)
    for name in SCORES:
        entry = metrics[name]
        table.add_row(name, f"{entry['value']:.3f}", f"{entry['low']:.3f} – {entry['high']:.3f}")
    terminal().print(table)
    say(_calibration_line(metrics["calibration"]))
    for line in remarks(metrics):
        say(line, "yellow")
    say(f"report: {short(folder / 'index.html')}")


def _calibration_line(entry: Mapping[str, Any]) -> str:
    before, after = entry["before"], entry["after"]
    if before is None or not entry["calibrated_on"]:
        return f"calibration error {after['error']['value']:.3f}"
    change = f"{before['error']['value']:.3f} before, {after['error']['value']:.3f} after"
    return f"calibration error {change} dividing the logits by {entry['temperature']:.3g}"


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        history: The metrics of every epoch.
        results: The scored tracks.
        metrics: The scores and the conditions of the run.
        cost: ``seconds_per_epoch`` and ``peak_memory_mb``, each a number or ``None``.
    """

    history: list[dict[str, float]]
    results: Results
    metrics: dict[str, Any]
    cost: dict[str, Any]


def read_run(folder: Path) -> Run:
    """Reads the report of a run."""
    report = folder / "report"
    if not report.is_dir():
        content = "no report in it" if folder.is_dir() else "nothing"
        raise GenreError(f"{folder}: found {content}; expected a finished run, such as runs/<name>/version_0")
    return Run(
        _read_history(report / "history.csv"),
        read_results(report / "predictions.csv"),
        _read_metrics(report / "metrics.json"),
        json.loads((report / "cost.json").read_text(encoding="utf-8")),
    )


def read_runs(folders: Sequence[Path]) -> dict[str, Run]:
    """Reads several runs, by their shortest unique names; the name of a leaky run ends in ``, LEAKY``."""
    folders = list(dict.fromkeys(folder.resolve() for folder in folders))
    names = [_names(folder) for folder in folders]
    taken = [Counter(candidates) for candidates in zip(*names, strict=True)]
    runs = {}
    for folder, candidates in zip(folders, names, strict=True):
        name = next(name for name, counts in zip(candidates, taken, strict=True) if counts[name] == 1)
        run = read_run(folder)
        runs[f"{name}, LEAKY" if run.metrics.get("leaky") else name] = run
    return runs


def short(path: Path) -> Path:
    """The path relative to the current folder, if it is below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def duration(seconds: float) -> str:
    """Formats a duration with its two largest units, such as ``1 h 5 min``."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes = round(seconds / 60)
    return (
        f"{minutes // 60} h {minutes % 60} min"
        if minutes >= 60
        else f"{round(seconds) // 60} min {round(seconds) % 60} s"
    )


def render(package: str, template: str, **values: Any) -> str:
    """Fills in a template of a package; in HTML, special characters are escaped."""
    text = (files(package) / template).read_text(encoding="utf-8")
    escape = template.endswith(".html.j2")
    return jinja2.Environment(autoescape=escape, trim_blocks=True, lstrip_blocks=True).from_string(text).render(values)


def write_whole(path: Path, text: str) -> None:
    """Writes a text file atomically: an interrupted call leaves no partial file."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8", errors="backslashreplace")  # names may not be UTF-8
    os.replace(part, path)  # noqa: PTH105  # Path.replace is the same


def _read_history(path: Path) -> list[dict[str, float]]:
    if not path.is_file():
        raise GenreError(f"{path}: no such file; only a fit writes it: fit this run again, or leave it out")
    with path.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    try:
        history = [{name: float(value) for name, value in row.items() if value} for row in rows]
    except (TypeError, ValueError):
        history = []
    if not history or any("epoch" not in entry for entry in history):
        raise GenreError(f"{path}: expected a column 'epoch' and a row of numbers per epoch; fit this run again")
    return history


def _read_metrics(path: Path) -> dict[str, Any]:
    try:
        metrics: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        float(metrics["auroc"]["value"])
    except FileNotFoundError:
        raise GenreError(f"{path}: no such file; test the run's checkpoint to write it") from None
    except (ValueError, TypeError, KeyError):
        raise GenreError(f"{path}: expected the scores of a run, with auroc; test the run's checkpoint again") from None
    return metrics


def _names(folder: Path) -> tuple[str, str, str]:
    """The possible names of a run, shortest first."""
    version = folder.name.startswith("version_")
    return folder.parent.name if version else folder.name, f"{folder.parent.name}/{folder.name}", str(folder)


def _draw(folder: Path, results: Results, metrics: Mapping[str, Any], data: GenreDataModule | None,
          history: History, best_epoch: int | None) -> dict[str, str]:  # fmt: skip
    """Draws all pictures; returns their captions by file name."""
    genres, targets, probabilities = results.genres, results.targets.numpy(), results.probabilities.numpy()
    subset, unit = metrics["subset"], metrics["unit"]
    confusion = plot_confusion_matrix(targets, probabilities.argmax(1), genres, subset, unit)
    pictures = {"confusion_matrix": (confusion, "Confusion matrix")}
    if not pools_folds(metrics):
        areas = {genre: values["auroc"] for genre, values in metrics["genres"].items()}
        roc = plot_roc(targets, probabilities, genres, areas, metrics["auroc"]["value"], subset, unit)
        pictures["roc"] = roc, "ROC curves"
    of_tracks = results.targets, results.probabilities
    reliability = plot_reliability(*of_tracks, results.uncalibrated, subset, unit)
    pictures["reliability"] = reliability, "Reliability of the probabilities"
    threshold = metrics["calibration"].get("threshold")
    pictures["coverage"] = plot_coverage(*of_tracks, threshold, subset, unit), "Accuracy by coverage"
    if history:
        pictures["learning_curves"] = plot_learning_curves(history, best_epoch, unit), "Learning curves"
    if data is not None:
        inputs = plot_inputs(_read_inputs(data), data.features, data.segment_seconds)
        pictures["inputs"] = inputs, "What the network sees of one track of each genre"
    for name, (figure, _) in pictures.items():
        save(figure, folder / f"{name}.png")
    return {f"{name}.png": caption for name, (_, caption) in pictures.items()}


def _read_inputs(data: GenreDataModule) -> dict[str, Any]:
    """The features ``(frequency, time)`` of the middle segment of the first readable track of each genre."""
    inputs = {}
    for track in data.tracks(data.test_subset):
        if track.genre not in inputs:
            try:
                samples = read_segment(track.path, data.features.sample_rate, data.samples, 0.5, track.excerpt)
            except AudioError:
                continue
            inputs[track.genre] = data.features.cpu()(torch.from_numpy(samples)).numpy()
    return dict(sorted(inputs.items()))
