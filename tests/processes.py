"""Python programs in processes of their own, which a server forks after it has imported the library once.

A new interpreter spends seconds on imports. On systems without such a server, every process imports the library. The
reports of these programs have no pictures.
"""

import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import chdir
from functools import cache
from multiprocessing import get_start_method, set_start_method
from multiprocessing.process import BaseProcess
from pathlib import Path

from pytorch_lightning.utilities import rank_zero_only

from genre.benchmark.worker import CONTEXT, HAS_SERVER, start_server
from genre.cli import data_verbs

from .conftest import without_pictures

ROOT = Path(__file__).parents[1]

#: What the programs of the tests import: the first sets the environment of torch, the second imports Lightning.
MODULES = (
    "tests.conftest", "genre.cli.lightning_cli", "tests.preload", "genre.cli.verbs", "genre.benchmark.run", "librosa",
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
    (done,) = _run_together(command, cwd, [environment or {}], timeout)
    return done


def run_two(*command: str | Path, cwd: Path, timeout: float = 300) -> "list[subprocess.CompletedProcess[str]]":
    """Runs ``python <command>`` twice at once, as the two processes of a Trainer with ``strategy=ddp``.

    The environment says so, as under a launcher of the user's own; otherwise Lightning starts a new interpreter for
    the second process.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return _run_together(command, cwd, [shared | {"LOCAL_RANK": str(rank)} for rank in (0, 1)], timeout)


def _run_together(
    command: Sequence[str | Path], cwd: Path, environments: Sequence[Mapping[str, str]], timeout: float
) -> "list[subprocess.CompletedProcess[str]]":
    """Runs the command once with each environment."""
    words = [str(part) for part in command]
    done: list[subprocess.CompletedProcess[str]] = []
    with tempfile.TemporaryDirectory() as place:
        folders = [Path(place) / str(number) for number in range(len(environments))]
        processes = []
        for folder, environment in zip(folders, environments, strict=True):
            folder.mkdir()
            processes.append(start_python(*command, cwd=cwd, output=folder, environment=environment))
        deadline = time.monotonic() + timeout
        for process in processes:
            process.join(max(0.0, deadline - time.monotonic()))
        late = [process for process in processes if process.exitcode is None]
        for process in late:
            process.kill()
            process.join()
        if late:
            raise subprocess.TimeoutExpired(words, timeout)
        for process, folder in zip(processes, folders, strict=True):
            stdout, stderr = ((folder / name).read_text(encoding="utf-8") for name in ("stdout", "stderr"))
            done.append(subprocess.CompletedProcess(words, process.exitcode or 0, stdout, stderr))
    return done


def _run(command: list[str], cwd: Path, output: Path, variables: Mapping[str, str], start_method: str) -> None:
    """Runs in the new process."""
    set_start_method(start_method, force=True)  # as in a new interpreter; else that of the server
    if HAS_SERVER:  # which starts with the signal blocked
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(variables)
    tempfile.tempdir = None  # it is chosen anew, by these variables
    if "LOCAL_RANK" in variables:
        setattr(rank_zero_only, "rank", int(variables["LOCAL_RANK"]))  # noqa: B010  # Lightning reads it when imported
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
