"""The built-in corpus: ten synthetic genres, and the folder that they are rendered into.

It shows the library at work without any data, and it has the leak that real corpora have: the tracks of an
artist sound alike beyond their genre, so that a random split scores higher than one that keeps artists apart.
"""

from __future__ import annotations

import csv
import json
import os
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

from genre.data.synthesis import Fingerprint, draw_fingerprint, render
from genre.data.synthetic_recipes import RECIPES

GENRES: tuple[str, ...] = tuple(RECIPES)


class _Job(NamedTuple):
    path: str
    genre: str
    artist: int
    track: int


@dataclass(frozen=True)
class _Parameters:
    """What a corpus is made from; `corpus.json` holds it."""

    seed: int
    tracks_per_genre: int
    artists_per_genre: int
    seconds: float
    sample_rate: int
    genres: list[str]
    format: int = 1  # goes up with every change to the sound, lest an older rendering passes for new

    def jobs(self) -> Iterator[_Job]:
        for genre in self.genres:
            for number in range(self.tracks_per_genre):
                track, artist = divmod(number, self.artists_per_genre)
                yield _Job(f"{genre}/{genre}.{artist}.{track:02d}.wav", genre, artist, track)


def fingerprint(genre: str, artist: int, seed: int) -> Fingerprint:
    """Give what all tracks of an artist have in common."""
    group, place = divmod(artist, 5)
    return draw_fingerprint(_stream(seed, genre, 0, group), place)


def render_track(
    genre: str, artist: int, track: int, seed: int, seconds: float, sample_rate: int
) -> NDArray[np.float32]:
    """Render one track; the same arguments give the same samples.

    Args:
        genre: One of `GENRES`.
        artist: Number of the artist within the genre, from 0.
        track: Number of the track within the artist's, from 0.
        seed: Seed of the corpus, from 0.
        seconds: Duration.
        sample_rate: In Hz, at least 8000.

    Returns:
        The waveform in [-1, 1], of shape (samples,).

    Raises:
        ValueError: If the genre is unknown, a number is negative or there would be no sample.
    """
    _check_sound((genre,), seconds, sample_rate)
    rng = _stream(seed, genre, 1, artist, track)
    return render(RECIPES[genre], fingerprint(genre, artist, seed), rng, seconds, sample_rate)


def write_corpus(
    root: Path,
    seed: int = 0,
    *,
    tracks_per_genre: int = 40,
    artists_per_genre: int = 5,
    seconds: float = 4.0,
    sample_rate: int = 22050,
    genres: Sequence[str] = GENRES,
) -> None:
    """Render the corpus into a folder, unless it is there already.

    It gets ``<genre>/<genre>.<artist>.<track>.wav`` (16 bit, mono), ``tracks.csv`` with the columns path,
    genre and artist, and ``corpus.json``, which tells a later call what is there. It appears all at once, so
    that an interrupted rendering is never taken for a corpus.

    Args:
        root: The folder; its parents are made.
        seed: From 0; the same parameters give the same bytes.
        tracks_per_genre: Shared out evenly among a genre's artists.
        artists_per_genre: At least 1.
        seconds: Duration of a track.
        sample_rate: In Hz, at least 8000.
        genres: Some of `GENRES`.

    Raises:
        FileExistsError: If there is something else in `root`.
        ValueError: If a parameter is out of range.
    """
    _check_sound(genres, seconds, sample_rate)
    if seed < 0 or not 1 <= artists_per_genre <= tracks_per_genre:
        counts = f"{tracks_per_genre} tracks by {artists_per_genre} artists a genre"
        raise ValueError(f"seed {seed}, {counts}: need a seed of at least 0 and a track for each artist")
    names = sorted(set(genres))
    wanted = _Parameters(seed, tracks_per_genre, artists_per_genre, seconds, sample_rate, names)
    root = root.resolve()
    if not _holds(root, wanted):
        _publish(root, wanted)


def _stream(seed: int, genre: str, *ids: int) -> np.random.Generator:
    """A generator for one purpose, by a checksum of the name: `hash` differs from process to process."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(zlib.crc32(genre.encode()), *ids)))


def _check_sound(genres: Sequence[str], seconds: float, sample_rate: int) -> None:
    unknown = sorted(set(genres) - set(GENRES))
    if unknown or not genres:
        raise ValueError(f"genres {unknown} are not synthetic ones: choose from {', '.join(GENRES)}")
    if sample_rate < 8000 or round(seconds * sample_rate) < 1:
        raise ValueError(f"{seconds} s at {sample_rate} Hz: need some sound, at 8000 Hz or more")


def _holds(root: Path, wanted: _Parameters) -> bool:
    """Whether the folder holds this very corpus, rather than nothing; anything else is a FileExistsError."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    try:
        found = json.loads((root / "corpus.json").read_text(encoding="utf-8"))
        differences = [f"{k} {found[k]!r}, not {v!r}" for k, v in asdict(wanted).items() if found[k] != v]
    except (OSError, ValueError, KeyError, TypeError):
        differences = ["it has no corpus.json of one"]
    if differences:
        what = f"something else than the synthetic corpus asked for ({'; '.join(differences)})"
        raise FileExistsError(f"{root} holds {what}: choose another folder, or delete this one")
    return True


def _publish(root: Path, wanted: _Parameters) -> None:
    """Render the corpus beside the folder, then let it take the folder's place."""
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{root.name}.", dir=root.parent) as temporary:
        staged = Path(temporary) / root.name  # not `temporary` itself, which is closed to other users
        _render_into(staged, wanted)
        with suppress(OSError):
            root.rmdir()  # an empty one, which not every platform replaces
        try:
            staged.rename(root)
        except OSError:
            if not _holds(root, wanted):  # it does if another process was faster
                raise


def _render_into(root: Path, wanted: _Parameters) -> None:
    jobs = sorted(wanted.jobs())
    for genre in wanted.genres:
        (root / genre).mkdir(parents=True)
    # Threads: NumPy lets go of the interpreter's lock for most of the time, and they start everywhere.
    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        list(pool.map(partial(_write_track, root, wanted), jobs))
    with (root / "tracks.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("path", "genre", "artist"))
        writer.writerows((job.path, job.genre, f"{job.genre}-{job.artist}") for job in jobs)
    (root / "corpus.json").write_text(json.dumps(asdict(wanted), indent=2) + "\n", encoding="utf-8")


def _write_track(root: Path, wanted: _Parameters, job: _Job) -> None:
    wave = render_track(job.genre, job.artist, job.track, wanted.seed, wanted.seconds, wanted.sample_rate)
    pcm = np.rint(wave * 32767).astype(np.int16)  # here, so that no setting of libsndfile's decides
    soundfile.write(root / job.path, pcm, wanted.sample_rate, subtype="PCM_16")
