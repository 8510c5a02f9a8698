"""A picture of a benchmark's accuracies by the number of epochs."""

from collections.abc import Mapping
from statistics import mean

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from genre.plots.runs import wrapped
from genre.plots.style import COLORS, LINES, WIDTH


def plot_sweep(accuracies: Mapping[str, Mapping[int, float]], published: Mapping[str, float | None]) -> Figure:
    """Draws the test accuracy by the number of epochs, with one line per row; published means are dashed.

    Args:
        accuracies: The accuracy by the number of epochs, by the name of the row.
        published: The published accuracy, by the name of the row.
    """
    figure = Figure(figsize=(WIDTH, 5.5), layout="constrained")
    axes = figure.add_subplot()
    for index, (name, values) in enumerate(accuracies.items()):
        color, line = COLORS[index % 10], LINES[index // 10 % 4]
        label = wrapped(f"{name} (mean {mean(values.values()):.3f})")
        axes.plot(
            list(values), list(values.values()), color=color, linestyle=line, marker="o", markersize=4, label=label
        )
        theirs = published.get(name)
        if theirs is not None:
            axes.axhline(theirs, color=color, linestyle="--", linewidth=1, label=f"published mean {theirs:.4g}")
    axes.set(xlabel="epochs trained", ylabel="test accuracy", title="Accuracy by the number of epochs", ylim=(0, 1.02))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(alpha=0.3)
    axes.legend(title="row", loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return figure
