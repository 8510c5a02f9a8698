"""The table of a benchmark, as Markdown, as CSV, and as a page."""

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import jinja2
from rich.table import Table

from genre.benchmark.published import FIGURES, Published
from genre.benchmark.summary import Summary, first_area, measured
from genre.benchmark.sweep import plot_sweep, sweep_note, sweep_table
from genre.metrics import SCORES
from genre.plots.runs import plot_runs_accuracy, plot_runs_learning_curves, plot_runs_roc
from genre.plots.style import save
from genre.report.conditions import FEW, scored_units
from genre.report.folder import write_whole
from genre.terminal import terminal

HEADINGS = {"accuracy": "accuracy", "precision": "precision", "recall": "recall", "f1": "F1", "auroc": "AUC-ROC"}

#: What some papers print beside the scores; the test loss always has a column, the others where one is published.
BESIDE = {
    "loss": "test loss",
    "train_loss": "train loss, last epoch",
    "train_accuracy": "train accuracy, last epoch",
    "validation_accuracy": "best validation accuracy",
}

#: What a network and its fit take; a published one has a column beside ours.
COSTS = {"parameters": "parameters", "seconds_per_epoch": "s an epoch", "training_seconds": "s of training"}


@dataclass(frozen=True)
class Line:
    """A line of the table.

    Attributes:
        name: Of the row.
        summary: What its finished cells come to; ``None``: no seed is finished.
        published: What the paper says.
        differences: What is not as in the paper.
        faults: Why cells failed, by their names.
    """

    name: str
    summary: Summary | None
    published: Published
    differences: Sequence[str]
    faults: Mapping[str, str]


def write_tables(folder: Path, title: str, paper: str | None, lines: Sequence[Line], command: str) -> None:
    """Writes ``table.md``, ``table.csv`` and ``index.html`` with its pictures.

    Args:
        folder: Where to.
        title: The heading.
        paper: Whose figures stand beside ours, if any.
        lines: The lines.
        command: What was typed.
    """
    headings, cells = table(lines)
    write_whole(folder / "table.md", _markdown(title, paper, headings, cells, lines, command))
    write_whole(folder / "table.csv", _csv(lines))
    pictures = _draw(folder, lines)
    sweep = sweep_table(_finished(lines))
    if sweep:
        write_whole(folder / "sweep.csv", "".join(",".join(row) + "\n" for row in sweep).replace("–", ""))
    template = (files("genre.benchmark") / "benchmark.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    page = environment.from_string(template).render(
        title=title, paper=paper, headings=headings, rows=list(zip(lines, cells, strict=True)), pictures=pictures,
        differences=_differences(lines), notes=_notes(lines), command=command, sweep=sweep,
    )  # fmt: skip
    write_whole(folder / "index.html", page)


def print_table(title: str, lines: Sequence[Line]) -> None:
    """Prints accuracies beside the published ones."""
    shown = Table(title=title)
    for heading in ("system", "accuracy (95 % interval)", "published", "protocol"):
        shown.add_column(heading, no_wrap=heading == "system", overflow="fold")
    headings, rows = table(lines)
    for line, cells in zip(lines, rows, strict=True):
        published = _published(line, "accuracy")
        shown.add_row(line.name, cells[1], published, cells[headings.index("protocol")])
    console = terminal()
    console.print(shown)
    failed = sum(len(line.faults) for line in lines)
    if failed:
        console.print(f"{failed} cell(s) failed, as said above; --resume tries them again", style="red")


def table(lines: Sequence[Line]) -> tuple[list[str], list[list[str]]]:
    """The headings and the cells of the table for readers, beginning with the row's name."""
    compared = {name for name in FIGURES if any(name in line.published.figures for line in lines)}
    beside = [name for name in BESIDE if name in compared or name == "loss"]
    costs = [name for name in COSTS if name in compared or name != "training_seconds"]
    titles = {**HEADINGS, **BESIDE, "protocol": "protocol", **COSTS, "memory": "peak memory"}
    names = [*SCORES, *beside, "protocol", *costs, "memory"]
    headings = [heading for name in names for heading in (titles[name], *(["published"] * (name in compared)))]
    return ["system", *headings], [[line.name, *_cells(line, names, compared)] for line in lines]


def _cells(line: Line, names: Sequence[str], compared: Collection[str]) -> list[str]:
    cells = []
    for name in names:
        cells.append(_ours(line, name))
        cells += [_published(line, name)] if name in compared else []
    return cells


def _ours(line: Line, name: str) -> str:
    """What stands in a column of ours."""
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
    """What was scored, such as ``70 tracks``."""
    metrics = summary.metrics
    return f"{summary.tracks} {metrics.get('unit', 'segments' if metrics['leaky'] else 'tracks')}"


def _score(summary: Summary, name: str) -> str:
    """The value with its interval and, of the accuracy, its spread over seeds or fits, and over folds."""
    found = summary.scores[name]
    text = f"{found.value:.3f} ({found.low:.3f} – {found.high:.3f})"
    if name == "accuracy" and found.spread is not None:
        text += f"; ± {found.spread:.3f} over {'fits' if summary.sweep else 'seeds'}"
    if name == "accuracy" and found.folds is not None:
        text += f"; folds {found.folds:.3f} ± {found.folds_spread:.3f}"
    return text


def _published(line: Line, name: str) -> str:
    """A published figure and, where the paper does not state it, its source."""
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


def _markdown(
    title: str, paper: str | None, headings: Sequence[str], cells: Sequence[Sequence[str]], lines: Sequence[Line],
    command: str,
) -> str:  # fmt: skip
    rows = [headings, ["---"] * len(headings), *cells]
    text = [f"# {title}", "", f"`{command}`", ""]
    text += [f"Published: {paper}.", ""] if paper else []
    text += ["| " + " | ".join(row) + " |" for row in rows]
    explained = (
        "Ours: test tracks, segments where a row is leaky; the 95 % interval is over them (percentile bootstrap)."
    )
    text += ["", " ".join([explained, *_notes(lines)])]
    different = [f"- {name}: {'; '.join(phrases)}" for name, phrases in _differences(lines)]
    text += ["", "Not as in the paper:", "", *different] if different else []
    text += _sweep(_finished(lines))
    faults = [f"- {cell}: {reason}" for line in lines for cell, reason in line.faults.items()]
    text += ["", "Failed:", "", *faults] if faults else []
    return "\n".join(text) + "\n"


def _sweep(summaries: Mapping[str, Summary]) -> list[str]:
    """The accuracies by the number of epochs as lines of Markdown; none without a sweep."""
    rows = sweep_table(summaries)
    if not rows:
        return []
    ruled = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return ["", "Accuracy by the number of epochs:", "", *("| " + " | ".join(row) + " |" for row in ruled)]


def _finished(lines: Sequence[Line]) -> dict[str, Summary]:
    return {line.name: line.summary for line in lines if line.summary}


def _notes(lines: Sequence[Line]) -> list[str]:
    """What a reader of these rows has to know, a sentence each."""
    summaries = _finished(lines)
    found = [note] if (note := sweep_note(summaries)) else []
    if any(summary.folds for summary in summaries.values()):
        found.append(
            "With folds, AUC-ROC is the mean over folds: the probabilities of different networks are not comparable."
        )
    few = [f"{name} ({_counted(summary)})" for name, summary in summaries.items() if summary.tracks < FEW]
    if few:
        found.append(
            f"Fewer than {FEW} are too few to tell much, and for the intervals to be wide enough: {', '.join(few)}."
        )
    return found


def _differences(lines: Sequence[Line]) -> list[tuple[str, list[str]]]:
    """What is not as in the paper: first of all rows, then of single ones."""
    finished = [line for line in lines if line.summary]
    common = (
        [phrase for phrase in finished[0].differences if all(phrase in line.differences for line in finished)]
        if len(finished) > 1
        else []
    )
    own = [(line.name, [phrase for phrase in line.differences if phrase not in common]) for line in finished]
    return [entry for entry in [("all rows", common), *own] if entry[1]]


def _csv(lines: Sequence[Line]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    parts = ("", "_low", "_high", "_spread", "_folds", "_folds_spread", "_published")
    columns = ["parameters", "trainable", "seconds_per_epoch", "peak_memory_mb", "differences", "failed"]
    others = [name for name in (*BESIDE, *COSTS) if name not in columns]
    columns += [*others, *(f"{name}_published" for name in (*BESIDE, *COSTS)), "sources"]
    writer.writerow(["row", "seeds", "tracks", "leaky", *(name + part for name in SCORES for part in parts), *columns])
    for line in lines:
        summary = line.summary
        row: list[object] = [line.name]
        row += [summary.seeds, summary.tracks, summary.metrics["leaky"]] if summary else [0, "", ""]
        for name in SCORES:
            score = summary.scores[name] if summary else None
            values = [
                getattr(score, field, None) for field in ("value", "low", "high", "spread", "folds", "folds_spread")
            ]
            row += ["" if value is None else f"{value:.6f}" for value in values]
            row += [line.published.figures.get(name, "")]
        row += [summary.metrics["parameters"], summary.metrics["trainable"]] if summary else ["", ""]
        row += [summary.seconds, summary.memory] if summary else ["", ""]
        row += ["; ".join(line.differences), "; ".join(line.faults)]
        ours = [measured(summary, name) if summary else None for name in others]
        row += ["" if value is None else f"{value:.6g}" for value in ours]
        row += [line.published.figures.get(name, "") for name in (*BESIDE, *COSTS)]
        writer.writerow([*row, "; ".join(f"{name}: {source}" for name, source in line.published.sources.items())])
    return text.getvalue()


def _marked(name: str, summary: Summary) -> str:
    return f"{name}, LEAKY" if summary.metrics["leaky"] else name


def _draw(folder: Path, lines: Sequence[Line]) -> dict[str, str]:
    """Draws the finished rows, of each its first seed or fold; returns the captions by file name."""
    finished = {_marked(line.name, line.summary): line.summary for line in lines if line.summary}
    if not finished:
        return {}
    histories = {name: summary.histories[0] for name, summary in finished.items()}
    results = {name: summary.folds or summary.results for name, summary in finished.items()}
    areas = {name: first_area(summary) for name, summary in finished.items()}
    unit = scored_units(summary.metrics for summary in finished.values())
    save(plot_runs_roc(results, areas, unit), folder / "roc.png")
    save(plot_runs_accuracy(histories, unit), folder / "accuracy.png")
    save(plot_runs_learning_curves(histories, unit), folder / "learning_curves.png")
    swept = {name: summary for name, summary in finished.items() if summary.sweep}
    pictures = {}
    if swept:
        theirs = dict(
            zip(finished, (line.published.figures.get("accuracy") for line in lines if line.summary), strict=True)
        )
        save(plot_sweep(swept, theirs), folder / "sweep.png")
        pictures["sweep.png"] = "Accuracy by the number of epochs"
    return pictures | {
        "roc.png": "ROC curves of the first seed" + (", of the longest fit" if swept else ""),
        "accuracy.png": "Accuracy against epochs",
        "learning_curves.png": "Learning curves",
    }
