"""What a verb computes on: the audio files that it names, and this process's share of them and device."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import torch

from genre.apply import list_files
from genre.errors import GenreError, one_line


class AudioFiles:
    """The audio files in files and folders, in order; each bad one prints a line on stderr.

    Attributes:
        faults: The number of bad files and folders so far.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths: list[Path] = []
        self.faults = 0
        for path in paths:
            files, problem = list_files(path)
            self.paths += files
            if problem:
                self.report(problem)

    def report(self, problem: str) -> None:
        """Counts a bad file or folder, and prints a line about it."""
        self.faults += 1
        print(f"genre: {problem}", file=sys.stderr)


def expand_lists(paths: Sequence[Path], list_: Path | None) -> list[Path]:
    """Replaces the path ``-`` by the paths of stdin, and adds those of a list.

    A list has one path per line, or a zero byte after each as ``find -print0`` writes them.
    """
    expanded: list[Path] = []
    for path in paths:
        expanded += _split(sys.stdin.buffer.read()) if str(path) == "-" else [path]
    if list_ is not None:
        try:
            expanded += _split(list_.read_bytes())
        except OSError as error:
            raise GenreError(f"{list_}: the list cannot be read ({error.strerror})") from None
    return expanded


def by_size(paths: Sequence[Path]) -> list[Path]:
    """Each file once, the largest first, so that no worker begins a long file when the others have finished."""
    sizes = dict.fromkeys(paths, 0)
    for path in sizes:
        with suppress(OSError):  # a missing file; decoding says so
            sizes[path] = path.stat().st_size
    return sorted(sizes, key=lambda path: (-sizes[path], str(path)))


class Place(NamedTuple):
    """The place of this process among those that torchrun or SLURM has started with the same command.

    Attributes:
        rank: Its number, from 0.
        world_size: The number of processes.
        local_rank: Its number on its machine, which chooses its GPU.
        local_size: The number of processes on its machine, which share the cores.
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    local_size: int = 1


def find_place() -> Place:
    """The place of this process."""
    variables = os.environ
    if "RANK" in variables and "WORLD_SIZE" in variables:  # torchrun sets all four
        rank, world_size = int(variables["RANK"]), int(variables["WORLD_SIZE"])
        local = int(variables.get("LOCAL_RANK", rank)), int(variables.get("LOCAL_WORLD_SIZE", 1))
        return Place(rank, world_size, *local)
    if "SLURM_NTASKS" in variables:
        # Lightning takes a second to import, so it is imported only here.
        from lightning_fabric.plugins.environments.slurm import SLURMEnvironment

        if SLURMEnvironment.detect():
            try:
                slurm = SLURMEnvironment(auto_requeue=False)
            except RuntimeError as error:  # a number of tasks that Lightning does not take
                raise GenreError(one_line(error)) from None
            return Place(slurm.global_rank(), slurm.world_size(), slurm.local_rank())
    return Place()


def choose_device(name: str | None = None, local_rank: int = 0) -> str:
    """Checks the name of a device; without one, chooses a GPU if there is one."""
    if name is None:
        return f"cuda:{local_rank % torch.cuda.device_count()}" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=name).cpu()
    except (RuntimeError, AssertionError, NotImplementedError):  # unknown, not there, not compiled, without data
        there = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
        there += ["mps"] * torch.backends.mps.is_available()
        raise GenreError(f"--device {name}: no such device here; found {', '.join(there)}") from None
    return name


def _split(content: bytes) -> list[Path]:
    lines = content.split(b"\0") if b"\0" in content else content.splitlines()
    # As Python's own names of files: a byte that is not UTF-8 is kept.
    return [Path(line.decode(errors="surrogateescape")) for line in lines if line.strip()]
