"""The progress bar of a plan: the cell, its epoch, and an estimate of the time left."""

from collections.abc import Mapping
from statistics import mean
from time import monotonic

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from genre.benchmark.plan import Cell
from genre.terminal import terminal


class PlanProgress:
    """A bar over the epochs of all cells, with an estimate of the time left.

    The estimate uses the mean time per epoch of each recipe so far. For a recipe that has not run yet, it uses the mean
    over the other recipes.
    """

    def __init__(self, epochs: Mapping[Cell, int]) -> None:
        self.epochs = dict(epochs)
        self.left = dict(epochs)
        self.seconds: dict[str, list[float]] = {}
        self._cell: Cell | None = None
        self._begun, self._first = 0.0, 0
        self.bar = Progress(
            SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(),
            TextColumn("epochs"), TextColumn("{task.fields[left]}"), console=terminal(),
        )  # fmt: skip
        self._task = self.bar.add_task("", total=sum(epochs.values()), left="")

    def begin(self, cell: Cell, done: int = 0) -> None:
        """Begins a cell, or continues it after ``done`` epochs."""
        self._cell, self._begun, self._first = cell, monotonic(), done
        self.update(done)

    def update(self, done: int) -> None:
        """Shows the number of finished epochs of the cell."""
        cell = self._cell
        assert cell is not None
        self.left[cell] = max(0, self.epochs[cell] - done)
        position = list(self.epochs).index(cell) + 1
        self.bar.update(
            self._task,
            description=f"cell {position} of {len(self.epochs)}: {cell.name}",
            completed=sum(self.epochs.values()) - sum(self.left.values()),
            left=describe_seconds(self.remaining(done)),
        )

    def end(self, failed: bool) -> None:
        """Ends the cell; the time of a failed cell does not enter the estimate."""
        cell = self._cell
        assert cell is not None
        if not failed:
            done = max(1, self.epochs[cell] - self._first)
            self.seconds.setdefault(cell.row.system, []).append((monotonic() - self._begun) / done)
        self.skip(cell)

    def skip(self, cell: Cell) -> None:
        """Marks all epochs of a cell as done."""
        self.left[cell] = 0
        self.bar.update(self._task, completed=sum(self.epochs.values()) - sum(self.left.values()))

    def say(self, line: str) -> None:
        """Prints a line above the bar."""
        self.bar.console.print(line, highlight=False, soft_wrap=True)

    def remaining(self, done: int) -> float | None:
        """Estimates the seconds left; ``None`` before the end of the first epoch."""
        known = {recipe: mean(seconds) for recipe, seconds in self.seconds.items()}
        cell, ran = self._cell, done - self._first
        if cell is not None and ran > 0:
            known.setdefault(cell.row.system, (monotonic() - self._begun) / ran)
        if not known:
            return None
        usual = mean(known.values())
        return sum(epochs * known.get(cell.row.system, usual) for cell, epochs in self.left.items())


def describe_seconds(seconds: float | None) -> str:
    """Describes the time left, such as ``about 12 min left``."""
    if seconds is None:
        return ""
    if seconds < 90:
        return f"about {seconds:.0f} s left"
    return f"about {seconds / 60:.0f} min left" if seconds < 5400 else f"about {seconds / 3600:.1f} h left"
