"""How long a prediction takes to start: the imports of ``genre.load`` against those of torch and torchaudio."""

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.catalogue import write_checkpoint
from benchmarks.music import write_music
from benchmarks.timing import Row, ratio, seconds_in_turn

ROUNDS = 4


def rows() -> Iterator[Row]:
    """Seconds, the median of several rounds; the first, which reads the packages from the disk, does not count."""
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = write_checkpoint(Path(folder) / "network.ckpt")
        (song,) = write_music(Path(folder) / "music", "wav", 1)
        commands = {
            "import torch, torchaudio": ["-c", "import torch, torchaudio"],
            "import genre; genre.load(CKPT)": ["-c", f"import genre; genre.load({str(checkpoint)!r})"],
            "genre predict of one file": ["-m", "genre", "predict", "--ckpt_path", str(checkpoint), str(song)],
        }
        seconds = seconds_in_turn({name: partial(_run, command) for name, command in commands.items()}, ROUNDS)
    for name, values in seconds.items():
        yield name, f"{statistics.median(values):.2f} s"
    torch, load, _ = seconds.values()
    yield (
        "genre.load : import torch, torchaudio (at most 1.30)",
        ratio(load, torch),
    )


def _run(command: list[str]) -> None:
    subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
