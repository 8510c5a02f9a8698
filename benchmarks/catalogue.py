"""``genre predict`` over many 30-s files, side by side with a loop of librosa, bare decoding and bare computing.

All use the same cores: the loop of librosa runs in one process per core, the others in one thread per core. The network
is a SpectralCNN on mel spectrograms; every file has ten segments of 3 s.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import librosa
import numpy as np
import torch
from torch import nn

import genre
from benchmarks.music import write_music
from benchmarks.timing import Row, ratio, seconds_in_turn
from genre.audio import MelSpectrogram
from genre.audio.cache import count_cores
from genre.audio.decode import decode
from genre.catalogue import Settings, predict_catalogue
from genre.checkpoint import CHECKPOINT_FORMAT
from genre.config import to_config
from genre.models import SpectralCNN

FILES = int(os.environ.get("GENRE_BENCH_FILES", "200"))
SECONDS, GENRES, ROUNDS = 30, 10, 3
RATE, SAMPLES, SEGMENTS = 22050, 66150, 10


def rows(kind: str) -> Iterator[Row]:
    """Files per second, and their ratios."""
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = write_checkpoint(Path(folder) / "network.ckpt")
        yield from _compare(checkpoint, write_music(Path(folder) / "music", kind, FILES, SECONDS), kind)


def gpu_rows() -> Iterator[Row]:
    """Seconds of music that a GPU predicts per second."""
    with tempfile.TemporaryDirectory() as folder:
        predictor = genre.load(write_checkpoint(Path(folder) / "network.ckpt"), device="cuda")
        for kind in ("wav", "mp3"):
            files = write_music(Path(folder) / kind, kind, FILES, SECONDS)
            settings = Settings.choose(predictor.device)
            candidates = {kind: partial(_predict, predictor, files, settings)}
            speed = FILES / statistics.median(seconds_in_turn(candidates, ROUNDS)[kind])
            yield f"genre predict, {FILES} {kind} files of {SECONDS} s, cuda", f"{speed * SECONDS:.0f} × real time"


def write_checkpoint(file: Path) -> Path:
    """A checkpoint of an untrained network."""
    network = SpectralCNN(GENRES)
    content = {
        "format": CHECKPOINT_FORMAT,
        "genres": [f"genre{index}" for index in range(GENRES)],
        "network": {"class_path": "genre.models.SpectralCNN", "init_args": {}},
        "features": to_config(MelSpectrogram(mean=-30.0, std=15.0)),
        "segment_seconds": 3.0,
        "evaluation_segments": SEGMENTS,
        "provenance": None,
    }
    weights = {f"network.{name}": value for name, value in network.state_dict().items()}
    torch.save({"genre": content, "state_dict": weights}, file)
    return file


def _compare(checkpoint: Path, files: Sequence[Path], kind: str) -> Iterator[Row]:
    cores = count_cores()
    predictor = genre.load(checkpoint)
    settings = Settings.choose(torch.device("cpu"))
    with (
        ProcessPoolExecutor(cores, get_context("spawn"), _begin_librosa, (checkpoint,)) as processes,
        ThreadPoolExecutor(cores, initializer=torch.set_num_threads, initargs=(1,)) as threads,
    ):
        candidates: dict[str, Callable[[], object]] = {
            "genre predict": partial(_predict, predictor, files, settings),
            "the loop of librosa": lambda: list(processes.map(_with_librosa, files)),
            "bare decoding": lambda: list(threads.map(_decode, files)),
            "bare computing": lambda: list(threads.map(partial(_compute, predictor), files)),
        }
        seconds = seconds_in_turn(candidates, ROUNDS)
    for name, values in seconds.items():
        speed = len(files) / statistics.median(values)
        title = f"{name}, {len(files)} {kind} files of {SECONDS} s, {cores} cores"
        yield title, f"{speed:.1f} files/s, {speed * SECONDS:.0f} × real time"
    predict, librosa, decoding, computing = seconds.values()
    pairs = list(zip(decoding, computing, strict=True))
    yield f"{kind}: genre predict : the loop of librosa (at least 3)", ratio(librosa, predict)
    slower = [max(pair) for pair in pairs]
    yield f"{kind}: genre predict : the slower of the two bare ones (at least 0.8)", ratio(slower, predict)
    yield f"{kind}: genre predict : both bare ones, one after the other", ratio([sum(pair) for pair in pairs], predict)


def _predict(predictor: genre.Predictor, files: Sequence[Path], settings: Settings) -> None:
    for _ in predict_catalogue(genre.Ensemble([predictor]), files, settings):
        pass


_network: nn.Module


def _begin_librosa(checkpoint: Path) -> None:
    global _network
    torch.set_num_threads(1)
    _network = genre.load(checkpoint).network


@torch.inference_mode()
def _with_librosa(file: Path) -> list[float]:
    """What a plain script does: load, ten segments, mel spectrogram in decibels, network, mean."""
    wave, _ = librosa.load(file, sr=RATE)
    starts = np.linspace(0, len(wave) - SAMPLES, SEGMENTS).round().astype(int)
    mels = [
        librosa.power_to_db(librosa.feature.melspectrogram(y=wave[start : start + SAMPLES], sr=RATE))
        for start in starts
    ]
    inputs = (torch.from_numpy(np.stack(mels)).unsqueeze(1) + 30) / 15
    mean: list[float] = _network(inputs).softmax(1).mean(0).tolist()
    return mean


def _decode(file: Path) -> None:
    for _ in decode(file)[1]:
        pass


def _compute(predictor: genre.Predictor, _: Path) -> None:
    predictor.probabilities(torch.randn(SEGMENTS, 1, SAMPLES))


def memory_rows() -> Iterator[Row]:
    """Peak memory of ``genre predict --out`` over short files."""
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = write_checkpoint(Path(folder) / "network.ckpt")
        files = write_music(Path(folder) / "music", "wav", 10 * FILES, seconds=3)
        few, many = (_peak(checkpoint, files[:count], Path(folder)) for count in (FILES, 10 * FILES))
    yield f"peak memory of genre predict, {FILES} and {10 * FILES} files", f"{few:.0f} and {many:.0f} MiB"
    yield "ratio (at most 1.05)", f"{many / few:.3f}"


def _peak(checkpoint: Path, files: Sequence[Path], folder: Path) -> float:
    """MiB of a process of its own."""
    (folder / "list").write_text("\n".join(map(str, files)))
    code = (
        "import resource, sys\nfrom genre.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)\n"
    )
    options = ["--ckpt_path", checkpoint, "--list", folder / "list", "--out", folder / f"{len(files)}.csv"]
    command = [sys.executable, "-c", code, "predict", *map(str, options)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(done.stderr) / (1 << 20 if sys.platform == "darwin" else 1 << 10)
