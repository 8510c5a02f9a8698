"""Composes and plays the tracks of the synthetic corpus.

The genre is in the music (tempo, rhythm, chords, instruments), the artist is in the recording (tuning, balance, room,
equaliser).
"""

import math
import zlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float64]


class Instrument(NamedTuple):
    """An instrument: the overtones and the envelope of its notes."""

    rolloff: float  # harmonic n has the amplitude n ** -rolloff
    attack: float  # seconds to full level
    decay: float  # time constant in seconds of the fade after it


class Style(NamedTuple):
    """A genre: its tempo, rhythm, chords and instruments."""

    tempo: tuple[float, float]  # slowest and fastest, in beats of four steps per minute
    drums: tuple[int, int, int]  # hits per bar of the bass drum, the snare and the hi-hat
    chord: tuple[int, ...]  # in semitones above the root
    roots: tuple[int, ...]  # in semitones above the key, of which every bar draws one
    bass: tuple[int, Instrument]  # notes per bar, and what plays them
    chords: tuple[int, Instrument]
    lead: tuple[int, Instrument]
    bar: int = 16  # steps in a bar


class Artist(NamedTuple):
    """An artist: the properties that all tracks of the artist share."""

    tuning: float  # cents away from A = 440 Hz
    haste: float  # place in the genre's tempo range, 0 to 1
    dullness: float  # added to the rolloff of every instrument
    kit: float  # factor on the drums' frequencies
    balance: tuple[float, ...]  # levels in dB of drums, bass, chords and lead
    room: tuple[float, float]  # reverberation: time constant in seconds, level
    tilt: float  # of the equaliser, in dB per octave
    peak: tuple[float, float]  # of the equaliser: Hz, dB
    level: float  # greatest absolute value, 0 to 1
    room_seed: int


MAJOR, MINOR, FIFTH, SEVENTH = (0, 4, 7), (0, 3, 7), (0, 7, 12), (0, 4, 7, 10)
MAJOR7, MINOR7 = (0, 4, 7, 11), (0, 3, 7, 10)

PAD = Instrument(1.4, attack=0.5, decay=4.0)
STRINGS = Instrument(1.1, attack=0.1, decay=1.5)
PIANO = Instrument(1.5, attack=0.004, decay=0.5)
PLUCK = Instrument(1.7, attack=0.004, decay=0.2)
SQUARE = Instrument(0.8, attack=0.002, decay=0.3)
ACID = Instrument(0.8, attack=0.002, decay=0.1)
SUB = Instrument(3.0, attack=0.01, decay=0.7)
BASS = Instrument(1.8, attack=0.006, decay=0.4)
GUITAR = Instrument(0.6, attack=0.004, decay=0.6)

STYLES = {
    "ambient": Style((56, 76), (0, 0, 2), MAJOR7, (0, 5), (1, SUB), (1, PAD), (3, PIANO)),
    "blues": Style((84, 120), (2, 2, 8), SEVENTH, (0, 0, 5, 7), (4, BASS), (3, PIANO), (5, PLUCK), bar=12),
    "bossa": Style((62, 76), (6, 5, 16), MAJOR7, (0, 2, 7), (6, SUB), (6, PLUCK), (3, PLUCK)),
    "chiptune": Style((128, 168), (4, 2, 4), MAJOR, (0, 5, 7, 9), (8, SQUARE), (2, SQUARE), (16, SQUARE)),
    "disco": Style((112, 128), (4, 2, 12), MINOR7, (0, 5, 10), (8, BASS), (7, PLUCK), (2, STRINGS)),
    "dub": Style((64, 80), (1, 2, 4), MINOR, (0, 5), (5, SUB), (2, PLUCK), (1, PIANO)),
    "jungle": Style((160, 178), (3, 5, 12), MINOR7, (0, 8), (3, SUB), (1, PAD), (1, STRINGS)),
    "metal": Style((120, 176), (4, 4, 8), FIFTH, (0, 1, 3, 6), (8, GUITAR), (11, GUITAR), (1, GUITAR)),
    "techno": Style((122, 138), (4, 2, 16), MINOR, (0, 0, 0, 1), (11, ACID), (3, ACID), (0, ACID)),
    "waltz": Style((138, 184), (0, 0, 2), MAJOR, (0, 5, 7), (1, BASS), (2, PIANO), (3, STRINGS), bar=12),
}


def render_track(
    genre: str, artist: int, track: int, seed: int, seconds: float, sample_rate: int
) -> NDArray[np.float32]:
    """Composes, plays and records one track: ``(samples,)``, in [-0.95, 0.95].

    The same arguments give the same samples. ``genre`` is one of :data:`STYLES`; ``artist`` counts within the genre,
    ``track`` within the artist's, both from 0; ``sample_rate`` is at least 8000 Hz.
    """
    style, player, random = STYLES[genre], draw_artist(genre, artist, seed), _random(seed, genre, 1, artist, track)
    low, high = style.tempo
    step = 15 / (low + (high - low) * (0.6 * player.haste + 0.4 * random.uniform()))  # in seconds
    key, first = random.integers(12), random.integers(style.bar)
    steps = first + np.arange(math.ceil(seconds / step))
    starts = np.round((steps - first) * step * sample_rate).astype(int)
    roots = key + random.choice(style.roots, steps[-1] // style.bar + 1)[steps // style.bar]
    tracks = np.zeros((4, round(seconds * sample_rate)))  # drums, bass, chords, lead
    for drum, hits in enumerate(style.drums):
        sound = _strike(drum, player.kit, sample_rate, random)
        for index in _rhythm(hits, style.bar, steps, random):
            _add(tracks[0], starts[index], random.uniform(0.7, 1.0) * sound)
    for part, register, (hits, instrument) in ((1, 33, style.bass), (2, 52, style.chords), (3, 64, style.lead)):
        length = min(2.0, 1.5 * step * style.bar / max(1, hits))
        for index in _rhythm(hits, style.bar, steps, random):
            root = register + (roots[index] - register) % 12 + player.tuning / 100
            for tone in style.chord if part == 2 else random.choice(style.chord, 1):
                hertz = 440 * 2 ** ((root + tone - 69) / 12)
                wave = _play(instrument, hertz, length, sample_rate, player.dullness)
                _add(tracks[part], starts[index], random.uniform(0.3, 0.45) * wave)
    return _record(tracks, player, sample_rate, random)


def draw_artist(genre: str, number: int, seed: int) -> Artist:
    """Draws an artist of a genre.

    The range of each property is divided into fifths, and each of five artists gets a different fifth (a Latin
    hypercube). With independent draws, artists of some genres would sound alike, and the leak would depend on the seed.
    """
    group, place = divmod(number, 5)
    random = _random(seed, genre, 0, group)

    def within(low: float, high: float) -> float:
        fifths = random.permutation(5) + random.uniform(size=5)  # drawn for all five artists
        return float(low + (high - low) * fifths[place] / 5)

    return Artist(
        tuning=within(-45, 45),
        haste=within(0, 1),
        dullness=within(-0.6, 0.6),
        kit=2 ** within(-0.6, 0.6),
        balance=tuple(within(-7, 7) for _ in range(4)),
        room=(0.08 * 8 ** within(0, 1), within(0.2, 1.6)),
        tilt=within(-3, 3),
        peak=(200 * 25 ** within(0, 1), within(-14, 14)),
        level=within(0.3, 0.95),
        room_seed=int(random.integers(2**32, size=5)[place]),
    )


def _random(seed: int, genre: str, *numbers: int) -> np.random.Generator:
    """A generator for one purpose, by a checksum of the name: ``hash`` differs from process to process."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(zlib.crc32(genre.encode()), *numbers)))


def _rhythm(hits: int, bar: int, steps: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
    """The indices of the steps on which a sound falls: spread evenly over a bar, some of them left out."""
    return np.flatnonzero((steps * hits % bar < hits) & (random.uniform(size=len(steps)) > 0.15))


def _add(track: Signal, start: int, wave: Signal) -> None:
    """Adds a wave to a track in place, cut off where the track ends."""
    track[start : start + len(wave)] += wave[: max(0, len(track) - start)]


def _envelope(time: Signal, attack: float, decay: float) -> Signal:
    return np.asarray(np.minimum(time / attack, 1) * np.exp(-time / decay) * np.clip((time[-1] - time) / 0.01, 0, 1))


def _play(instrument: Instrument, hertz: float, seconds: float, rate: int, dullness: float) -> Signal:
    """A note about as loud as a sine of amplitude 1: ``(samples,)``."""
    time = np.arange(max(1, round(seconds * rate))) / rate
    numbers = np.arange(1, max(2, min(40, int(0.45 * rate / hertz))))  # harmonics above half the rate would fold back
    amplitudes = numbers ** -(instrument.rolloff + dullness)
    table = np.fft.irfft(np.append(0, -1j * amplitudes / np.sqrt(np.sum(amplitudes**2))), 4096) * 2048
    wave = table[(time * hertz * len(table)).astype(np.int64) % len(table)]
    return np.asarray(wave * _envelope(time, instrument.attack, instrument.decay))


def _strike(drum: int, kit: float, rate: int, random: np.random.Generator) -> Signal:
    """A hit on the bass drum (0), the snare (1) or the hi-hat (2), tuned by ``kit``: ``(samples,)``."""
    lowest, noise, decay = ((48, 0.05, 0.09), (170, 0.8, 0.06), (6000, 1.0, 0.03))[drum]
    time = np.arange(round(6 * decay * rate)) / rate
    tone = np.sin(2 * np.pi * kit * lowest * (time + 0.04 * (1 - np.exp(-time / 0.02))))  # falls from three times that
    hertz = np.fft.rfftfreq(len(time), 1 / rate) + 1
    highpass = 1 / (1 + (max(900, lowest) * kit / hertz) ** 4)
    hiss = np.fft.irfft(np.fft.rfft(random.standard_normal(len(time))) * highpass, len(time))
    wave = (1 - noise) * tone + 0.5 * noise * hiss
    return np.asarray(wave * _envelope(time, 0.001, decay))


def _record(tracks: Signal, artist: Artist, rate: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Mixes ``(4, samples)`` in the artist's room, through the artist's equaliser: ``(samples,)``."""
    dry = 10 ** ((np.array(artist.balance) + random.uniform(-1, 1, 4)) / 20) @ tracks
    decay, mix = artist.room
    time = np.arange(round(4 * decay * rate)) / rate
    room = np.exp(-time / decay) * np.random.default_rng(artist.room_seed).standard_normal(len(time))
    room *= mix / np.sqrt(np.sum(room**2))
    room[0] += 1
    size = 1 << (len(dry) + len(room) - 1).bit_length()  # long enough not to wrap around
    octaves = np.log2(np.maximum(np.fft.rfftfreq(size, 1 / rate), 40) / 1000)  # above 1 kHz
    centre, gain = artist.peak
    decibels = artist.tilt * octaves + gain * np.exp(-((octaves - math.log2(centre / 1000)) ** 2))
    wet = np.fft.irfft(np.fft.rfft(dry, size) * np.fft.rfft(room, size) * 10 ** (decibels / 20), size)[: len(dry)]
    wet = wet / max(np.abs(wet).max(), 0.01) + 1e-4 * random.standard_normal(len(dry))
    return np.asarray(artist.level * wet / max(np.abs(wet).max(), 1.0), np.float32)
