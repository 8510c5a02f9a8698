"""``genre benchmark``: runs all cells of a plan in order, and writes the table after each cell."""

import errno
import inspect
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

import timm

from genre.benchmark.plan import Cell, Plan, Recipe, Row, merge_options, read_plan
from genre.benchmark.progress import PlanProgress
from genre.benchmark.published import augmentation, differences, find_published
from genre.benchmark.summary import Summary, pooled_metrics, summarize_row
from genre.benchmark.table import Line, print_table, write_tables
from genre.benchmark.worker import CellFolder, start_server
from genre.errors import GenreError
from genre.report.folder import short, write_report
from genre.terminal import say

#: The free disk space in bytes that a cell needs to begin.
NEEDED = 64 << 20

#: The folder of the decoded tracks in that of the benchmark; it is removed when all cells are finished.
DECODED = "decoded"

#: The names of a network's weights in ``published.yaml``, by its argument ``pretrained``.
WEIGHTS = {True: "ImageNet", False: "no"}


@dataclass(frozen=True)
class CommandLine:
    """The parts of the command line that a benchmark needs.

    Attributes:
        command: The user's command, without ``--resume``.
        read_recipe: Reads and checks options of ``genre fit``.
        fit: Runs ``genre fit`` with such options; it is called in the process of a cell.
        modules: The modules that ``fit`` imports, see :func:`~genre.benchmark.worker.start_server`.
    """

    command: str
    read_recipe: Callable[[Sequence[str]], Recipe]
    fit: Callable[[Sequence[str]], None]
    modules: Sequence[str]


def run_plan(
    path: Path,
    folder: Path,
    command_line: CommandLine,
    *,
    epochs: Sequence[int],
    seeds: Sequence[int],
    splits: Sequence[Path],
    pretrained: str | None,
    fit_options: Sequence[str],
) -> int:
    """Runs the unfinished cells of a plan, and writes its table after every cell.

    Returns:
        The exit status: 1 if a cell failed, 130 after Ctrl-C.
    """
    # A single number of epochs is an ordinary option of every cell.
    sweep = None if not epochs else list(epochs) if len(epochs) > 1 else []
    plan = read_plan(path, list(splits), list(seeds), sweep)
    names = {option.partition("=")[0] for option in fit_options}
    _check_options(names, plan)
    common = [*([f"--trainer.max_epochs={epochs[0]}"] if len(epochs) == 1 else []), *fit_options]
    options = dict.fromkeys(plan.rows, common)
    setups = {row: _read_row(row, common, command_line) for row in plan.rows}
    takers = [row for row, setup in setups.items() if setup.weights is not None]
    if pretrained is not None and not takers:
        print("genre: --pretrained does nothing here: no network of the plan takes weights", file=sys.stderr)
    elif pretrained is not None:
        _check_weights(pretrained)
        for row in takers:
            options[row] = [*common, f"--model.network.init_args.pretrained={pretrained}"]
            setups[row] = _read_row(row, options[row], command_line)
    chosen = bool(names & {"--data.cache", "--data.init_args.cache"})
    shared = {row: None if chosen else _shared_cache(folder, setups[row], len(plan.cells)) for row in plan.rows}
    cells = {
        cell: CellFolder(folder / "cells", cell, merge_options(cell.options, options[cell.row]), shared[cell.row])
        for cell in plan.cells
    }
    try:
        return Benchmark(folder, plan, setups, cells, command_line).run()
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise GenreError(
            f"{folder}: the disk is full; what is finished is kept: free some space and go on with: "
            f"{command_line.command} --resume"
        ) from None
    except KeyboardInterrupt:
        print(f"genre: interrupted; go on with: {command_line.command} --resume", file=sys.stderr)
        return 130


@dataclass
class Benchmark:
    """A running plan."""

    folder: Path
    plan: Plan
    setups: Mapping[Row, Recipe]
    cells: Mapping[Cell, CellFolder]
    command_line: CommandLine
    faults: dict[Cell, str] = field(default_factory=dict, init=False)
    _summaries: dict[Row, tuple[set[Cell], Summary | None]] = field(default_factory=dict, init=False)

    def run(self) -> int:
        """Runs the unfinished cells; returns the exit status."""
        for place in self.cells.values():
            place.claim()
        if not all(place.finished for place in self.cells.values()):
            start_server(self.command_line.modules)
        progress = PlanProgress({cell: cell.epochs or self.setups[cell.row].epochs for cell in self.cells})
        with progress.bar:
            for cell, place in self.cells.items():
                if place.finished:
                    progress.skip(cell)
                else:
                    self._run_cell(cell, place, progress)
        if not self.faults:
            shutil.rmtree(self.folder / DECODED, ignore_errors=True)
        self.write()
        print_table(self.plan.title, self.lines)
        say(f"page: {short(self.folder / 'index.html')}")
        return 1 if self.faults else 0

    def _run_cell(self, cell: Cell, place: CellFolder, progress: PlanProgress) -> None:
        self._check_space()
        progress.begin(cell, place.epochs)
        reason = place.fit(self.command_line.fit, lambda: progress.update(place.epochs))
        if reason is not None:
            self._check_space()
            self.faults[cell] = reason
        progress.end(failed=reason is not None)
        progress.say(f"{cell.name}: {place.accuracy}" if reason is None else f"{cell.name} failed: {reason}")
        self.write()

    def _check_space(self) -> None:
        if shutil.disk_usage(self.folder).free < NEEDED:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    @property
    def lines(self) -> list[Line]:
        """The lines of the table, from the cells that are finished."""
        return [self._line(row) for row in self.plan.rows]

    def write(self) -> None:
        """Writes the tables and, for every row with folds, one report on all folds."""
        lines = self.lines
        write_tables(self.folder, self.plan.title, self.plan.published.get("paper"), lines, self.command_line.command)
        for line in lines:
            if line.summary and line.summary.row.folds:
                metrics = pooled_metrics(line.summary)
                write_report(self.folder / "folds" / line.name, line.summary.results, metrics)

    def _line(self, row: Row) -> Line:
        summary = self._summary(row)
        theirs = find_published(row, self.plan.published)
        phrases: list[str] = []
        if summary is not None:
            setup, metrics = self.setups[row], summary.metrics
            ours = {
                "data_set": metrics["data_set"],
                "tracks": metrics["tracks_by_subset"],
                "split": metrics["split"]["class"],
                "epochs": list(self.plan.epochs) or setup.epochs,
                "trainable": metrics["trainable"],
                "weights": WEIGHTS[setup.weights] if isinstance(setup.weights, bool) else setup.weights,
                "segment_seconds": setup.data.segment_seconds,
                "augmentation": augmentation(setup.data),
            }
            phrases = differences(ours, theirs.conditions, theirs.sources, row.epochs)
        faults = {cell.name: reason for cell, reason in self.faults.items() if cell.row == row}
        return Line(row.name, summary, theirs, phrases, faults)

    def _summary(self, row: Row) -> Summary | None:
        """The summary of a row; computed again only after another of its cells has finished."""
        finished = {cell: place.run for cell, place in self.cells.items() if cell.row == row and place.finished}
        known = self._summaries.get(row)
        if known is None or known[0] != set(finished):
            known = self._summaries[row] = set(finished), summarize_row(row, finished)
        return known[1]


def _read_row(row: Row, options: Sequence[str], command_line: CommandLine) -> Recipe:
    """Reads the recipe of a row and lists its tracks, so that an error is found before the first cell runs."""
    first = Cell(row, 0, 0 if row.folds else None)
    try:
        setup = command_line.read_recipe(merge_options(first.options, options))
        setup.data.corpus  # noqa: B018  # a cached property
    except GenreError as error:
        raise GenreError(f"{row.name}: {error}") from None
    except SystemExit:  # the parser has printed the error, but does not know the row
        files = ", ".join(map(str, row.recipe))
        print(f"genre: the mistake is in the row {row.name} ({files}); no cell was run", file=sys.stderr)
        raise
    return setup


def _check_options(names: Set[str], plan: Plan) -> None:
    """Refuses options of a fit that options of the benchmark replace."""
    if "--seed_everything" in names:
        raise GenreError("a benchmark has a seed for every cell: give --seeds in place of --seed_everything")
    if plan.epochs and "--trainer.max_epochs" in names:
        raise GenreError(
            "this benchmark runs several numbers of epochs: give --epochs in place of --trainer.max_epochs"
        )


def _shared_cache(folder: Path, setup: Recipe, cells: int) -> Path | None:
    """The folder of decoded tracks that cells share; ``None`` if they have a cache or their data takes none."""
    takes_cache = "cache" in inspect.signature(type(setup.data)).parameters
    return folder / DECODED if cells > 1 and takes_cache and setup.data.cache is None else None


def _check_weights(weights: str) -> None:
    is_switch = weights.lower() in ("true", "false")
    if not (is_switch or Path(weights).expanduser().is_file() or timm.is_model(weights)):
        raise GenreError(
            f"--pretrained: found {weights}; expected true, false, a weights file, or timm's name of weights"
        )
