"""How long a prediction takes to start: the imports of ``genre.load`` against those of torch and torchaudio."""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.catalogue import write_checkpoint, write_music

ROUNDS = 5


def rows() -> list[tuple[str, str]]:
    """Seconds, the median of several turns."""
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = write_checkpoint(Path(folder) / "network.ckpt")
        (song,) = write_music(Path(folder) / "music", "wav", 1)
        commands = {
            "torch": ["-c", "import torch, torchaudio"],
            "load": ["-c", f"import genre; genre.load({str(checkpoint)!r})"],
            "predict": ["-m", "genre", "predict", "--ckpt_path", str(checkpoint), str(song)],
        }
        seconds: dict[str, list[float]] = {name: [] for name in commands}
        for turn in range(ROUNDS + 1):
            for name, command in commands.items():
                start = time.perf_counter()
                subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
                if turn:  # the first reads the files of the packages from the disk
                    seconds[name].append(time.perf_counter() - start)
    torch, load, predict = (statistics.median(seconds[name]) for name in commands)
    ratios = [load / torch for load, torch in zip(seconds["load"], seconds["torch"], strict=True)]
    return [
        ("import torch, torchaudio", f"{torch:.2f} s"),
        ("import genre; genre.load(CKPT)", f"{load:.2f} s"),
        ("genre.load : torch, torchaudio (at most 1.30)", f"{statistics.median(ratios):.2f}"),
        ("genre predict of one file", f"{predict:.2f} s"),
    ]


if __name__ == "__main__":
    for what, figure in rows():
        print(f"{what:<72}{figure}")
