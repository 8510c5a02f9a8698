"""The same on a GPU, where there is one."""

import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytorch_lightning as pl
import torch

from benchmarks import catalogue, indrnn, training
from benchmarks.music import write_music
from benchmarks.timing import Row
from genre import GenreClassifier
from genre.data import Folder, MelSpectrogram, StratifiedSplit
from genre.models import ResNet18

TRACKS, GENRES, EPOCHS = 443, 10, 10


def rows() -> Iterator[Row]:
    """Every figure with the card's name."""
    fit = training.Machine("cuda", batch=256, precision="bf16-mixed", num_workers=12)
    parts: dict[str, Callable[[], Iterator[Row]]] = {
        "ResNet-18, bf16, batch 256: fit : bare step (at least 0.90)": partial(training.rows, "wav", True, 0.9, fit),
        f"ResNet-18, bf16, {EPOCHS} epochs of {TRACKS} tracks of 30 s, cache: memory": _fine_tuning,
        "IndRNN : nn.LSTM (cuDNN), 130 and 1292 frames": partial(indrnn.rows, "cuda"),
        "genre predict, × real time": catalogue.gpu_rows,
    }
    for name, part in parts.items():
        if torch.cuda.is_available():
            yield from ((f"{what}, {torch.cuda.get_device_name()}", figure) for what, figure in part())
        else:
            yield f"cuda: {name}", "not measured: no GPU"


def _fine_tuning() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        write_music(Path(folder), "wav", TRACKS, genres=GENRES)
        data = Folder(
            Path(folder), MelSpectrogram(mean=-30.0, std=15.0), StratifiedSplit(), batch_size=64,
            crops_per_track=10, cache="memory",
        )  # fmt: skip
        classifier = GenreClassifier(partial(ResNet18, pretrained=False), data.genres)
        trainer = pl.Trainer(
            max_epochs=EPOCHS, accelerator="cuda", devices=1, precision="bf16-mixed", num_sanity_val_steps=0,
            logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        )  # fmt: skip
        start = time.perf_counter()
        trainer.fit(classifier, datamodule=data)
    yield f"ResNet-18, bf16, {EPOCHS} epochs of {TRACKS} tracks of 30 s", f"{time.perf_counter() - start:.1f} s"
