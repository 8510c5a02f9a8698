"""Prints every benchmark's table."""

import logging
import warnings

from genre.environment import prepare_torch

prepare_torch()  # as the command line does, before torch is imported

import torch
from rich.console import Console
from rich.table import Table

from benchmarks import augmentation, catalogue, decoded, features, fit_loop, indrnn, probe, startup

warnings.filterwarnings("ignore")
for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric"):
    logging.getLogger(name).setLevel(logging.ERROR)
table = Table(title=f"torch {torch.__version__}, {torch.get_num_threads()} threads")
table.add_column("what")
table.add_column("figure", justify="right")
for part in (startup, features, fit_loop, decoded, catalogue, probe, augmentation):
    for row in part.rows():
        table.add_row(*row)
    table.add_section()
Console().print(table)
recurrence = Table(*indrnn.HEADER, title="forward + backward, 5 layers of 128 units, batch 32")
for cells in indrnn.rows():
    recurrence.add_row(*cells)
Console().print(recurrence)
