"""The free memory, in files as Linux writes them."""

import os
from pathlib import Path

import pytest

from genre.audio.memory import available_memory


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    write(
        tmp_path / "proc" / "meminfo",
        "MemTotal:  9000 kB\nMemFree:  1000 kB\nMemAvailable:   5000 kB\nHugePages_Total: 0\n",
    )
    return tmp_path / "proc"


def limit_group(folder: Path, limit: str, use: int, cached: int, version: int) -> None:
    names = {1: ("memory.limit_in_bytes", "memory.usage_in_bytes"), 2: ("memory.max", "memory.current")}[version]
    write(folder / names[0], f"{limit}\n")
    write(folder / names[1], f"{use}\n")
    write(folder / "memory.stat", f"anon 1\n{'total_' if version == 1 else ''}inactive_file {cached}\n")


def test_what_the_machine_can_give(proc: Path, tmp_path: Path) -> None:
    assert available_memory(proc, tmp_path / "none") == 5000 * 1024


def test_the_narrowest_control_group_counts(proc: Path, tmp_path: Path) -> None:
    write(proc / "self" / "cgroup", "0::/outer/inner\n")
    limit_group(tmp_path / "groups" / "outer", "1000000", 700000, 50000, version=2)
    limit_group(tmp_path / "groups" / "outer" / "inner", "max", 700000, 50000, version=2)
    assert available_memory(proc, tmp_path / "groups") == 350000


def test_version_1_of_control_groups(proc: Path, tmp_path: Path) -> None:
    write(proc / "self" / "cgroup", "5:devices:/a\n4:cpu,memory:/a/b\n0::/\n")
    limit_group(tmp_path / "groups" / "memory" / "a" / "b", "1000000", 999999, 0, version=1)
    assert available_memory(proc, tmp_path / "groups") == 1


def test_a_group_beyond_its_limit_has_nothing(proc: Path, tmp_path: Path) -> None:
    write(proc / "self" / "cgroup", "0::/\n")
    limit_group(tmp_path / "groups", "1000", 2000, 0, version=2)
    assert available_memory(proc, tmp_path / "groups") == 0


@pytest.mark.skipif("SC_PHYS_PAGES" not in getattr(os, "sysconf_names", {}), reason="the system does not tell")
def test_this_machine(tmp_path: Path) -> None:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < available_memory() <= total
    assert available_memory(tmp_path, tmp_path) == total
