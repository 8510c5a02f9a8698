"""The table of a benchmark as Markdown, as CSV, and as an HTML page."""

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import mean
from typing import Any

from rich.table import Table

from genre.benchmark.published import FIGURES, Published, count_of
from genre.benchmark.summary import Score, Summary, first_area, measured
from genre.metrics import SCORES
from genre.plots.runs import plot_runs_accuracy, plot_runs_learning_curves, plot_runs_roc, plot_sweep
from genre.plots.style import save
from genre.report.conditions import FEW, scored_units
from genre.report.folder import render, write_whole
from genre.terminal import terminal

HEADINGS = {"accuracy": "accuracy", "precision": "precision", "recall": "recall", "f1": "F1", "auroc": "AUC-ROC"}

#: Further figures that some papers publish. The test loss always has a column, the others only if they are published.
BESIDE = {
    "loss": "test loss",
    "train_loss": "train loss, last epoch",
    "train_accuracy": "train accuracy, last epoch",
    "validation_accuracy": "best validation accuracy",
}

#: The costs of a network and its fit.
COSTS = {"parameters": "parameters", "seconds_per_epoch": "s per epoch", "training_seconds": "s of training"}

#: The columns of a score in ``table.csv``: the suffix of the column's name, and the attribute of a Score.
PARTS = {"" if entry.name == "value" else f"_{entry.name}": entry.name for entry in fields(Score)}


@dataclass(frozen=True)
class Line:
    """A line of the table.

    Attributes:
        name: The name of the row.
        summary: The summary of its finished cells; ``None``: no seed is finished.
        published: The paper's figures.
        differences: The differences from the paper.
        faults: The reasons of failures, by the names of the cells.
    """

    name: str
    summary: Summary | None
    published: Published
    differences: Sequence[str]
    faults: Mapping[str, str]


def write_tables(folder: Path, title: str, paper: str | None, lines: Sequence[Line], command: str) -> None:
    """Writes ``table.md``, ``table.csv`` and ``index.html`` with its pictures."""
    headings, cells = table(lines)
    sweep = sweep_table(_finished(lines))
    texts: dict[str, Any] = {"title": title, "paper": paper, "command": command, "headings": headings}
    texts |= {"cells": cells, "sweep": sweep, "differences": _differences(lines), "notes": _notes(lines)}
    faults = [fault for line in lines for fault in line.faults.items()]
    write_whole(folder / "table.md", render("genre.benchmark", "table.md.j2", **texts, faults=faults))
    write_whole(folder / "table.csv", _csv(lines))
    if sweep:
        write_whole(folder / "sweep.csv", "".join(",".join(row) + "\n" for row in sweep).replace("–", ""))
    rows, pictures = list(zip(lines, cells, strict=True)), _draw(folder, lines)
    page = render("genre.benchmark", "benchmark.html.j2", **texts, rows=rows, pictures=pictures)
    write_whole(folder / "index.html", page)


def print_table(title: str, lines: Sequence[Line]) -> None:
    """Prints accuracies beside the published ones."""
    shown = Table(title=title)
    for heading in ("system", "accuracy (95 % interval)", "published", "protocol"):
        shown.add_column(heading, no_wrap=heading == "system", overflow="fold")
    for line in lines:
        shown.add_row(line.name, _ours(line, "accuracy"), _published(line, "accuracy"), _ours(line, "protocol"))
    console = terminal()
    console.print(shown)
    failed = sum(len(line.faults) for line in lines)
    if failed:
        cells = "cell" if failed == 1 else "cells"
        console.print(f"{failed} {cells} failed, see above; --resume tries again", style="red")


def table(lines: Sequence[Line]) -> tuple[list[str], list[list[str]]]:
    """The headings and the cells of the table as text; the first column is the row's name."""
    compared = {name for name in FIGURES if any(name in line.published.figures for line in lines)}
    beside = [name for name in BESIDE if name in compared or name == "loss"]
    costs = [name for name in COSTS if name in compared or name != "training_seconds"]
    titles = {**HEADINGS, **BESIDE, "protocol": "protocol", **COSTS, "memory": "peak memory"}
    names = [*SCORES, *beside, "protocol", *costs, "memory"]
    headings = [heading for name in names for heading in (titles[name], *(["published"] * (name in compared)))]
    return ["system", *headings], [[line.name, *_cells(line, names, compared)] for line in lines]


def sweep_table(summaries: Mapping[str, Summary]) -> list[list[str]]:
    """The accuracies by the number of epochs as text; empty without a sweep.

    Returns:
        The headings, one row per number of epochs, and the means.
    """
    epochs = sorted({number for summary in summaries.values() for number in summary.sweep})
    if not epochs:
        return []

    def row(heading: str, values: Sequence[float | None]) -> list[str]:
        return [heading, *("–" if value is None else f"{value:.3f}" for value in values)]

    sweeps = [summary.sweep for summary in summaries.values()]
    rows = [row(str(number), [sweep.get(number) for sweep in sweeps]) for number in epochs]
    means = row("mean", [mean(sweep.values()) if sweep else None for sweep in sweeps])
    return [["epochs", *summaries], *rows, means]


def _cells(line: Line, names: Sequence[str], compared: Collection[str]) -> list[str]:
    cells = []
    for name in names:
        cells.append(_ours(line, name))
        cells += [_published(line, name)] if name in compared else []
    return cells


def _ours(line: Line, name: str) -> str:
    """The text of our own figure in a column."""
    summary = line.summary
    if summary is None:
        return "failed" if line.faults and name in SCORES else "–"
    if name in SCORES:
        return _score(summary, name)
    if name == "protocol":
        artists = "by track" if summary.metrics["artists_shared"] else "honest"
        return f"{'leaky' if summary.metrics['leaky'] else artists}, {_counted(summary)}"
    if name == "memory":
        return "–" if summary.memory is None else f"{summary.memory:,} MB"
    return _figure(name, measured(summary, name))


def _counted(summary: Summary) -> str:
    """The number of scored tracks or segments, such as ``70 tracks``."""
    return f"{summary.tracks} {scored_units([summary.metrics])}"


def _score(summary: Summary, name: str) -> str:
    """The value with its interval; accuracy also has its spread over seeds or fits, and over folds."""
    score = summary.scores[name]
    text = f"{score.value:.3f} ({score.low:.3f} – {score.high:.3f})"
    if name == "accuracy" and score.spread is not None:
        text += f"; ± {score.spread:.3f} over {'fits' if summary.sweep else 'seeds'}"
    if name == "accuracy" and score.folds is not None:
        text += f"; folds {score.folds:.3f} ± {score.folds_spread:.3f}"
    return text


def _published(line: Line, name: str) -> str:
    """A published figure, with its source if the paper does not state it."""
    source = line.published.sources.get(name)
    text = _figure(name, line.published.figures.get(name))
    return text if source is None or text == "–" else f"{text} ({source})"


def _figure(name: str, value: float | None) -> str:
    if value is None:
        return "–"
    if name in ("parameters", "training_seconds"):
        return f"{value:,.0f}"
    if name == "seconds_per_epoch":
        return f"{value:.2g}" if value < 1 else f"{value:.1f}"
    return f"{value:.4f}" if name.endswith("loss") else f"{value:.4g}"


def _finished(lines: Sequence[Line]) -> dict[str, Summary]:
    return {line.name: line.summary for line in lines if line.summary}


def _notes(lines: Sequence[Line]) -> list[str]:
    """Notes below the table, one sentence each."""
    summaries = _finished(lines)
    notes = []
    epochs = sorted({number for summary in summaries.values() for number in summary.sweep})
    if epochs:
        fits = {name: len(summary.sweep) for name, summary in summaries.items()}
        fewer = [f"{name} ({count})" for name, count in fits.items() if count < len(epochs)]
        missing = f"; fewer fits are finished of {', '.join(fewer)}" if fewer else ""
        notes.append(f"A score is the mean over the fits of {count_of(epochs)} epochs{missing}.")
    if any(summary.folds for summary in summaries.values()):
        notes.append(
            "With folds, AUC-ROC is the mean over folds: the probabilities of different networks are not comparable."
        )
    few = [f"{name} ({_counted(summary)})" for name, summary in summaries.items() if summary.tracks < FEW]
    if few:
        notes.append(
            f"Fewer than {FEW} are too few to tell much, and their intervals are too narrow: {', '.join(few)}."
        )
    return notes


def _differences(lines: Sequence[Line]) -> list[tuple[str, list[str]]]:
    """The differences from the paper: those that all rows share, then those of each row."""
    finished = [line for line in lines if line.summary]
    common: list[str] = []
    if len(finished) > 1:
        common = [phrase for phrase in finished[0].differences if all(phrase in line.differences for line in finished)]
    own = [(line.name, [phrase for phrase in line.differences if phrase not in common]) for line in finished]
    return [entry for entry in [("all rows", common), *own] if entry[1]]


def _csv(lines: Sequence[Line]) -> str:
    rows = [_csv_row(line) for line in lines]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _csv_row(line: Line) -> dict[str, object]:
    """A line of ``table.csv``, by column; the cell of ``None`` is empty."""
    summary, theirs = line.summary, line.published
    ours = vars(summary) if summary else {}
    metrics = ours.get("metrics", {})
    row: dict[str, object] = {"row": line.name, "seeds": ours.get("seeds", 0)}
    row |= {"tracks": ours.get("tracks"), "leaky": metrics.get("leaky")}
    for name in SCORES:
        score = vars(summary.scores[name]) if summary else {}
        row |= {name + part: _digits(score.get(attribute), ".6f") for part, attribute in PARTS.items()}
        row[f"{name}_published"] = theirs.figures.get(name)
    row |= {name: metrics.get(name) for name in ("parameters", "trainable")}
    row |= {"seconds_per_epoch": ours.get("seconds"), "peak_memory_mb": ours.get("memory")}
    row |= {"differences": "; ".join(line.differences), "failed": "; ".join(line.faults)}
    for name in (*BESIDE, "training_seconds"):
        row[name] = _digits(measured(summary, name) if summary else None, ".6g")
    row |= {f"{name}_published": theirs.figures.get(name) for name in (*BESIDE, *COSTS)}
    return row | {"sources": "; ".join(f"{name}: {source}" for name, source in theirs.sources.items())}


def _digits(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _draw(folder: Path, lines: Sequence[Line]) -> dict[str, str]:
    """Draws the first seed of each finished row; returns the captions by file name."""
    finished = {
        f"{line.name}, LEAKY" if line.summary.metrics["leaky"] else line.name: line for line in lines if line.summary
    }
    if not finished:
        return {}
    summaries = {name: line.summary for name, line in finished.items() if line.summary}
    histories = {name: summary.histories[0] for name, summary in summaries.items()}
    results = {name: summary.folds or summary.results for name, summary in summaries.items()}
    areas = {name: first_area(summary) for name, summary in summaries.items()}
    unit = scored_units(summary.metrics for summary in summaries.values())
    save(plot_runs_roc(results, areas, unit), folder / "roc.png")
    save(plot_runs_accuracy(histories, unit), folder / "accuracy.png")
    save(plot_runs_learning_curves(histories, unit), folder / "learning_curves.png")
    sweeps = {name: summary.sweep for name, summary in summaries.items() if summary.sweep}
    pictures = {}
    if sweeps:
        theirs = {name: line.published.figures.get("accuracy") for name, line in finished.items()}
        save(plot_sweep(sweeps, theirs), folder / "sweep.png")
        pictures["sweep.png"] = "Accuracy by the number of epochs"
    return pictures | {
        "roc.png": "ROC curves of the first seed" + (", of the longest fit" if sweeps else ""),
        "accuracy.png": "Accuracy against epochs",
        "learning_curves.png": "Learning curves",
    }
