"""The folder of a cell, and the process that fits it.

Every cell runs in a separate process, so memory, random state and crashes do not affect other cells. On Linux, these
processes are forked from one server that has only imported the library, so a plan imports it once.
"""

import csv
import json
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from multiprocessing import get_context, get_start_method, parent_process, set_start_method
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext, SpawnContext
from pathlib import Path

from genre.benchmark.plan import Cell
from genre.errors import GenreError
from genre.report.folder import write_whole

#: Seconds between two updates of the progress bar.
PAUSE = 0.5

#: On other systems, a fork after the imports is unsafe (macOS) or missing (Windows), so every cell imports the library.
HAS_SERVER = sys.platform == "linux"
CONTEXT: ForkServerContext | SpawnContext = get_context("forkserver") if HAS_SERVER else get_context("spawn")


class CellFolder:
    """The folder of a cell: the run ``version_0``, the cell's options, and its output.

    Args:
        cells: The folder of all cells.
        cell: The cell.
        options: All options of ``genre fit`` for the cell.
        cache: The folder of the decoded tracks, which all cells share; ``None``: that of the recipe.
    """

    def __init__(self, cells: Path, cell: Cell, options: Sequence[str], cache: Path | None = None) -> None:
        self.cells, self.cell, self.options, self.cache = cells, cell, list(options), cache
        self.path = cells / cell.name
        self.run = self.path / "version_0"
        self.output = self.path / "output.txt"

    @property
    def finished(self) -> bool:
        """Whether the report is complete: ``metrics.json`` is written last."""
        return (self.run / "report" / "metrics.json").is_file()

    @property
    def epochs(self) -> int:
        """The number of finished epochs."""
        try:
            with (self.run / "metrics.csv").open(encoding="utf-8", newline="") as lines:
                done = [row["epoch"] for row in csv.DictReader(lines) if row.get("train_loss")]
        except OSError:
            return 0
        return int(done[-1]) + 1 if done else 0

    @property
    def accuracy(self) -> str:
        """The accuracy of the finished cell with its interval, as text."""
        score = json.loads((self.run / "report" / "metrics.json").read_text(encoding="utf-8"))["accuracy"]
        return f"accuracy {score['value']:.3f} ({score['low']:.3f} – {score['high']:.3f})"

    def claim(self) -> None:
        """Saves the cell's options; keeps the files of an earlier attempt with the same options.

        Raises:
            GenreError: The folder holds a cell with other options.
        """
        note = self.path / "options.json"
        if note.is_file() and json.loads(note.read_text(encoding="utf-8")) != self.options:
            raise GenreError(
                f"{self.path} was run with other options; resume with the options that the benchmark began with, "
                "or begin a new one without --resume"
            )
        self.path.mkdir(parents=True, exist_ok=True)
        write_whole(note, json.dumps(self.options))

    def fit(self, fit: Callable[[Sequence[str]], None], watch: Callable[[], None]) -> str | None:
        """Fits and tests the cell.

        Args:
            fit: Runs ``genre fit`` with options; it is called in the cell's process.
            watch: Is called about twice per second while the cell runs.

        Returns:
            ``None``, or the reason of a failure in one line.
        """
        last = self.run / "checkpoints" / "last.ckpt"
        resume = [f"--ckpt_path={last}"] if last.is_file() else []
        if not resume:
            shutil.rmtree(self.run, ignore_errors=True)
        places = [f"--runs_dir={self.cells}", f"--name={self.cell.name}", "--trainer.enable_progress_bar=false"]
        cache = [] if self.cache is None else [f"--data.cache={self.cache}"]
        options = [*self.options, *cache, *places, *resume]
        process = CONTEXT.Process(target=_fit_cell, args=(fit, options, self.output, get_start_method()))
        process.start()
        try:
            while process.is_alive():
                process.join(PAUSE)
                watch()
        except BaseException:  # Ctrl-C also reaches the cell's process, which stops by itself
            process.join()
            raise
        if process.exitcode == 0 and self.finished:
            return None
        return self._last_error() or f"genre fit ended with status {process.exitcode}; see {self.output}"

    def _last_error(self) -> str | None:
        """The last error of this library in the cell's output, or the last line of a traceback."""
        text = self.output.read_text(encoding="utf-8", errors="replace")
        lines = [line for line in text.splitlines() if line.strip()]
        errors = [line.partition("genre: error: ")[2] for line in lines if line.startswith("genre: error: ")]
        if errors:
            return errors[-1]
        return lines[-1] if any(line.startswith("Traceback ") for line in lines) else None


def start_server(modules: Sequence[str]) -> None:
    """Starts the server that imports modules and forks the cells; does nothing on systems without a server."""
    if not HAS_SERVER:
        return
    CONTEXT.set_forkserver_preload(list(modules))
    first = CONTEXT.Process(target=int)  # the server starts with the first process
    # The server inherits the mask: Ctrl-C does not interrupt its imports.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        first.start()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    first.join()


def _fit_cell(fit: Callable[[Sequence[str]], None], options: Sequence[str], output: Path, start_method: str) -> None:
    """Runs in the process of a cell."""
    # A process of a server starts its own processes by a server, so that each worker of a loader would import torch.
    set_start_method(start_method, force=True)
    if HAS_SERVER:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with output.open("a", encoding="utf-8") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    try:
        fit(options)
    except GenreError as error:
        sys.exit(f"genre: error: {error}")


def _end_with_parent() -> None:
    """Ends this process with its parent; otherwise a fit would go on after its benchmark was killed."""
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
