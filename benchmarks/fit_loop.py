"""Samples per second of a whole fit (decode, crop, features, step) against the bare step of the same network."""

import statistics
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import soundfile
import torch
import torch.nn.functional as F

from genre import GenreClassifier
from genre.data import Folder, MelSpectrogram, StratifiedSplit
from genre.models import ResNet18

GENRES, TRACKS, SECONDS, RATE = 4, 30, 20, 22050
BATCHES, WARM_UP, ROUNDS = 20, 4, 5


class Clock(pl.Callback):
    """Notes when each step of a fit ended."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        if pl_module.device.type == "cuda":
            torch.cuda.synchronize()
        self.ends.append(time.perf_counter())

    def seconds(self) -> float:
        """Seconds a step, once the loader runs: all of a step's waiting is in it."""
        return (self.ends[-1] - self.ends[WARM_UP - 1]) / (len(self.ends) - WARM_UP)


def rows() -> list[tuple[str, str]]:
    """Samples per second and their ratio, on the CPU and, where there is one, on a GPU."""
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder))
        found = _compare(Path(folder), "cpu", 32, "32-true", num_workers=1)
        if torch.cuda.is_available():
            found += _compare(Path(folder), "cuda", 256, "bf16-mixed", num_workers=12)
        else:
            found.append(("ResNet-18, 3-s crops, batch 256, cuda bf16-mixed: fit : bare step", "not measured: no GPU"))
    return found


def _write(root: Path) -> None:
    random = np.random.default_rng(0)
    for genre in range(GENRES):
        (root / f"genre{genre}").mkdir()
        for track in range(TRACKS):
            wave = random.normal(0, 0.1, SECONDS * RATE)
            soundfile.write(root / f"genre{genre}" / f"{track}.wav", wave, RATE, subtype="PCM_16")


def _compare(root: Path, device: str, batch: int, precision: Any, num_workers: int) -> list[tuple[str, str]]:
    ratios, fits, bares = [], [], []
    for _ in range(ROUNDS):
        fit = _fit(root, device, batch, precision, num_workers)
        bare = bare_step(device, batch, precision)
        fits.append(batch / fit)
        bares.append(batch / bare)
        ratios.append(bare / fit)
    name = f"ResNet-18, 3-s crops, batch {batch}, {device} {precision}"
    return [
        (f"{name}: whole fit", f"{statistics.median(fits):.1f} samples/s"),
        (f"{name}: bare step", f"{statistics.median(bares):.1f} samples/s"),
        (
            "fit : bare step (at least 0.90)",
            f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f} in {ROUNDS} rounds)",
        ),
    ]


def _fit(root: Path, device: str, batch: int, precision: Any, num_workers: int) -> float:
    data = Folder(
        root,
        MelSpectrogram(mean=-30.0, std=15.0),
        StratifiedSplit(validation=0.2, test=0),
        batch_size=batch,
        crops_per_track=-(-batch * BATCHES // (GENRES * TRACKS * 4 // 5)),
        num_workers=num_workers,
    )
    classifier = GenreClassifier(partial(ResNet18, pretrained=False), data.genres, channels_last=True)
    clock = Clock()
    trainer = pl.Trainer(
        max_epochs=1, limit_train_batches=BATCHES, limit_val_batches=0, num_sanity_val_steps=0,
        accelerator=device, devices=1, precision=precision, callbacks=[clock],
        logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(classifier, datamodule=data)
    return clock.seconds()


def bare_step(device: str, batch: int, precision: str) -> float:
    """Seconds per step of the network alone, on a batch of finished features."""
    network = ResNet18(GENRES, pretrained=False).to(device).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters())
    frames = 3 * RATE // 512 + 1
    inputs = torch.randn(batch, 1, 128, frames, device=device).contiguous(memory_format=torch.channels_last)
    targets = torch.randint(GENRES, (batch,), device=device)
    start = 0.0
    for step in range(BATCHES):
        if step == WARM_UP:
            start = time.perf_counter()
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16-mixed"):
            loss = F.cross_entropy(network(inputs).float(), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()
    return (time.perf_counter() - start) / (BATCHES - WARM_UP)
