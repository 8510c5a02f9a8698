"""A linear probe on both MusiCNN networks: its first fit against one pass over the music, and a second fit."""

import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from benchmarks.music import write_music
from benchmarks.timing import Row
from genre import GenreClassifier, GenreError, LinearProbe
from genre.data import GTZAN, Folder, GenreDataModule, StratifiedSplit
from genre.models import MusiCNN, SideBySide

#: Real music, where it is at hand.
GTZAN_MINI = Path(__file__).parents[2] / "shared" / "gtzan-mini"

NETWORKS = [{"class_path": "genre.models.MusiCNN", "init_args": {"pretrained": source}} for source in ("msd", "mtt")]
GENRES, TRACKS, SECONDS = 4, 120, 12
EPOCHS = 20  # as in examples/transfer/musicnn_probe.yaml


def rows() -> Iterator[Row]:
    """The seconds of both fits, and the first one's ratio to a pass."""
    with tempfile.TemporaryDirectory() as folder:
        root = GTZAN_MINI
        if not root.is_dir():
            root = Path(folder) / "music"
            write_music(root, "wav", TRACKS, SECONDS, GENRES)
        name = f"probe on both MusiCNN networks, {'gtzan-mini' if root == GTZAN_MINI else 'generated audio'}"
        try:
            one_pass = _pass(root)
        except GenreError as error:  # without the weights
            yield name, f"not measured: {error}"
            return
        yield f"{name}: one pass", f"{one_pass:.1f} s"
        first = _fit(root, Path(folder))
        yield (
            f"{name}: first fit : one pass (at most 1.30)",
            f"{first:.1f} s : {one_pass:.1f} s = {first / one_pass:.2f}",
        )
        yield f"{name}: second fit, {EPOCHS} epochs (at most 10 s)", f"{_fit(root, Path(folder)):.1f} s"


def _data(root: Path) -> GenreDataModule:
    real = root == GTZAN_MINI
    split = StratifiedSplit(validation=0.2, test=0.2, by_artist=real)
    return (GTZAN if real else Folder)(root, MusiCNN.features(), split, fixed_segments=True, balanced=True)


@torch.no_grad()
def _pass(root: Path) -> float:
    """Seconds that it takes to decode as many segments as a fit has, and to run features and backbone on them."""
    data = _data(root)
    data.setup("fit")
    backbone = SideBySide(len(data.genres), NETWORKS).backbone.eval()
    loaders: list[Any] = [data.train_dataloader(), data.val_dataloader()]
    start = time.perf_counter()
    for loader in loaders:
        for batch in loader:
            backbone(data.to_inputs(batch).inputs)
    return time.perf_counter() - start


def _fit(root: Path, folder: Path) -> float:
    """Seconds of a fit whose embeddings are kept in the folder."""
    pl.seed_everything(0, verbose=False)
    data = _data(root)
    classifier = GenreClassifier(partial(SideBySide, networks=NETWORKS, dropout=0.5), data.genres, lr=0.001)
    trainer = pl.Trainer(
        max_epochs=EPOCHS, accelerator="cpu", num_sanity_val_steps=0, callbacks=[LinearProbe(folder / "embeddings")],
        logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    start = time.perf_counter()
    trainer.fit(classifier, datamodule=data)
    return time.perf_counter() - start
