"""Generated music."""

import os
import shutil
from pathlib import Path

import numpy as np
import soundfile

#: The rate in hertz and the number of channels of each kind of file.
KINDS = {"wav": (22050, 1), "mp3": (44100, 2)}


def write_music(root: Path, kind: str, count: int, seconds: float = 30, genres: int = 1) -> list[Path]:
    """Writes files of noise as ``<root>/<genre>/<file>``.

    Encoding takes long, so nine of ten are copies of the tenth. They have another time of change, so a decoded cache
    takes them for other files.
    """
    rate, channels = KINDS[kind]
    random, files = np.random.default_rng(0), []
    encoded = -(-count // 10)
    for number in range(count):
        files.append(root / f"genre{number % genres}" / f"{number}.{kind}")
        files[-1].parent.mkdir(parents=True, exist_ok=True)
        if number < encoded:
            wave = random.normal(0, 0.1, (round(seconds * rate), channels)).astype(np.float32)
            soundfile.write(files[-1], wave, rate)
        else:
            shutil.copyfile(files[number % encoded], files[-1])
        os.utime(files[-1], (number, number))
    return files
