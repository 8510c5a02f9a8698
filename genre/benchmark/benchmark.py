"""``genre benchmark``: every cell of a plan, one after another, each once; then the table."""

import errno
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import timm

from genre.benchmark.plan import Cell, Plan, Row, read_plan
from genre.benchmark.progress import PlanProgress
from genre.benchmark.published import Conditions, augmentation, differences, published
from genre.benchmark.run import CellFolder
from genre.benchmark.summary import Summary, pooled_metrics, summarize
from genre.benchmark.table import Line, print_table, write_tables
from genre.cli.recipe import Recipe, read_recipe
from genre.cli.run_folder import last_version, next_version
from genre.errors import GenreError
from genre.report.folder import short, write_report
from genre.terminal import terminal

#: With less than this many bytes free, no cell is begun.
NEEDED = 64 << 20


@dataclass(frozen=True)
class Options:
    """What may be given beside the plan.

    Attributes:
        epochs: In place of the recipes' own number of epochs, or of the plan's; several: every row is run with each.
        seeds: In place of the plan's.
        splits: Files with splits, in place of the plan's.
        pretrained: ``true``, ``false`` or a weights file, for every network that takes weights.
        resume: Go on with the last benchmark of this plan.
        name: Of the benchmark; ``None``: the plan's folder and file.
        runs_dir: Where benchmarks are kept, beside runs.
        fit: Options of ``genre fit`` for every cell, such as ``--data.root=ROOT``.
    """

    epochs: Sequence[int] = ()
    seeds: Sequence[int] = ()
    splits: Sequence[Path] = ()
    pretrained: str | None = None
    resume: bool = False
    name: str | None = None
    runs_dir: Path = Path("runs")
    fit: Sequence[str] = ()


def benchmark(path: Path, options: Options) -> int:
    """Runs what is not finished of a plan, and writes its table after every cell.

    Args:
        path: The plan.
        options: What was given beside it.

    Returns:
        The exit status: 1 if a cell failed, 130 after Ctrl-C.

    Raises:
        GenreError: The plan cannot be run as it is; nothing that is finished is lost.
    """
    # A single number is an option of every cell, as any other.
    sweep = None if not options.epochs else list(options.epochs) if len(options.epochs) > 1 else []
    plan = read_plan(path, list(options.splits), list(options.seeds), sweep)
    if any(option.partition("=")[0] == "--seed_everything" for option in options.fit):
        raise GenreError("a benchmark has a seed for every cell: give --seeds in place of --seed_everything")
    if plan.epochs and any(option.partition("=")[0] == "--trainer.max_epochs" for option in options.fit):
        raise GenreError(
            "this benchmark runs several numbers of epochs: give --epochs in place of --trainer.max_epochs"
        )
    fit = {row: _fit_options(row, plan, options) for row in plan.rows}
    recipes = {row: _recipe(row, [*Cell(row, 0, 0 if row.folds else None).options, *fit[row]]) for row in plan.rows}
    if options.pretrained is not None and all(recipe.weights is None for recipe in recipes.values()):
        print("genre: --pretrained does nothing here: no network of the plan takes weights", file=sys.stderr)
    folder = _folder(options.name or f"{path.resolve().parent.name}-{path.stem}", options)
    cells = {cell: CellFolder(folder / "cells", cell, [*cell.options, *fit[cell.row]]) for cell in plan.cells}
    try:
        return Benchmark(folder, plan, recipes, cells).run()
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise _full(folder) from None
    except KeyboardInterrupt:
        print(f"genre: interrupted; go on with: {_command(resume=True)}", file=sys.stderr)
        return 130


class Benchmark:
    """A plan that is being run.

    Args:
        folder: Where cells and tables go.
        plan: The plan.
        recipes: What each row trains on.
        cells: Where each cell is kept.
    """

    def __init__(
        self, folder: Path, plan: Plan, recipes: Mapping[Row, Recipe], cells: Mapping[Cell, CellFolder]
    ) -> None:
        self.folder, self.plan, self.recipes, self.cells = folder, plan, recipes, cells
        self.faults: dict[Cell, str] = {}
        self._summaries: dict[Row, tuple[set[Cell], Summary | None]] = {}

    def run(self) -> int:
        """Runs the cells that are not finished; returns the exit status."""
        for place in self.cells.values():
            place.claim()
        with PlanProgress({cell: cell.epochs or self.recipes[cell.row].epochs for cell in self.cells}) as progress:
            for cell, place in self.cells.items():
                if not place.finished:
                    self._run_cell(cell, place, progress)
                else:
                    progress.skip(cell)
        self.write()
        print_table(self.plan.title, self.lines)
        terminal().print(f"page: {short(self.folder / 'index.html')}", soft_wrap=True, highlight=False)
        return 1 if self.faults else 0

    def _run_cell(self, cell: Cell, place: CellFolder, progress: PlanProgress) -> None:
        self._need_space()
        progress.begin(cell, place.epochs)
        reason = place.fit(lambda: progress.update(place.epochs))
        if reason is not None:
            self._need_space()
        progress.end(failed=reason is not None)
        if reason is None:
            progress.say(f"{cell.name}: {place.accuracy}")
        else:
            self.faults[cell] = reason
            progress.say(f"{cell.name} failed: {reason}")
        self.write()

    def _need_space(self) -> None:
        if shutil.disk_usage(self.folder).free < NEEDED:
            raise _full(self.folder)

    @property
    def lines(self) -> list[Line]:
        """The lines of the table, as far as cells are finished."""
        return [self._line(row) for row in self.plan.rows]

    def write(self) -> None:
        """Writes the tables and, of every row with folds, the report of all folds together."""
        lines = self.lines
        write_tables(self.folder, self.plan.title, self.plan.published.get("paper"), lines, _command())
        for line in lines:
            if line.summary and line.summary.row.folds:
                metrics = pooled_metrics(line.summary)
                write_report(self.folder / "folds" / line.name, line.summary.results, metrics)

    def _line(self, row: Row) -> Line:
        summary = self._summary(row)
        theirs = published(row, self.plan.published)
        found: list[str] = []
        if summary is not None:
            recipe = self.recipes[row]
            ours = Conditions(
                summary.metrics["data_set"], summary.metrics["tracks_by_subset"], summary.metrics["split"]["class"],
                list(self.plan.epochs) or recipe.epochs, summary.metrics["trainable"], recipe.weights, row.epochs,
                recipe.data.segment_seconds, augmentation(recipe.data),
            )  # fmt: skip
            found = differences(ours, theirs.conditions, theirs.sources)
        faults = {cell.name: reason for cell, reason in self.faults.items() if cell.row == row}
        return Line(row.name, summary, theirs, found, faults)

    def _summary(self, row: Row) -> Summary | None:
        finished = {cell: place.run for cell, place in self.cells.items() if cell.row == row and place.finished}
        known = self._summaries.get(row)
        if known is None or known[0] != set(finished):
            known = self._summaries[row] = set(finished), summarize(row, finished)
        return known[1]


def _fit_options(row: Row, plan: Plan, options: Options) -> list[str]:
    """The options of every cell of a row, beside its files, seed and fold."""
    common = [*([f"--trainer.max_epochs={options.epochs[0]}"] if len(options.epochs) == 1 else []), *options.fit]
    weights = options.pretrained
    if weights is not None and _recipe(row, [*Cell(row, plan.seeds[0]).options, *common]).weights is not None:
        switch = weights.lower() in ("true", "false")
        if not (switch or Path(weights).expanduser().is_file() or timm.is_model(weights)):
            raise GenreError(
                f"--pretrained: found {weights}; expected true, false, a weights file, or timm's name of weights"
            )
        common.append(f"--model.network.init_args.pretrained={weights}")
    return common


def _recipe(row: Row, options: Sequence[str]) -> Recipe:
    """Reads a recipe and lists its data, so that a mistake ends the benchmark before it begins."""
    try:
        recipe = read_recipe(options)
        recipe.data.corpus  # noqa: B018  # listed here, and kept
    except GenreError as error:
        raise GenreError(f"{row.name}: {error}") from None
    except SystemExit:  # the parser has printed what is wrong, but knows nothing of rows
        files = ", ".join(map(str, row.recipe))
        print(f"genre: this was said of the row {row.name} ({files}); no cell was run", file=sys.stderr)
        raise
    return recipe


def _folder(name: str, options: Options) -> Path:
    """A new version's folder or, to resume, the last one's."""
    parent = options.runs_dir.expanduser().resolve() / name
    last, following = last_version(parent), next_version(parent)
    if options.resume and last is None:
        raise GenreError(f"{parent}: found no benchmark to resume; begin one without --resume")
    return last if options.resume and last else following


def _full(folder: Path) -> GenreError:
    return GenreError(
        f"{folder}: the disk is full; what is finished is kept: free some space and go on with: {_command(resume=True)}"
    )


def _command(*, resume: bool = False) -> str:
    """What was typed, with ``--resume`` if that is asked for."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--resume"]
    return shlex.join(["genre", *arguments, *(["--resume"] if resume else [])])
