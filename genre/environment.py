"""What torch reads from the environment as it is imported."""

import os

DEFAULTS = {
    # Threads that wait by spinning make a step many times slower beside other programs.
    "OMP_WAIT_POLICY": "PASSIVE",
    # Memory in pages of 2 MB, on Linux: a large activation is 5,000 page faults in pages of 4 kB. A step of BBNN,
    # of Gaitanou's and of Choi's networks takes 0.7 to 0.8 of the time, others as long as before.
    "THP_MEM_ALLOC_ENABLE": "1",
}


def prepare_torch() -> None:
    """Sets what torch reads, except what the user has set; to be called before torch is imported."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
