"""Finds how much main memory is free."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

#: The files of a control group of Linux, version 2 and 1: its limit, its use, and the part of the use that is a cache.
VERSIONS = {
    2: ("memory.max", "memory.current", "inactive_file"),
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


def available_memory(proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> int:
    """The bytes of main memory that this process can still take, within the limits of its container.

    Args:
        proc: The folder in which Linux describes processes.
        groups: The folder in which Linux describes control groups, which containers and SLURM use.

    Returns:
        On Linux the free memory; on other systems the size of the main memory, or 2⁶² if it is unknown.
    """
    return min([_machine(proc), *_control_groups(proc, groups)])


def _machine(proc: Path) -> int:
    with suppress(OSError, KeyError, ValueError):
        return 1024 * int(_fields(proc / "meminfo")["MemAvailable:"])
    names = getattr(os, "sysconf_names", {})
    known = {"SC_PAGE_SIZE", "SC_PHYS_PAGES"} <= set(names)
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if known else 1 << 62


def _control_groups(proc: Path, groups: Path) -> Iterator[int]:
    """The bytes that the process's control group, and each group around it, still allow."""
    with suppress(OSError):
        for line in (proc / "self" / "cgroup").read_text().splitlines():
            _, controllers, name = line.split(":", 2)
            if controllers and "memory" not in controllers.split(","):
                continue
            limit, use, cached = VERSIONS[1 if controllers else 2]
            top = groups / "memory" if controllers else groups
            inner = top / name.lstrip("/")
            for group in (inner, *(folder for folder in inner.parents if folder.is_relative_to(top))):
                with suppress(OSError, KeyError, ValueError):  # no such file, or "max": there is no limit
                    free = int((group / limit).read_text()) - int((group / use).read_text())
                    yield max(0, free + int(_fields(group / "memory.stat")[cached]))


def _fields(file: Path) -> dict[str, str]:
    """The first two words of each line."""
    return dict(line.split()[:2] for line in file.read_text().splitlines())
