"""The place of one process, if several run the same command under torchrun or SLURM, and the device that it uses."""

import os
from typing import NamedTuple

import torch

from genre.errors import GenreError, one_line


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
