"""The decoded cache: an epoch from mp3 against one from wav, and the building of the cache against bare decoding."""

import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.music import write_music
from benchmarks.timing import Row, spread
from benchmarks.training import GENRES, SECONDS, TRACKS, make_data
from genre.audio.cache import DecodedCache, count_cores
from genre.audio.decode import decode
from genre.data import Folder

ROUNDS = 5


def epoch_rows() -> Iterator[Row]:
    """Only what the loader and the features take: the network's share is the same."""
    with tempfile.TemporaryDirectory() as folder:
        mp3, wav, cache = (Path(folder) / name for name in ("mp3", "wav", "decoded"))
        for root in (mp3, wav):
            write_music(root, root.name, TRACKS, SECONDS, GENRES)
        _epoch(make_data(mp3, cache))
        ratios = [_epoch(make_data(mp3, cache)) / _epoch(make_data(wav, None)) for _ in range(ROUNDS)]
    yield "loader and features of an epoch, mp3 from a warm cache : wav (at most 1.05)", spread(ratios)


def _epoch(data: Folder) -> float:
    data.setup("fit")
    start = time.perf_counter()
    for batch in data.train_dataloader():
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
