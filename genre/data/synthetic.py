"""The built-in corpus: ten synthetic genres with five artists each, rendered into a folder.

It shows the library at work without any data, and it has the leak of real corpora. The genre is in the music (tempo,
drums, chords, instruments), the artist is in the recording (tuning, room, equaliser), and a classifier can learn
either: a random split scores higher than one that keeps artists apart.
"""

import csv
import json
import math
import os
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

from genre.data.csv import read_track_list
from genre.data.datamodule import GenreDataModule
from genre.data.track import Corpus
from genre.errors import GenreError

Signal = NDArray[np.float64]

#: Goes up with every change to the sound, so that an older rendering does not pass for a new one.
FORMAT = 2

#: Samples in an oscillator's cycle; a power of two, so that a mask wraps the phase.
TABLE = 4096

#: Semitones above the root. All chords of one style have as many tones.
CHORDS = {
    **{"M": (0, 4, 7), "m": (0, 3, 7), "p": (0, 7, 12)},
    **{"M7": (0, 4, 7, 11), "m7": (0, 3, 7, 10), "7": (0, 4, 7, 10), "9": (0, 7, 11, 14)},
}


class Voice(NamedTuple):
    """A pitched instrument."""

    rolloff: float  # harmonic n has the amplitude n ** -rolloff
    attack: float  # seconds to full level
    decay: float  # time constant in seconds of the fade after it
    odd: bool = False  # only odd harmonics, as in a square wave
    chorus: float = 0.0  # cents between two detuned copies
    drive: float = 0.0  # gain into a soft clipper that all notes of the part share


class Drum(NamedTuple):
    """A sine that falls to ``hertz``, and noise between ``low`` and ``high`` Hz."""

    hertz: float
    low: float
    high: float
    noise: float  # its share, 0 to 1
    decay: float  # time constant in seconds


class Part(NamedTuple):
    """What a voice plays.

    A pattern has one character per step: a dot rests, an ``x`` plays the chord, a digit plays that tone of the chord,
    counted on into the octaves above. Spaces separate the patterns, of which a track takes one.
    """

    voice: Voice
    register: int  # lowest MIDI note of a chord's root
    hold: float  # steps that a note is held
    gain: float
    patterns: str


class Style(NamedTuple):
    """What makes a genre."""

    tempo: tuple[float, float]  # slowest and fastest, in beats per minute
    progressions: tuple[str, ...]  # alternatives; for each bar semitones above the key, ":", key of CHORDS
    drums: Mapping[Drum, str]  # patterns of each
    parts: Sequence[Part]  # at most three
    steps: int = 4  # in a beat
    bar: int = 16  # steps in a bar
    swing: float = 0.0  # delay of every second step, in steps


class Artist(NamedTuple):
    """What all tracks of an artist have in common, and no other artist of the genre has."""

    tuning: float  # cents away from A = 440 Hz
    key: int  # favourite, in semitones above C
    haste: float  # place in the genre's tempo range, 0 to 1
    dullness: float  # added to the rolloff of every voice
    kit: float  # factor on the drums' frequencies
    balance: tuple[float, ...]  # levels in dB of the drums and of the parts
    room_decay: float  # time constant in seconds
    room_mix: float  # reverberation over direct sound
    tilt: float  # of the equaliser, in dB per octave
    peak: tuple[float, float, float]  # of the equaliser: Hz, dB, octaves
    hiss: float  # noise over the music's peak
    level: float  # greatest absolute value, 0 to 1
    room_seed: int


PAD = Voice(1.4, attack=0.5, decay=4.0, chorus=14)
STRINGS = Voice(1.1, attack=0.08, decay=1.5, chorus=18)
ORGAN = Voice(1.6, attack=0.01, decay=3.0, odd=True, chorus=6)
NYLON = Voice(1.7, attack=0.004, decay=0.25)
PIANO = Voice(1.5, attack=0.003, decay=0.5, chorus=3)
SQUARE = Voice(1.0, attack=0.002, decay=0.3, odd=True)
ACID = Voice(0.8, attack=0.002, decay=0.12)
SUB = Voice(2.6, attack=0.008, decay=0.7)
REESE = Voice(1.2, attack=0.02, decay=1.2, chorus=35)
BASS = Voice(1.8, attack=0.006, decay=0.4)
GUITAR = Voice(1.0, attack=0.003, decay=0.5, chorus=8, drive=6.0)

KICK = Drum(48, 1500, 5000, noise=0.05, decay=0.09)
SNARE = Drum(170, 900, 8000, noise=0.8, decay=0.06)
CLAP = Drum(800, 900, 4000, noise=1.0, decay=0.05)
HAT = Drum(0, 6000, 11000, noise=0.6, decay=0.02)
OPEN = Drum(0, 5000, 11000, noise=0.6, decay=0.09)
RIM = Drum(1650, 1500, 5000, noise=0.3, decay=0.015)
SHAKER = Drum(0, 4000, 9000, noise=0.3, decay=0.03)
BLIP = Drum(90, 300, 10000, noise=0.3, decay=0.04)

FOUR, BACK, OFF, ALL = "x...x...x...x...", "....x.......x...", "..x...x...x...x.", "xxxxxxxxxxxxxxxx x.xxx.xxx.xxx.xx"

# fmt: off
STYLES = {
    "ambient": Style((56, 76), ("0:M7 5:M7", "0:m7 8:M7", "0:9 7:9"), {SHAKER: f"{BACK} ................"}, (
        Part(PAD, 50, 18, 0.5, "x..............."),
        Part(PIANO, 67, 8, 0.35, "0......2....1... ..2.....4...3... 1.....4........."),
        Part(SUB, 33, 16, 0.6, "0..............."))),
    "blues": Style((84, 120), ("0:7 5:7 0:7 7:7", "0:7 0:7 5:7 5:7", "5:7 0:7 7:7 5:7"),
        {KICK: "x.....x..... x.....x..x..", SNARE: "...x.....x.. ...x.....x.x", HAT: "x.xx.xx.xx.x"}, (
        Part(BASS, 33, 2.6, 0.7, "0..1..2..3.. 0..2..3..2.. 0.01..2.23.."),
        Part(PIANO, 52, 2, 0.3, "x.....x..x.. ..x..x..x..x x..........x"),
        Part(NYLON, 64, 2, 0.5, "4.32...0.2.. ...3.42.0... 2.3...4.5...")), steps=3, bar=12),
    "bossa": Style((62, 76), ("0:M7 2:7 2:m7 7:7", "0:m7 5:m7 10:7 3:M7", "0:M7 9:7 2:m7 7:7"),
        {KICK: "x..xx..xx..xx..x", RIM: "x..x..x...x..x.. ..x..x..x..x....", SHAKER: ALL}, (
        Part(NYLON, 50, 2, 0.4, "x.x..x.x..x.x..x x..x..x..x..x... ..x..x..x..x..x."),
        Part(SUB, 33, 3, 0.4, "0..22..00..22..0 0..20..20..20..2"),
        Part(NYLON, 67, 4, 0.4, "..4.3.2.....3... 4..3..2...0.....")), swing=0.06),
    "chiptune": Style((128, 168), ("0:M 7:M 9:m 5:M", "9:m 5:M 0:M 7:M", "0:M 5:M 7:M 7:M"),
        {BLIP: f"{FOUR} x.....x.x.......", CLAP: BACK, HAT: OFF}, (
        Part(SQUARE, 60, 1, 0.35, "0123012301230123 0213021302130213 0120120120120123"),
        Part(SQUARE, 36, 1.8, 0.6, "0.0.0.0.0.0.0.0. 0.3.0.3.0.3.0.3."),
        Part(SQUARE, 72, 3, 0.3, "3...2.1.0...1... 0..1..2.3...2..."))),
    "disco": Style((112, 128), ("0:m7 5:7", "0:m7 10:7 8:M7 10:7", "2:m7 7:7 0:M7 9:m7"),
        {KICK: FOUR, SNARE: BACK, OPEN: OFF, HAT: "xx.xxx.xxx.xxx.x"}, (
        Part(BASS, 33, 1.5, 0.65, "0.4.0.4.0.4.0.4. 0.404.040.404.04"),
        Part(NYLON, 57, 1, 0.3, "..x...xx..x...xx x.xx.xx.x.xx.xx. ..xx..x...xx..x."),
        Part(STRINGS, 64, 7, 0.22, "x.......x....... 4.......3...2... x.........x....."))),
    "dub": Style((64, 80), ("0:m 5:m", "0:m 10:M", "0:m 0:m 8:M 10:M"),
        {KICK: "........x....... x.......x.......", RIM: BACK, HAT: "..x...x...x...x. x.x.x.x.x.x.x.x."}, (
        Part(SUB, 31, 3, 0.65, "0..0..2.3....... ..0.0..20...2... 0...0.2...3.2..."),
        Part(ORGAN, 57, 1, 0.45, "....x.......x... ....x.x.....x.x."),
        Part(PIANO, 69, 2, 0.25, "..........2..... 2...............")), swing=0.12),
    "jungle": Style((160, 178), ("0:m7 8:M7", "0:m7 5:m7", "0:9 10:9"),
        {KICK: "x.........x..... x.x.......xx.... x.........x..x..",
         SNARE: "....x..x.x..x..x ....x.......x.x. ....x..x....x...", HAT: "x.x.x.x.x.x.x.x. xxx.xxx.xxx.xxx."}, (
        Part(REESE, 31, 5, 0.7, "0.......2..4.... 0.....0...2..... 0..4........2..."),
        Part(STRINGS, 57, 15, 0.2, "x...............")), swing=0.04),
    "metal": Style((120, 176), ("0:p 1:p 0:p 3:p", "0:p 0:p 6:p 5:p", "0:p 8:p 10:p 1:p"),
        {KICK: f"{ALL} xx..xx..xx..xx..", SNARE: f"{BACK} ..x...x...x...x.", OPEN: f"{FOUR} x.......x......."}, (
        Part(GUITAR, 40, 1.2, 0.7, f"{ALL} x..x..x.x..x..x."),
        Part(BASS, 28, 1.2, 0.5, "0000000000000000 0.000.000.000.00"))),
    "techno": Style((122, 138), ("0:m", "0:m 0:m 0:m 1:M"), {KICK: FOUR, CLAP: BACK, OPEN: OFF, HAT: ALL}, (
        Part(ACID, 36, 1, 0.6, "0.003.0.00.30.2. 0030020300300230 ..0...0...0..03."),
        Part(NYLON, 60, 1, 0.3, "x..x..x......... ...x.......x..x."))),
    "waltz": Style((138, 184), ("0:M 7:M 7:M 0:M", "0:m 5:m 7:M 0:m", "0:M 9:m 5:M 7:M"),
        {SHAKER: "....x...x... ............"}, (
        Part(BASS, 36, 4, 0.8, "0........... 2..........."),
        Part(PIANO, 55, 2.5, 0.35, "....x...x..."),
        Part(STRINGS, 67, 4, 0.35, "3...2...1... 0.......2... 2...3...4... 4.3.2...3...")), bar=12),
}
# fmt: on


class Synthetic(GenreDataModule):
    """Synthetic music: 400 clips of 4 s, 10 genres of 5 artists each, rendered into ``root`` where it is empty."""

    def read_corpus(self) -> Corpus:  # noqa: D102
        return read_synthetic(self.root)


def read_synthetic(root: Path) -> Corpus:
    """Renders the corpus into a folder, unless it is there, and lists its tracks.

    Raises:
        GenreError: The folder holds something else, or cannot be written.
    """
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
    """Renders the corpus into a folder, unless it is there already.

    The folder holds ``<genre>/<genre>.<artist>.<track>.wav`` (16 bit, mono), ``tracks.csv`` with the columns path,
    genre and artist, and ``corpus.json`` with the arguments. It appears all at once, so that an interrupted rendering
    never passes for a corpus.

    Args:
        root: The folder; its parents are made.
        seed: From 0; the same arguments give the same bytes.
        tracks_per_genre: Shared out evenly among a genre's artists.
        artists_per_genre: At least 1.
        seconds: The duration of a track.
        sample_rate: In hertz, at least 8000.
        genres: Some of ``STYLES``.

    Raises:
        FileExistsError: The folder holds something else.
        ValueError: An argument is out of range.
    """
    _check_sound(genres, seconds, sample_rate)
    if seed < 0 or not 1 <= artists_per_genre <= tracks_per_genre:
        counts = f"{tracks_per_genre} tracks by {artists_per_genre} artists per genre"
        raise ValueError(f"seed {seed}, {counts}: need a seed of at least 0 and a track for each artist")
    arguments: dict[str, Any] = {"format": FORMAT, "seed": seed, "seconds": seconds, "sample_rate": sample_rate}
    arguments |= {"tracks_per_genre": tracks_per_genre, "artists_per_genre": artists_per_genre}
    arguments["genres"] = sorted(set(genres))
    root = root.resolve()
    if not _holds(root, arguments):
        _publish(root, arguments)


def render_track(
    genre: str, artist: int, track: int, seed: int, seconds: float, sample_rate: int
) -> NDArray[np.float32]:
    """Composes, plays and records one track; the same arguments give the same samples.

    Args:
        genre: One of ``STYLES``.
        artist: The number of the artist within the genre, from 0.
        track: The number of the track within the artist's, from 0.
        seed: The seed of the corpus, from 0.
        seconds: The duration.
        sample_rate: In hertz, at least 8000.

    Returns:
        ``(samples,)``: the waveform in [-0.95, 0.95].

    Raises:
        ValueError: The genre is unknown, a number is negative, or there would be no sample.
    """
    _check_sound((genre,), seconds, sample_rate)
    style, player, random = STYLES[genre], draw_artist(genre, artist, seed), _random(seed, genre, 1, artist, track)
    low, high = style.tempo
    step = 60 / (low + (high - low) * (0.6 * player.haste + 0.4 * random.uniform())) / style.steps  # in seconds
    first = int(random.integers(4 * style.bar))  # the step of the piece that the track begins with
    numbers = first + np.arange(math.ceil(seconds / step))
    starts = ((numbers - first + style.swing * (numbers % 2)) * step * sample_rate).astype(int)
    key = player.key + int(random.choice((0, 0, 5, 7)))
    progression = [chord.split(":") for chord in random.choice(style.progressions).split()]
    dry = np.zeros(round(seconds * sample_rate))
    drums, *parts = 10 ** ((np.array(player.balance) + random.uniform(-1, 1, 4)) / 20)
    for drum, patterns in style.drums.items():
        sound = 0.7 * drums * _strike(drum, player.kit, sample_rate, random)
        for index, _, accent in _notes(patterns, numbers, random):
            _add(dry, starts[index], accent * sound)
    for part, gain in zip(style.parts, parts, strict=False):
        wave = np.zeros_like(dry)
        for index, symbol, accent in _notes(part.patterns, numbers, random):
            root, chord = progression[numbers[index] // style.bar % len(progression)]
            tones = CHORDS[chord]
            if symbol != "x":
                octave, number = divmod(int(symbol), len(tones))
                tones = (tones[number] + 12 * octave,)
            for tone in tones:
                note = part.register + (key + int(root) - part.register) % 12 + tone + player.tuning / 100
                sound = _play(part.voice, 440 * 2 ** ((note - 69) / 12), part.hold * step, sample_rate, player.dullness)
                _add(wave, starts[index], accent * sound)
        dry += gain * part.gain * (np.tanh(part.voice.drive * wave) if part.voice.drive else wave)
    return _record(dry, player, sample_rate, random)


def draw_artist(genre: str, number: int, seed: int) -> Artist:
    """Draws an artist of a genre.

    Each trait's range is cut into five, and each of five artists gets another fifth (a Latin hypercube): independent
    draws would make some genres' artists sound alike, and the leak would depend on the seed.
    """
    group, place = divmod(number, 5)
    random = _random(seed, genre, 0, group)

    def within(low: float, high: float) -> float:
        fifths = random.permutation(5) + random.uniform(size=5)  # drawn for all five artists
        return float(low + (high - low) * fifths[place] / 5)

    return Artist(
        tuning=within(-45, 45),
        key=int(within(0, 12)),
        haste=within(0, 1),
        dullness=within(-0.35, 0.35),
        kit=2 ** within(-0.4, 0.4),
        balance=tuple(within(-3.5, 3.5) for _ in range(4)),
        room_decay=0.08 * 8 ** within(0, 1),
        room_mix=within(0.1, 1.0),
        tilt=within(-3, 3),
        peak=(200 * 25 ** within(0, 1), within(-11, 11), within(0.4, 1.2)),
        hiss=10 ** within(-4.5, -2.5),
        level=within(0.3, 1.0),
        room_seed=int(random.integers(2**32, size=5)[place]),
    )


def _check_sound(genres: Sequence[str], seconds: float, sample_rate: int) -> None:
    unknown = sorted(set(genres) - set(STYLES))
    if unknown or not genres:
        raise ValueError(f"genres {unknown} are not synthetic ones: choose from {', '.join(STYLES)}")
    if sample_rate < 8000 or round(seconds * sample_rate) < 1:
        raise ValueError(f"{seconds} s at {sample_rate} Hz: need some sound, at 8000 Hz or more")


def _random(seed: int, genre: str, *numbers: int) -> np.random.Generator:
    """A generator for one purpose, by a checksum of the name: ``hash`` differs from process to process."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(zlib.crc32(genre.encode()), *numbers)))


def _notes(patterns: str, numbers: NDArray[np.int64], random: np.random.Generator) -> Iterator[tuple[int, str, float]]:
    """The notes of one of the patterns as (index, symbol, accent); some are left out, some others changed."""
    pattern = str(random.choice(patterns.split()))
    for index, number in enumerate(numbers):
        symbol, accent, luck = pattern[number % len(pattern)], random.uniform(0.7, 1.0), random.uniform()
        if symbol != "." and luck > 0.06:
            yield index, str(random.integers(3)) if symbol.isdigit() and luck > 0.92 else symbol, accent


def _add(track: Signal, start: int, wave: Signal) -> None:
    """Adds a wave to a track in place, cut off where the track ends."""
    track[start : start + len(wave)] += wave[: max(0, len(track) - start)]


def _envelope(time: Signal, attack: float, decay: float) -> Signal:
    return np.asarray(np.minimum(time / attack, 1) * np.exp(-time / decay) * np.clip((time[-1] - time) / 0.01, 0, 1))


@lru_cache(maxsize=256)
def _cycle(rolloff: float, odd: bool, harmonics: int) -> Signal:
    """One cycle of a harmonic wave as strong as a sine of amplitude 1: ``(TABLE,)``."""
    numbers = np.arange(1, harmonics + 1, 2 if odd else 1)
    spectrum = np.zeros(TABLE // 2 + 1, dtype=np.complex128)
    spectrum[numbers] = -1j * numbers**-rolloff
    wave: Signal = np.fft.irfft(spectrum)
    return np.asarray(wave / np.sqrt(2 * np.mean(wave**2)))


def _play(voice: Voice, hertz: float, seconds: float, rate: int, dullness: float) -> Signal:
    """A note about as loud as a sine of amplitude 1: ``(samples,)``."""
    time = np.arange(max(1, round(seconds * rate))) / rate
    harmonics = max(1, min(40, int(0.45 * rate / hertz)))  # those above half the rate would fold back
    cycle = _cycle(round(voice.rolloff + dullness, 2), voice.odd, harmonics)
    cents = (-voice.chorus / 2, voice.chorus / 2) if voice.chorus else (0.0,)
    phases = [time * hertz * 2 ** (cent / 1200) for cent in cents]
    waves = [cycle[(phase * TABLE).astype(np.int64) & (TABLE - 1)] for phase in phases]
    return np.asarray(np.mean(waves, axis=0) * _envelope(time, voice.attack, voice.decay))


def _strike(drum: Drum, kit: float, rate: int, random: np.random.Generator) -> Signal:
    """A hit on a drum whose frequencies are scaled by ``kit``: ``(samples,)``."""
    time = np.arange(round(6 * drum.decay * rate)) / rate
    cycles = drum.hertz * (time + 0.04 * (1 - np.exp(-time / 0.02)))  # starts three times as high
    hertz = np.fft.rfftfreq(len(time), 1 / rate) + 1.0
    band = 1 / (1 + (drum.low * kit / hertz) ** 4) / (1 + (hertz / (drum.high * kit)) ** 4)
    noise = np.fft.irfft(np.fft.rfft(random.standard_normal(len(time))) * band, len(time))
    noise /= np.sqrt(2 * np.mean(noise**2))  # as strong as a sine of amplitude 1
    wave = (1 - drum.noise) * np.sin(2 * np.pi * kit * cycles) + drum.noise * noise
    return np.asarray(wave * _envelope(time, 0.001, drum.decay))


def _record(dry: Signal, artist: Artist, rate: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Puts a performance into the artist's room and through the artist's equaliser: same shape."""
    time = np.arange(round(4 * artist.room_decay * rate)) / rate
    room = np.exp(-time / artist.room_decay) * np.random.default_rng(artist.room_seed).standard_normal(len(time))
    room *= artist.room_mix / np.sqrt(np.sum(room**2))
    room[0] += 1
    size = 1 << (len(dry) + len(room) - 1).bit_length()  # long enough not to wrap around
    octaves = np.log2(np.maximum(np.fft.rfftfreq(size, 1 / rate), 40) / 1000)  # above 1 kHz
    centre, gain, width = artist.peak
    peak = gain * np.exp(-0.5 * ((octaves - math.log2(centre / 1000)) / width) ** 2)
    equaliser = 10 ** ((artist.tilt * octaves + peak) / 20)
    wet = np.fft.irfft(np.fft.rfft(dry, size) * np.fft.rfft(room, size) * equaliser, size)[: len(dry)]
    wet = wet / max(np.abs(wet).max(), 0.01) + artist.hiss * random.standard_normal(len(dry))
    return np.asarray(0.95 * artist.level * wet / max(np.abs(wet).max(), 1.0), np.float32)


def _holds(root: Path, arguments: Mapping[str, Any]) -> bool:
    """Whether the folder holds this corpus; ``False`` where it holds nothing.

    Raises:
        FileExistsError: It holds something else.
    """
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
        with suppress(OSError):
            root.rmdir()  # an empty one, which not every platform replaces
        try:
            staged.rename(root)
        except OSError:
            if not _holds(root, arguments):  # it does if another process was faster
                raise


def _render_into(root: Path, arguments: Mapping[str, Any]) -> None:
    seed, seconds, rate = arguments["seed"], arguments["seconds"], arguments["sample_rate"]
    rows = []

    def write(genre: str, artist: int, track: int) -> None:
        pcm = np.rint(render_track(genre, artist, track, seed, seconds, rate) * 32767).astype(np.int16)
        soundfile.write(root / genre / f"{genre}.{artist}.{track:02d}.wav", pcm, rate, subtype="PCM_16")

    for genre in arguments["genres"]:
        (root / genre).mkdir(parents=True)
        for number in range(arguments["tracks_per_genre"]):
            track, artist = divmod(number, arguments["artists_per_genre"])
            rows.append((genre, artist, track))
    rows.sort()
    # Threads: NumPy releases the interpreter's lock most of the time, and threads start on every platform.
    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        list(pool.map(write, *zip(*rows, strict=True)))
    with (root / "tracks.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("path", "genre", "artist"))
        writer.writerows((f"{g}/{g}.{a}.{t:02d}.wav", g, f"{g}-{a}") for g, a, t in rows)
    (root / "corpus.json").write_text(json.dumps(arguments, indent=2) + "\n", encoding="utf-8")
