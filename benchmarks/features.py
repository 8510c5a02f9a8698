"""Log-mel features of 3-s clips against librosa, on the same number of threads."""

from collections.abc import Iterator

import librosa
import torch

from benchmarks.timing import Row, medians
from genre.data import MelSpectrogram

CLIPS, SAMPLES = 32, 66150


def rows() -> Iterator[Row]:
    """Milliseconds per clip, and the ratio."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # librosa uses one thread for its Fourier transforms; so do we here
    try:
        waveforms = torch.randn(CLIPS, 1, SAMPLES) / 10
        features = MelSpectrogram(mean=0.0, std=1.0)
        clips = waveforms.squeeze(1).numpy()

        def with_librosa() -> None:
            for clip in clips:
                librosa.power_to_db(librosa.feature.melspectrogram(y=clip, sr=22050, pad_mode="reflect"))

        seconds = medians({"genre": lambda: features(waveforms), "librosa": with_librosa}, rounds=15)
    finally:
        torch.set_num_threads(before)
    ours, theirs = (seconds[name] / CLIPS * 1000 for name in ("genre", "librosa"))
    yield "log-mel of a 3-s clip, 1 thread: genre, librosa", f"{ours:.2f} ms, {theirs:.2f} ms"
    yield "log-mel, 1 thread: librosa : genre (at least 2)", f"{theirs / ours:.2f}"
