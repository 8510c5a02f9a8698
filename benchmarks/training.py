"""A whole fit (decode, crop, features, step) against the bare step of the same network on finished features."""

import statistics
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytorch_lightning as pl
import torch
import torch.nn.functional as F

from benchmarks.music import write_music
from benchmarks.timing import Row, spread
from genre import GenreClassifier
from genre.data import Folder, MelSpectrogram, StratifiedSplit
from genre.models import ResNet18

GENRES, TRACKS, SECONDS, RATE = 4, 120, 20, 22050
BATCHES, WARM_UP, ROUNDS = 20, 4, 4


class Machine(NamedTuple):
    """Where and how a fit runs."""

    device: str = "cpu"
    batch: int = 32
    precision: Any = "32-true"
    num_workers: int | Literal["auto"] = "auto"


CPU = Machine()


class Clock(pl.Callback):
    """Notes when each step of a fit ended."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        if pl_module.device.type == "cuda":
            torch.cuda.synchronize()
        self.ends.append(time.perf_counter())

    def seconds(self) -> float:
        """Seconds per step, once the loader runs: all of a step's waiting is in it."""
        return (self.ends[-1] - self.ends[WARM_UP - 1]) / (len(self.ends) - WARM_UP)


def rows(kind: str, cached: bool, goal: float, machine: Machine = CPU) -> Iterator[Row]:
    """Samples per second and their ratio; each fit stands between two bare steps, so a drift hits both alike."""
    fits, bares, ratios = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "music"
        write_music(root, kind, TRACKS, SECONDS, GENRES)
        before = bare_step(machine)
        for _ in range(ROUNDS):
            fit = _fit(make_data(root, Path(folder) / "decoded" if cached else None, machine), machine)
            after = bare_step(machine)
            bare = (before + after) / 2
            fits.append(machine.batch / fit)
            bares.append(machine.batch / bare)
            ratios.append(bare / fit)
            before = after
    cache = "with a decoded cache" if cached else "without a cache"
    name = f"ResNet-18, 3-s crops, batch {machine.batch}, {machine.device}, {kind} {cache}"
    yield f"{name}: fit, bare step", f"{statistics.median(fits):.1f}, {statistics.median(bares):.1f} samples/s"
    yield f"{name}: fit : bare step (at least {goal:.2f})", spread(ratios)


def make_data(root: Path, cache: Path | None, machine: Machine = CPU) -> Folder:
    """The crops of one epoch are :data:`BATCHES` batches."""
    return Folder(
        root,
        MelSpectrogram(mean=-30.0, std=15.0),
        StratifiedSplit(validation=0.2, test=0),
        batch_size=machine.batch,
        crops_per_track=-(-machine.batch * BATCHES // (TRACKS * 4 // 5)),
        num_workers=machine.num_workers,
        cache=None if cache is None else str(cache),
    )


def _fit(data: Folder, machine: Machine) -> float:
    classifier = GenreClassifier(partial(ResNet18, pretrained=False), data.genres, channels_last=True)
    clock = Clock()
    trainer = pl.Trainer(
        max_epochs=1, limit_train_batches=BATCHES, limit_val_batches=0, num_sanity_val_steps=0,
        accelerator=machine.device, devices=1, precision=machine.precision, callbacks=[clock],
        logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(classifier, datamodule=data)
    return clock.seconds()


def bare_step(machine: Machine) -> float:
    """Seconds per step of the network alone, on a batch of finished features."""
    device, batch = machine.device, machine.batch
    network = ResNet18(GENRES, pretrained=False).to(device).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters())
    frames = 3 * RATE // 512 + 1
    inputs = torch.randn(batch, 1, 128, frames, device=device).contiguous(memory_format=torch.channels_last)
    targets = torch.randint(GENRES, (batch,), device=device)
    start = 0.0
    for step in range(BATCHES):
        if step == WARM_UP:
            start = time.perf_counter()
        with torch.autocast(device, torch.bfloat16, enabled=machine.precision == "bf16-mixed"):
            loss = F.cross_entropy(network(inputs).float(), targets)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()
    return (time.perf_counter() - start) / (BATCHES - WARM_UP)
