"""A sweep: the accuracy of every row by the number of epochs that it was trained for."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from genre.benchmark.published import count_of
from genre.benchmark.summary import Summary
from genre.plots.runs import wrapped
from genre.plots.style import COLORS, LINES, WIDTH


def sweep_table(summaries: Mapping[str, Summary]) -> list[list[str]]:
    """The accuracies as text: a row of headings, then one per number of epochs; empty without a sweep."""
    epochs = sorted({number for summary in summaries.values() for number in summary.sweep})
    if not epochs:
        return []
    rows = [
        [str(number), *(_accuracy(summary.sweep.get(number)) for summary in summaries.values())] for number in epochs
    ]
    return [["epochs", *summaries], *rows, ["mean", *(_accuracy(_mean(summary)) for summary in summaries.values())]]


def sweep_note(summaries: Mapping[str, Summary]) -> str:
    """Over which fits the scores are means; empty without a sweep."""
    epochs = sorted({number for summary in summaries.values() for number in summary.sweep})
    if not epochs:
        return ""
    short = [
        f"{name} ({len(summary.sweep)})" for name, summary in summaries.items() if len(summary.sweep) < len(epochs)
    ]
    missing = f"; fewer fits are finished of {', '.join(short)}" if short else ""
    return f"A score is the mean over the fits of {count_of(epochs)} epochs{missing}."


def plot_sweep(summaries: Mapping[str, Summary], published: Mapping[str, float | None]) -> Figure:
    """Test accuracy by the number of epochs, a line per row; dashed, the published mean.

    Args:
        summaries: By the names of the rows.
        published: The published accuracies, by the same names.
    """
    figure = Figure(figsize=(WIDTH, 5.5), layout="constrained")
    axes = figure.add_subplot()
    for index, (name, summary) in enumerate(summaries.items()):
        color, line = COLORS[index % 10], LINES[index // 10 % 4]
        axes.plot(list(summary.sweep), list(summary.sweep.values()), color=color, linestyle=line, marker="o",
                  markersize=4, label=wrapped(f"{name} (mean {_accuracy(_mean(summary))})"))  # fmt: skip
        mean = published.get(name)
        if mean is not None:
            axes.axhline(mean, color=color, linestyle="--", linewidth=1, label=f"published mean {mean:.4g}")
    axes.set(xlabel="epochs trained", ylabel="test accuracy", title="Accuracy by the number of epochs", ylim=(0, 1.02))
    axes.grid(alpha=0.3)
    axes.legend(title="row", loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return figure


def _mean(summary: Summary) -> float | None:
    values: Sequence[float] = list(summary.sweep.values())
    return sum(values) / len(values) if values else None


def _accuracy(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
