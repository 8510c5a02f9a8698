"""``python -m benchmarks [ROW …]``: prints the named rows, or all, each figure as soon as it is measured."""

import logging
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial

from genre.environment import prepare_torch

prepare_torch()  # as the command line does, before torch is imported

import torch

from benchmarks import augmentation, catalogue, decoded, features, gpu, indrnn, probe, startup, training
from benchmarks.timing import Row
from genre.audio.cache import count_cores

ROWS: dict[str, Callable[[], Iterator[Row]]] = {
    "startup": startup.rows,
    "features": features.rows,
    "fit-wav": partial(training.rows, "wav", False, 0.9),
    "fit-wav-cache": partial(training.rows, "wav", True, 0.97),
    "fit-mp3-cache": partial(training.rows, "mp3", True, 0.97),
    "epoch": decoded.epoch_rows,
    "building": decoded.building_rows,
    "predict-wav": partial(catalogue.rows, "wav"),
    "predict-mp3": partial(catalogue.rows, "mp3"),
    "memory": catalogue.memory_rows,
    "probe": probe.rows,
    "augmentation": augmentation.rows,
    "indrnn": indrnn.rows,
    "gpu": gpu.rows,
}


def main(names: list[str]) -> None:
    """Prints the name of a row, what is measured, and the figure."""
    if unknown := [name for name in names if name not in ROWS]:
        sys.exit(f"no row {', '.join(unknown)}; there are {', '.join(ROWS)}")
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {count_cores()} cores{load}", flush=True)
    begin = time.perf_counter()
    for name in names or ROWS:
        start = time.perf_counter()
        for what, figure in ROWS[name]():
            print(f"{name:<14}{what:<100}{figure}", flush=True)
        print(f"{name:<14}{'':<100}({time.perf_counter() - start:.0f} s)", flush=True)
    print(f"{time.perf_counter() - begin:.0f} s in all", flush=True)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    for library in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric"):
        logging.getLogger(library).setLevel(logging.ERROR)
    main(sys.argv[1:])
