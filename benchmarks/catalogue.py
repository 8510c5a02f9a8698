"""``genre predict`` over many 30-s files, side by side with a loop of librosa, bare decoding and bare computing.

All use the same cores: the loop of librosa runs in one process per core, the others in one thread per core. The network
is a SpectralCNN on mel spectrograms; every file has ten segments of 3 s.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import librosa
import numpy as np
import soundfile
import torch
from torch import nn

import genre
from genre.audio import MelSpectrogram
from genre.audio.cache import count_cores
from genre.audio.decode import decode
from genre.catalogue import Settings, predict_catalogue
from genre.checkpoint import CHECKPOINT_FORMAT
from genre.config import to_config
from genre.models import SpectralCNN

#: The format, the rate in hertz and the number of channels of each kind of file.
KINDS = {"wav": (22050, 1), "mp3": (44100, 2)}
FILES = int(os.environ.get("GENRE_BENCH_FILES", "200"))
SECONDS, GENRES, ROUNDS = 30, 10, 3
RATE, SAMPLES, SEGMENTS = 22050, 66150, 10


def rows() -> list[tuple[str, str]]:
    """Files per second, their ratios, and the memory that ten times as many files take."""
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = write_checkpoint(Path(folder) / "network.ckpt")
        found: list[tuple[str, str]] = []
        for kind in KINDS:
            found += _compare(checkpoint, write_music(Path(folder) / kind, kind, FILES), kind)
        return found + _memory(checkpoint, Path(folder))


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


def write_music(root: Path, kind: str, count: int, seconds: float = SECONDS) -> list[Path]:
    """Files of noise; the tenth part of them is written, the others are links to them."""
    rate, channels = KINDS[kind]
    root.mkdir(parents=True)
    random, files = np.random.default_rng(0), []
    for number in range(count):
        files.append(root / f"{number}.{kind}")
        if number < -(-count // 10):
            wave = random.normal(0, 0.1, (round(seconds * rate), channels)).astype(np.float32)
            soundfile.write(files[-1], wave, rate)
        else:
            os.link(files[number % -(-count // 10)], files[-1])
    return files


def _compare(checkpoint: Path, files: Sequence[Path], kind: str) -> list[tuple[str, str]]:
    cores = count_cores()
    predictor = genre.load(checkpoint)
    settings = Settings.choose(torch.device("cpu"))
    with (
        ProcessPoolExecutor(cores, get_context("spawn"), _begin_librosa, (checkpoint,)) as processes,
        ThreadPoolExecutor(cores, initializer=torch.set_num_threads, initargs=(1,)) as threads,
    ):
        list(processes.map(_with_librosa, files[:cores]))
        candidates: dict[str, Callable[[], object]] = {
            "predict": lambda: list(predict_catalogue(genre.Ensemble([predictor]), files, settings)),
            "librosa": lambda: list(processes.map(_with_librosa, files)),
            "decoding": lambda: list(threads.map(_decode, files)),
            "computing": lambda: list(threads.map(partial(_compute, predictor), files)),
        }
        seconds: dict[str, list[float]] = {name: [] for name in candidates}
        for _ in range(ROUNDS):
            for name, candidate in candidates.items():
                start = time.perf_counter()
                candidate()
                seconds[name].append(time.perf_counter() - start)
    slower = [max(pair) for pair in zip(seconds["decoding"], seconds["computing"], strict=True)]
    title = f"genre predict, {len(files)} {kind} files of {SECONDS} s, {cores} cores"
    speed = len(files) / statistics.median(seconds["predict"])
    return [
        (title, f"{speed:.1f} files/s, {speed * SECONDS:.0f} × real time"),
        *(
            (f"{kind}: {name}", f"{len(files) / statistics.median(seconds[name]):.1f} files/s")
            for name in list(candidates)[1:]
        ),
        (f"{kind}: predict : librosa's loop (at least 3)", _ratio(seconds["librosa"], seconds["predict"])),
        (f"{kind}: predict : the slower of the two bare ones (at least 0.8)", _ratio(slower, seconds["predict"])),
    ]


def _ratio(theirs: Sequence[float], ours: Sequence[float]) -> str:
    ratios = [a / b for a, b in zip(theirs, ours, strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f} in {len(ratios)} rounds)"


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


def _memory(checkpoint: Path, folder: Path) -> list[tuple[str, str]]:
    """Peak memory of ``genre predict --out`` over short files."""
    many = 10 * FILES
    write_music(folder / "short", "wav", many, seconds=3)
    peaks = []
    for count in (FILES, many):
        (folder / "list").write_text("\n".join(str(folder / "short" / f"{number}.wav") for number in range(count)))
        command = [
            "predict",
            "--ckpt_path",
            str(checkpoint),
            "--list",
            str(folder / "list"),
            "--out",
            str(folder / f"{count}.csv"),
        ]
        code = (
            "import resource, sys\nfrom genre.cli import main\n"
            "try: main(sys.argv[1:])\n"
            "finally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)\n"
        )
        done = subprocess.run([sys.executable, "-c", code, *command], check=True, capture_output=True, text=True)
        peaks.append(int(done.stderr) / (1 << 20 if sys.platform == "darwin" else 1 << 10))
    return [
        (f"peak memory of genre predict, {FILES} and {many} files", f"{peaks[0]:.0f} and {peaks[1]:.0f} MiB"),
        ("ratio (at most 1.05)", f"{peaks[1] / peaks[0]:.3f}"),
    ]


if __name__ == "__main__":
    print(f"torch {torch.__version__}")
    for what, figure in rows():
        print(f"{what:<72}{figure}")
