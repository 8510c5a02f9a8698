"""Environment variables that torch reads on import."""

import os

DEFAULTS = {
    # Threads that spin while they wait make a step many times slower when other programs run.
    "OMP_WAIT_POLICY": "PASSIVE",
    # Uses memory pages of 2 MB on Linux: with 4 kB, a large activation causes 5,000 page faults. A training step of
    # BBNN and of Gaitanou's and Choi's networks takes 0.7 to 0.8 of the time; other networks take the same time.
    "THP_MEM_ALLOC_ENABLE": "1",
}


def prepare_torch() -> None:
    """Sets the variables that the user has not set; must be called before torch is imported."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
