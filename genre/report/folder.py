"""A report's folder: scores, predictions, pictures, and one page that shows them."""

import csv
import json
import os
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import torch
from rich.table import Table

from genre.audio.decode import AudioError, read_segment
from genre.data.datamodule import GenreDataModule
from genre.metrics import SCORES
from genre.plots import style
from genre.report.results import Results, write_results
from genre.terminal import terminal

History = Sequence[Mapping[str, float]]

#: The bootstrap's intervals are too narrow for fewer tracks than this.
FEW = 30


def write_report(folder: Path, results: Results, metrics: Mapping[str, Any], data: GenreDataModule | None = None,
                 history: History = (), best_epoch: int | None = None) -> None:  # fmt: skip
    """Writes ``predictions.csv``, the pictures, ``index.html`` and, as the sign that all is there, ``metrics.json``.

    Args:
        folder: Where to, made if need be.
        results: What was scored.
        metrics: The scores and the conditions of the run, see :func:`genre.report.callback.summarize`.
        data: Whose inputs are drawn, if any.
        history: The metrics of every epoch, for the learning curves and ``history.csv``.
        best_epoch: Which of them the scored checkpoint is of.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.json").unlink(missing_ok=True)
    write_results(folder / "predictions.csv", results)
    if history:
        _write_history(folder / "history.csv", history)
    pictures = _draw(folder, results, metrics, data, history, best_epoch)
    _write_page(folder / "index.html", metrics, pictures)
    write_whole(folder / "metrics.json", json.dumps(metrics, indent=2) + "\n")


def print_report(metrics: Mapping[str, Any], folder: Path) -> None:
    """Prints the table of scores, what a reader of them has to know, and the report's path."""
    table = Table(title=f"{metrics['tracks']} {metrics['subset']} {metrics['unit']} of {metrics['data_set']}")
    table.add_column("score")
    table.add_column("value", justify="right")
    table.add_column("95 % interval", justify="right")
    for name in SCORES:
        entry = metrics[name]
        table.add_row(name, f"{entry['value']:.3f}", f"{entry['low']:.3f} – {entry['high']:.3f}")
    console = terminal()
    console.print(table)
    for line in remarks(metrics):
        console.print(line, style="yellow", highlight=False)
    console.print(f"report: {short(folder / 'index.html')}", soft_wrap=True, highlight=False)


def remarks(metrics: Mapping[str, Any]) -> list[str]:
    """What a reader of the scores has to know, a sentence each."""
    found = []
    if metrics["unit"] == "segments":
        found.append("LEAKY: segments of one track stand in both subsets; the scores are not those of unseen music.")
    if metrics["seen"] is None:
        found.append("It is not known on which tracks this network was trained, if on any.")
    elif any(metrics["seen"].values()):
        known = " and ".join(
            f"{verb} on {metrics['seen'][subset]}"
            for subset, verb in (
                ("train", "trained"),
                ("validation", "chosen"),
                ("earlier_train", "in an earlier fit trained"),
                ("earlier_validation", "in an earlier fit chosen"),
            )
            if metrics["seen"].get(subset)
        )
        found.append(
            f"LEAKY: the network was {known} of these {metrics['tracks']} tracks; the scores are not those of unseen "
            "music."
        )
    if metrics.get("chosen_on") == 0:
        found.append("No track chose the epoch: the network was trained without a validation subset.")
    if metrics["subset"] != "test":
        found.append(
            "The split has no test track at hand: these are the validation tracks, which also chose the checkpoint."
        )
    if metrics["artists_shared"]:
        found.append(
            f"{metrics['artists_shared']} artist(s) stand in more than one subset: expect lower scores on artists that "
            "were never heard (by_artist: true measures them)."
        )
    if _of_all_folds(metrics):
        found.append(
            "Every fold was scored by a network of its own, whose probabilities are not comparable with the others': "
            "AUC-ROC is the mean over folds."
        )
    found += absence(metrics["absent_genres"])
    if metrics["tracks"] < FEW:
        found.append(
            f"Only {metrics['tracks']} {metrics['unit']} were scored: too few to tell much, and for their intervals to "
            "be wide enough."
        )
    if metrics["bad_files"]:
        found.append(f"{len(metrics['bad_files'])} file(s) could not be read and are listed in the report.")
    return found


def absence(genres: Mapping[str, Sequence[str]]) -> list[str]:
    """What it means that genres have no track in a subset, a sentence a subset."""
    means = {"train": "cannot be learned", "validation": "has no part in the choice of a checkpoint",
             "test": "is not scored"}  # fmt: skip
    return [
        f"No {subset} track of {', '.join(genres[subset])}: a genre without one {meaning}."
        for subset, meaning in means.items()
        if genres.get(subset)
    ]


def short(path: Path) -> Path:
    """The path from the current folder, where it lies below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def write_whole(path: Path, text: str) -> None:
    """Writes a text file so that it is there whole or not at all, however the program ends."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8", errors="backslashreplace")  # a name that is not in UTF-8
    os.replace(part, path)  # noqa: PTH105  # Path.replace is the same


def _of_all_folds(metrics: Mapping[str, Any]) -> bool:
    return bool(metrics["split"].get("fold") == "all")


def _write_history(path: Path, history: History) -> None:
    names = dict.fromkeys(name for entry in history for name in entry)
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, names)
        writer.writeheader()
        writer.writerows(history)


def _draw(folder: Path, results: Results, metrics: Mapping[str, Any], data: GenreDataModule | None,
          history: History, best_epoch: int | None) -> dict[str, str]:  # fmt: skip
    """Draws all pictures; returns their captions by file name."""
    genres, targets, probabilities = results.genres, results.targets.numpy(), results.probabilities.numpy()
    areas = {genre: values["auroc"] for genre, values in metrics["genres"].items()}
    drawn = {"confusion_matrix.png": "Confusion matrix"}
    style.save(
        style.plot_confusion_matrix(targets, probabilities.argmax(1), genres),
        folder / "confusion_matrix.png",
    )
    if not _of_all_folds(metrics):
        style.save(
            style.plot_roc(targets, probabilities, genres, areas, metrics["auroc"]["value"]),
            folder / "roc.png",
        )
        drawn["roc.png"] = "ROC curves"
    if history:
        style.save(style.plot_learning_curves(history, best_epoch), folder / "learning_curves.png")
        drawn["learning_curves.png"] = "Learning curves"
    if data is not None:
        _draw_inputs(folder / "inputs.png", data)
        drawn["inputs.png"] = "What the network sees of one track of each genre"
    return drawn


def _draw_inputs(path: Path, data: GenreDataModule) -> None:
    inputs = {}
    for track in data.tracks(data.test_subset):
        if track.genre not in inputs:
            try:
                samples = read_segment(track.path, data.features.sample_rate, data.samples, 0.5, track.excerpt)
            except AudioError:
                continue
            inputs[track.genre] = data.features.cpu()(torch.from_numpy(samples)).numpy()
    hop = data.samples / max(1, next(iter(inputs.values())).shape[1] - 1)
    figure = style.plot_inputs(
        dict(sorted(inputs.items())), data.features.sample_rate, round(hop), type(data.features).__name__
    )
    style.save(figure, path)


def _write_page(path: Path, metrics: Mapping[str, Any], pictures: Mapping[str, str]) -> None:
    template = (files("genre.report") / "report.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    config = "../config.yaml" if (path.parents[1] / "config.yaml").is_file() else None
    page = environment.from_string(template).render(
        metrics=metrics, scores=SCORES, pictures=pictures, remarks=remarks(metrics), config=config
    )
    path.write_text(page, encoding="utf-8", errors="backslashreplace")
