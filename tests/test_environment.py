import os
import subprocess
import sys
from pathlib import Path

import pytest

from genre.environment import DEFAULTS, prepare_torch

HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
#: kB in huge pages of a process that holds a tensor of 64 MB
PROBE = """
from genre.environment import prepare_torch
prepare_torch()
import sys
assert "torch" not in sys.modules
import torch
held = torch.ones(16, 1024, 1024)
print(*(line.split()[1] for line in open("/proc/self/smaps_rollup") if line.startswith("AnonHugePages")))
"""


def test_what_the_user_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    monkeypatch.delenv("THP_MEM_ALLOC_ENABLE")  # set for this process by conftest.py
    prepare_torch()
    assert {name: os.environ[name] for name in DEFAULTS} == {"OMP_WAIT_POLICY": "ACTIVE", "THP_MEM_ALLOC_ENABLE": "1"}


@pytest.mark.skipif(
    not HUGE_PAGES.exists() or "[never]" in HUGE_PAGES.read_text(), reason="the kernel has no huge pages to give"
)
def test_large_tensors_lie_in_huge_pages() -> None:
    environment = {name: value for name, value in os.environ.items() if name not in DEFAULTS}
    done = subprocess.run([sys.executable, "-c", PROBE], env=environment, capture_output=True, text=True, check=True)
    assert int(done.stdout) >= 2048  # one at least: how many there are is the kernel's affair
