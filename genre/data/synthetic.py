"""The built-in corpus: ten synthetic genres with five artists each, rendered into a folder.

It shows the library at work without any data, and it has the leak of real corpora. A classifier can learn the music of
a genre or the recordings of its artists: a random split scores higher than one that keeps artists apart.
"""

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from genre.data.csv import read_track_list
from genre.data.datamodule import GenreDataModule
from genre.data.synthesis import STYLES, render_track
from genre.data.track import Corpus
from genre.errors import GenreError

#: Goes up with every change to the sound, so that an older rendering does not pass for a new one.
FORMAT = 2


class Synthetic(GenreDataModule):
    """Synthetic music: 400 clips of 4 s, 10 genres of 5 artists each, rendered into ``root`` where it is empty.

    Example:
        >>> from genre.audio import MelSpectrogram
        >>> from genre.data import Synthetic, StratifiedSplit
        >>> data = Synthetic("data/synthetic", features=MelSpectrogram(), split=StratifiedSplit())
        >>> data.samples  # the corpus is rendered when its tracks are first listed
        66150
    """

    def read_corpus(self) -> Corpus:  # noqa: D102
        return read_synthetic(self.root)


def read_synthetic(root: Path) -> Corpus:
    """Renders the corpus into a folder, unless it is there, and lists its tracks."""
    try:
        write_corpus(root)
    except OSError as error:
        raise GenreError(f"{error}; check data.root") from None
    return read_track_list(root / "tracks.csv")


def write_corpus(
    root: Path,
    seed: int = 0,
    *,
    tracks_per_genre: int = 40,
    artists_per_genre: int = 5,
    seconds: float = 4.0,
    sample_rate: int = 22050,
    genres: Sequence[str] = tuple(STYLES),
) -> None:
    """Renders ``<genre>/<genre>.<artist>.<track>.wav`` and ``tracks.csv`` into a folder, unless they are there already.

    The same arguments give the same bytes. The folder appears all at once, so that an interrupted rendering never
    passes for a corpus; its ``corpus.json`` holds the arguments. If the folder holds something else, a
    ``FileExistsError`` is raised, and a ``ValueError`` if an argument is out of range.
    """
    unknown = sorted(set(genres) - set(STYLES))
    if unknown or not genres:
        raise ValueError(f"genres {unknown} are not synthetic ones: choose from {', '.join(STYLES)}")
    if sample_rate < 8000 or round(seconds * sample_rate) < 1:
        raise ValueError(f"{seconds} s at {sample_rate} Hz: need some sound, at 8000 Hz or more")
    if seed < 0 or not 1 <= artists_per_genre <= tracks_per_genre:
        counts = f"{tracks_per_genre} tracks by {artists_per_genre} artists per genre"
        raise ValueError(f"seed {seed}, {counts}: need a seed of at least 0 and a track for each artist")
    arguments: dict[str, Any] = {"format": FORMAT, "seed": seed, "seconds": seconds, "sample_rate": sample_rate}
    arguments |= {"tracks_per_genre": tracks_per_genre, "artists_per_genre": artists_per_genre}
    arguments["genres"] = sorted(set(genres))
    root = root.resolve()
    if not _holds(root, arguments):
        _publish(root, arguments)


def _holds(root: Path, arguments: Mapping[str, Any]) -> bool:
    """Whether the folder holds this corpus, rather than nothing; raises a FileExistsError if it holds another thing."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    try:
        there = json.loads((root / "corpus.json").read_text(encoding="utf-8"))
        differences = [f"{k} {there[k]!r}, not {v!r}" for k, v in arguments.items() if there[k] != v]
    except (OSError, ValueError, KeyError, TypeError):
        differences = ["it has no corpus.json of one"]
    if differences:
        problem = f"something else than the synthetic corpus asked for ({'; '.join(differences)})"
        raise FileExistsError(f"{root} holds {problem}: choose another folder, or delete this one")
    return True


def _publish(root: Path, arguments: Mapping[str, Any]) -> None:
    """Renders the corpus beside the folder, then lets it take the folder's place."""
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{root.name}.", dir=root.parent) as temporary:
        staged = Path(temporary) / root.name  # not `temporary` itself, which is closed to other users
        _render_into(staged, arguments)
        try:
            staged.rename(root)  # replaces an empty folder
        except OSError:
            if not _holds(root, arguments):  # it does if another process was faster
                raise


def _render_into(root: Path, arguments: Mapping[str, Any]) -> None:
    seed, seconds, rate = arguments["seed"], arguments["seconds"], arguments["sample_rate"]
    numbers = [divmod(number, arguments["artists_per_genre"]) for number in range(arguments["tracks_per_genre"])]
    keys = sorted((genre, artist, track) for genre in arguments["genres"] for track, artist in numbers)
    rows = [(f"{genre}/{genre}.{artist}.{track:02d}.wav", genre, f"{genre}-{artist}") for genre, artist, track in keys]

    def write(path: str, key: tuple[str, int, int]) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        pcm = np.rint(render_track(*key, seed, seconds, rate) * 32767).astype(np.int16)
        soundfile.write(root / path, pcm, rate, subtype="PCM_16")

    # Threads: NumPy releases the interpreter's lock most of the time, and threads start on every platform.
    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        list(pool.map(write, [row[0] for row in rows], keys))
    lines = (",".join(row) + "\n" for row in [("path", "genre", "artist"), *rows])
    (root / "tracks.csv").write_bytes("".join(lines).encode())
    (root / "corpus.json").write_text(json.dumps(arguments, indent=2) + "\n", encoding="utf-8")
