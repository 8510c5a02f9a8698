"""Running a cell: in a process of its own, from where an earlier one left off."""

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import sleep

from genre.benchmark.plan import Cell
from genre.errors import GenreError
from genre.report.folder import write_whole

#: Seconds between two looks at how far a cell is.
PAUSE = 0.5


class CellFolder:
    """Where a cell is kept: the run ``version_0``, the options that it was given, and what it printed.

    Args:
        cells: The folder of all cells.
        cell: The cell.
        options: All options of its ``genre fit``.
    """

    def __init__(self, cells: Path, cell: Cell, options: Sequence[str]) -> None:
        self.cells, self.cell, self.options = cells, cell, list(options)
        self.path = cells / cell.name
        self.run = self.path / "version_0"
        self.output = self.path / "output.txt"

    @property
    def finished(self) -> bool:
        """Whether its report is there: ``metrics.json`` is written last."""
        return (self.run / "report" / "metrics.json").is_file()

    @property
    def epochs(self) -> int:
        """How many epochs are done."""
        try:
            with (self.run / "metrics.csv").open(encoding="utf-8", newline="") as lines:
                done = [row["epoch"] for row in csv.DictReader(lines) if row.get("train_loss")]
        except OSError:
            return 0
        return int(done[-1]) + 1 if done else 0

    @property
    def accuracy(self) -> str:
        """That of the finished cell, with its interval, for a line on the terminal."""
        score = json.loads((self.run / "report" / "metrics.json").read_text(encoding="utf-8"))["accuracy"]
        return f"accuracy {score['value']:.3f} ({score['low']:.3f} – {score['high']:.3f})"

    def claim(self) -> None:
        """Notes the cell's options; what another attempt with the same ones left stays.

        Raises:
            GenreError: The folder holds a cell that was run with other options.
        """
        note = self.path / "options.json"
        if note.is_file() and json.loads(note.read_text(encoding="utf-8")) != self.options:
            raise GenreError(
                f"{self.path} was run with other options; resume with the options that the benchmark began with, "
                "or begin a new one without --resume"
            )
        self.path.mkdir(parents=True, exist_ok=True)
        write_whole(note, json.dumps(self.options))

    def fit(self, watch: Callable[[], None]) -> str | None:
        """Fits and tests the cell.

        Args:
            watch: Called about twice a second while it runs.

        Returns:
            Why it failed, in a line, or ``None``.
        """
        last = self.run / "checkpoints" / "last.ckpt"
        resume = [f"--ckpt_path={last}"] if last.is_file() else []
        if not resume:
            shutil.rmtree(self.run, ignore_errors=True)
        places = [f"--runs_dir={self.cells}", f"--name={self.cell.name}", "--trainer.enable_progress_bar=false"]
        command = [sys.executable, "-m", "genre.benchmark.worker", "fit", *self.options, *places, *resume]
        with self.output.open("a", encoding="utf-8") as output:
            child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT)
            try:
                while child.poll() is None:
                    sleep(PAUSE)
                    watch()
            except BaseException:  # Ctrl-C reaches the child too; it is given the time to stop by itself
                child.wait()
                raise
        if child.returncode == 0 and self.finished:
            return None
        return self._complaint() or f"genre fit ended with status {child.returncode}; see {self.output}"

    def _complaint(self) -> str:
        """The last error that the cell printed."""
        lines = self.output.read_text(encoding="utf-8", errors="replace").splitlines()
        said = [line.partition("genre: error: ")[2] for line in lines if line.startswith("genre: error: ")]
        return said[-1] if said else next((line for line in reversed(lines) if line.strip()), "")
