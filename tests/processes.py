"""Python programs in processes of their own, which a server forks after it has imported the library once.

A new interpreter spends seconds on imports. On systems without such a server, every process imports the library.
"""

import os
import runpy
import subprocess
import sys
from collections.abc import Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory

from genre.benchmark.worker import CONTEXT, start_server

ROOT = Path(__file__).parents[1]

#: What the programs of the tests import, the first of them sets the environment of torch.
MODULES = ("tests.conftest", "genre.cli.lightning_cli", "genre.cli.verbs", "genre.benchmark.run", "librosa")


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
    start_server(MODULES)
    variables = dict(os.environ) | {"PYTHONPATH": str(ROOT)} | dict(environment or {})
    process = CONTEXT.Process(target=_run, args=([str(part) for part in command], cwd, output, variables))
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


def _run(command: list[str], cwd: Path, output: Path, variables: Mapping[str, str]) -> None:
    """Runs in the new process."""
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
    if module:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(sys.argv[0], run_name="__main__")
