"""Python programs in processes of their own, which a server forks after it has imported the library once.

A new interpreter spends seconds on imports. On systems without such a server, every process imports the library. The
reports of these programs have no pictures.
"""

import os
import runpy
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import chdir
from functools import cache
from multiprocessing import get_start_method, set_start_method
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory

from genre.benchmark.worker import CONTEXT, start_server
from genre.cli import data_verbs

from .conftest import without_pictures

ROOT = Path(__file__).parents[1]

#: What the programs of the tests import, the first of them sets the environment of torch.
MODULES = (
    "tests.conftest", "tests.preload", "genre.cli.lightning_cli", "genre.cli.verbs", "genre.benchmark.run", "librosa",
)  # fmt: skip


@cache
def start() -> None:
    """Starts the server, which looks for the modules of the tests in the current folder."""
    with chdir(ROOT):
        start_server(MODULES)


def fit_cell(modules: Sequence[str], options: Sequence[str]) -> None:
    """Runs a cell of a benchmark as ``genre benchmark`` does, without the pictures of its report."""
    with without_pictures():
        data_verbs.fit_cell(modules, options)


def start_python(
    *command: str | Path, cwd: Path, output: Path, environment: Mapping[str, str] | None = None
) -> BaseProcess:
    """Starts ``python <command>`` in a session of its own.

    Args:
        command: ``-m MODULE`` or a script, and its arguments. ``-P`` before them keeps the folder of the script, or
            the current one, out of the places of modules.
        cwd: The current folder.
        output: The folder for ``stdout`` and ``stderr``.
        environment: Variables beside those of the test.
    """
    start()
    variables = dict(os.environ) | {"PYTHONPATH": str(ROOT)} | dict(environment or {})
    words = [str(part) for part in command]
    process = CONTEXT.Process(target=_run, args=(words, cwd, output, variables, get_start_method()))
    process.start()
    return process


def run_python(
    *command: str | Path, cwd: Path, environment: Mapping[str, str] | None = None, timeout: float = 300
) -> "subprocess.CompletedProcess[str]":
    """Runs ``python <command>`` as :func:`start_python` starts it; returns its status and what it printed."""
    with TemporaryDirectory() as folder:
        process = start_python(*command, cwd=cwd, output=Path(folder), environment=environment)
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired([str(part) for part in command], timeout)
        stdout, stderr = ((Path(folder) / name).read_text(encoding="utf-8") for name in ("stdout", "stderr"))
    return subprocess.CompletedProcess([str(part) for part in command], process.exitcode, stdout, stderr)


def _run(command: list[str], cwd: Path, output: Path, variables: Mapping[str, str], start_method: str) -> None:
    """Runs in the new process."""
    set_start_method(start_method, force=True)  # as in a new interpreter; else that of the server
    os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(variables)
    for number, name in ((1, "stdout"), (2, "stderr")):
        with (output / name).open("w", encoding="utf-8") as file:
            os.dup2(file.fileno(), number)
    isolated = command[0] == "-P"
    module = command[isolated] == "-m"
    start = isolated + module
    sys.argv = command[start:]
    if not isolated:
        sys.path.insert(0, str(cwd if module else Path(sys.argv[0]).parent))
    with without_pictures():
        if module:
            runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(sys.argv[0], run_name="__main__")
