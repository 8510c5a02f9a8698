"""Training from decoded tracks: a fit against its bare step, an epoch from mp3 against one from wav, and the decoding.

All of a comparison run in turn in one process, in several rounds.
"""

import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import soundfile
import torch

from benchmarks.fit_loop import BATCHES, GENRES, TRACKS, Clock, bare_step
from genre import GenreClassifier
from genre.audio.cache import DecodedCache, count_cores
from genre.audio.decode import decode
from genre.data import Folder, MelSpectrogram, StratifiedSplit
from genre.models import ResNet18

SECONDS, BATCH, ROUNDS = 30, 32, 3

#: The format, the rate in hertz and the number of channels of each kind of file.
KINDS = {"wav": (22050, 1), "mp3": (44100, 2)}


def rows() -> list[tuple[str, str]]:
    """The ratios, each the median of the rounds with the smallest and the largest."""
    with tempfile.TemporaryDirectory() as folder:
        roots = {kind: _write(Path(folder) / kind, kind) for kind in KINDS}
        cache = Path(folder) / "decoded"
        return [*_building(roots["mp3"], Path(folder)), *_epochs(roots, cache), *_fits(roots, cache)]


def _fits(roots: dict[str, Path], cache: Path) -> list[tuple[str, str]]:
    cases = {
        "wav, decoded cache (at least 0.97)": (roots["wav"], str(cache)),
        "mp3, decoded cache (at least 0.97)": (roots["mp3"], str(cache)),
        "mp3, cache: memory (at least 0.97)": (roots["mp3"], "memory"),
        "wav without a cache (at least 0.90)": (roots["wav"], None),
    }
    ratios: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(ROUNDS):
        for name, (root, place) in cases.items():
            before = bare_step("cpu", BATCH, "32-true")
            fit = _fit(_data(root, place))
            bare = statistics.mean([before, bare_step("cpu", BATCH, "32-true")])  # a drift hits both alike
            ratios[name].append(bare / fit)
    return [(f"ResNet-18, fit : bare step, {name}", _spread(values)) for name, values in ratios.items()]


def _epochs(roots: dict[str, Path], cache: Path) -> list[tuple[str, str]]:
    """Only what the loader and the features take: the network's share is the same."""
    _epoch(_data(roots["mp3"], str(cache)))
    ratios = []
    for _ in range(2 * ROUNDS + 1):
        ratios.append(_epoch(_data(roots["mp3"], str(cache))) / _epoch(_data(roots["wav"], None)))
    return [("loader and features, mp3 from a warm cache : wav (at most 1.05)", _spread(ratios))]


def _building(root: Path, folder: Path) -> list[tuple[str, str]]:
    paths, ratios = sorted(root.rglob("*.mp3")), []
    for turn in range(ROUNDS):
        start = time.perf_counter()
        with ThreadPoolExecutor(count_cores()) as pool:
            list(pool.map(lambda path: sum(len(block) for block in decode(path)[1]), paths))
        bare = time.perf_counter() - start
        start = time.perf_counter()
        DecodedCache(folder / f"built{turn}", 22050).fill(paths)
        ratios.append(bare / (time.perf_counter() - start))
    return [(f"bare decoding on {count_cores()} cores : building the cache, mp3 (at least 0.9)", _spread(ratios))]


def _write(root: Path, kind: str) -> Path:
    rate, channels = KINDS[kind]
    random = np.random.default_rng(0)
    for genre in range(GENRES):
        (root / f"genre{genre}").mkdir(parents=True)
        for track in range(TRACKS):
            wave = random.normal(0, 0.1, (SECONDS * rate, channels))
            soundfile.write(root / f"genre{genre}" / f"{track}.{kind}", wave, rate)
    return root


def _data(root: Path, cache: str | None) -> Folder:
    return Folder(
        root,
        MelSpectrogram(mean=-30.0, std=15.0),
        StratifiedSplit(validation=0.2, test=0),
        batch_size=BATCH,
        crops_per_track=-(-BATCH * BATCHES // (GENRES * TRACKS * 4 // 5)),
        num_workers=1,
        cache=cache,
    )


def _epoch(data: Folder) -> float:
    data.setup("fit")
    start = time.perf_counter()
    for batch in data.train_dataloader():
        data.to_inputs(batch, training=True)
    return time.perf_counter() - start


def _fit(data: Folder) -> float:
    classifier = GenreClassifier(partial(ResNet18, pretrained=False), data.genres, channels_last=True)
    clock = Clock()
    trainer = pl.Trainer(
        max_epochs=1, limit_train_batches=BATCHES, limit_val_batches=0, num_sanity_val_steps=0,
        accelerator="cpu", callbacks=[clock], logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(classifier, datamodule=data)
    return clock.seconds()


def _spread(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f} in {len(ratios)} rounds)"


if __name__ == "__main__":
    print(f"{torch.get_num_threads()} threads, {count_cores()} cores")
    for what, figure in rows():
        print(f"{what:<80}{figure}", flush=True)
