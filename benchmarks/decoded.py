"""The decoded cache: an epoch from mp3 against one from wav, and the building of the cache against bare decoding."""

import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytorch_lightning as pl

from benchmarks.music import write_music
from benchmarks.timing import Row, spread
from benchmarks.training import GENRES, SECONDS, TRACKS, make_data
from genre import GenreClassifier
from genre.audio.cache import DecodedCache, count_cores
from genre.audio.decode import decode
from genre.data import Folder
from genre.models import SpectralCNN

ROUNDS = 4


def epoch_rows() -> Iterator[Row]:
    """An epoch of a small network, and what loader and features take of it; neither is the worker's first."""
    with tempfile.TemporaryDirectory() as folder:
        mp3, wav, cache = (Path(folder) / name for name in ("mp3", "wav", "decoded"))
        for root in (mp3, wav):
            write_music(root, root.name, TRACKS, SECONDS, GENRES)
        _load(make_data(mp3, cache))  # builds the cache
        for what, goal, epoch in (
            ("epoch of SpectralCNN", " (at most 1.05)", _train),
            ("loader and features of an epoch", "", _load),
        ):
            ratios = [epoch(make_data(mp3, cache)) / epoch(make_data(wav, None)) for _ in range(ROUNDS)]
            yield f"{what}, mp3 from a warm cache : wav without one{goal}", spread(ratios)


class _Epochs(pl.Callback):
    """Notes when each epoch began and ended."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._start = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._start = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.seconds.append(time.perf_counter() - self._start)


def _train(data: Folder) -> float:
    """Seconds of the second epoch: in the first, the worker starts, and opens each file for the first time."""
    clock = _Epochs()
    trainer = pl.Trainer(
        max_epochs=2, limit_val_batches=0, num_sanity_val_steps=0, accelerator="cpu", callbacks=[clock],
        logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(GenreClassifier(SpectralCNN, data.genres), datamodule=data)
    return clock.seconds[1]


def _load(data: Folder) -> float:
    """Seconds of the second epoch without a network."""
    data.setup("fit")
    loader = data.train_dataloader()
    for _ in range(2):
        start = time.perf_counter()
        for batch in loader:
            data.to_inputs(batch, training=True)
    return time.perf_counter() - start


def building_rows() -> Iterator[Row]:
    """Both use one thread per core."""
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        files = write_music(Path(folder) / "music", "mp3", TRACKS)
        for turn in range(ROUNDS):
            start = time.perf_counter()
            with ThreadPoolExecutor(count_cores()) as pool:
                list(pool.map(lambda path: sum(len(block) for block in decode(path)[1]), files))
            bare = time.perf_counter() - start
            start = time.perf_counter()
            DecodedCache(Path(folder) / f"built{turn}", 22050).fill(files)
            ratios.append(bare / (time.perf_counter() - start))
    yield f"bare decoding on {count_cores()} cores : building the cache, mp3 (at least 0.9)", spread(ratios)
