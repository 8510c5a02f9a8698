"""The sound of the synthetic corpus: a small sequencer and synthesiser in NumPy.

A track is a genre's recipe (tempo, metre, drums, chords, instruments) played by an artist whose fingerprint
(tuning, habits, mix, room, equaliser) lies on all of that artist's tracks. As on records, the genre is in the
music, the artist is in the recording, and a classifier can learn either.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import cycle

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float64]

CHORDS = {  # semitones above the root; one recipe keeps to chords of as many tones
    "M": (0, 4, 7), "m": (0, 3, 7), "p": (0, 7, 12),
    "M7": (0, 4, 7, 11), "m7": (0, 3, 7, 10), "7": (0, 4, 7, 10), "9": (0, 7, 11, 14),
}  # fmt: skip
_TABLE = 4096  # samples in an oscillator's cycle; a power of two, so that a phase wraps by a mask
_PEAK = 0.95


@dataclass(frozen=True)
class Voice:
    """A pitched instrument: harmonics, frequency modulation that fades, an envelope."""

    rolloff: float  # harmonic n has the amplitude n ** -rolloff
    attack: float  # seconds to full level
    decay: float  # time constant in seconds of the fade after it
    odd: bool = False  # only odd harmonics, as in a square wave
    ratio: float = 1.0  # modulator over note; other than a whole number, it rings like metal
    depth: float = 0.0  # of the modulation, in cycles at the attack
    chorus: float = 0.0  # cents between two detuned copies
    drive: float = 0.0  # gain into a soft clipper that all notes of the part share


@dataclass(frozen=True)
class Drum:
    """A drum: a sine that falls from `start` to `stop` Hz, and noise between `low` and `high` Hz."""

    start: float
    stop: float
    low: float
    high: float
    noise: float  # its share, 0 to 1
    decay: float  # time constant in seconds


@dataclass(frozen=True)
class Part:
    """What one voice plays: each track takes one of the patterns, one character a grid step.

    A ``.`` rests, an ``x`` plays the chord, a digit plays that tone of it, counted on into the octaves above.
    """

    voice: Voice
    register: int  # lowest MIDI note of a chord's root
    hold: float  # steps that a note is held
    gain: float
    patterns: tuple[str, ...]


@dataclass(frozen=True)
class Recipe:
    """What makes a genre."""

    tempo: tuple[float, float]  # slowest and fastest, in beats a minute
    progressions: tuple[str, ...]  # alternatives; each bar's semitones above the key, ":", key of CHORDS
    drums: tuple[tuple[Drum, tuple[str, ...]], ...]  # each with alternative patterns
    parts: tuple[Part, Part] | tuple[Part, Part, Part]
    steps: int = 4  # grid steps in a beat
    bar: int = 16  # grid steps in a bar
    swing: float = 0.0  # delay of every second step, in steps
    echo: float = 0.0  # level of each repeat, three steps after the one before


@dataclass(frozen=True)
class Fingerprint:
    """What all tracks of an artist share and no other artist of the genre has."""

    tuning: float  # cents away from A = 440 Hz
    key: int  # favourite, in semitones above C
    haste: float  # habitual place in the genre's tempo range, 0 to 1
    dullness: float  # added to the rolloff of every voice
    kit: float  # factor on the drums' frequencies
    balance: tuple[float, ...]  # in dB: the drums, then the parts
    room_decay: float  # time constant in seconds
    room_mix: float  # reverberation over direct sound
    tilt: float  # of the equaliser, in dB an octave
    resonance: tuple[float, float, float]  # the equaliser's peak: Hz, dB, octaves
    hiss: float  # noise over the music's peak
    level: float  # the peak, 0 to 1
    room_seed: int


@dataclass(frozen=True)
class _Score:
    """A track's timetable."""

    grid: NDArray[np.int64]  # first sample of each step and, last, the number of samples
    chords: list[tuple[int, tuple[int, ...]]]  # of each step: the root above C, the tones above the root
    step: float  # its mean length in samples
    rate: int


def draw_fingerprint(rng: np.random.Generator, place: int) -> Fingerprint:
    """Draw the artist at one of the places, 0 to 4, in a group whose generator is `rng`, freshly seeded.

    Each trait's range is cut into five, and each artist of a group gets another fifth (a Latin hypercube):
    independent draws would make some genres' artists sound alike, and the leak would hang on the seed.
    """

    def within(low: float, high: float) -> float:
        fifths = rng.permutation(5) + rng.uniform(size=5)  # all five's, whichever of them is asked for
        return float(low + (high - low) * fifths[place] / 5)

    return Fingerprint(
        tuning=within(-45, 45),
        key=int(within(0, 12)),
        haste=within(0, 1),
        dullness=within(-0.35, 0.35),
        kit=2 ** within(-0.4, 0.4),
        balance=tuple(within(-3.5, 3.5) for _ in range(4)),
        room_decay=0.08 * 8 ** within(0, 1),
        room_mix=within(0.1, 1.0),
        tilt=within(-3, 3),
        resonance=(200 * 25 ** within(0, 1), within(-11, 11), within(0.4, 1.2)),
        hiss=10 ** within(-4.5, -2.5),
        level=within(0.3, 1.0),
        room_seed=int(rng.integers(2**32, size=5)[place]),
    )


@lru_cache(maxsize=256)
def _cycle(rolloff: float, odd: bool, harmonics: int) -> Signal:
    """One cycle of a harmonic wave as strong as a sine of amplitude 1; shared, so read-only."""
    number = np.arange(1, harmonics + 1, 2 if odd else 1)
    spectrum = np.zeros(_TABLE // 2 + 1, dtype=np.complex128)
    spectrum[number] = -1j * number**-rolloff
    wave: Signal = np.fft.irfft(spectrum)
    wave /= np.sqrt(2 * np.mean(wave**2))
    wave.flags.writeable = False
    return wave


def _envelope(samples: int, rate: int, attack: float, decay: float) -> Signal:
    """A linear attack, an exponential fade, and 10 ms to end without a click; shape (samples,)."""
    time = np.arange(samples) / rate
    end = np.clip((samples / rate - time) / 0.01, 0, 1)
    return np.minimum(time / attack, 1) * np.exp(-time / decay) * end


def tone(voice: Voice, frequency: float, seconds: float, rate: int, dullness: float = 0.0) -> Signal:
    """Play a note of `frequency` Hz, about as loud as a sine of amplitude 1; shape (samples,)."""
    samples = round(seconds * rate)
    harmonics = max(1, min(40, int(0.45 * rate / frequency)))  # those above half the rate would fold back
    wave = _cycle(round(voice.rolloff + dullness, 2), voice.odd, harmonics)
    phase = np.arange(samples) * (frequency / rate)
    bend = np.zeros(samples)
    if voice.depth:  # gone before the note is: a bright attack, as of a string
        fade = np.exp(np.arange(samples) * (-3 / (voice.decay * rate)))
        bend = voice.depth * fade * np.sin(2 * np.pi * voice.ratio * phase)
    cents = (-voice.chorus / 2, voice.chorus / 2) if voice.chorus else (0.0,)
    copies = [phase * 2 ** (cent / 1200) + bend for cent in cents]
    heard = [wave[(copy * _TABLE).astype(np.int64) & (_TABLE - 1)] for copy in copies]
    return sum(heard, np.zeros(samples)) / len(cents) * _envelope(samples, rate, voice.attack, voice.decay)


def _band_noise(samples: int, rate: int, low: float, high: float, rng: np.random.Generator) -> Signal:
    """Noise between two corner frequencies in Hz, as strong as a sine of amplitude 1; shape (samples,)."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    hertz = np.fft.rfftfreq(samples, 1 / rate) + 1.0
    noise = np.fft.irfft(spectrum / (1 + (low / hertz) ** 4) / (1 + (hertz / high) ** 4), samples)
    return np.asarray(noise / np.sqrt(2 * np.mean(noise**2)))


def hit(drum: Drum, rate: int, kit: float, rng: np.random.Generator) -> Signal:
    """Strike a drum whose frequencies are scaled by `kit`; shape (samples,)."""
    samples = round(6 * drum.decay * rate)
    time = np.arange(samples) / rate
    cycles = drum.stop * time + (drum.start - drum.stop) * 0.02 * (1 - np.exp(-time / 0.02))
    noise = _band_noise(samples, rate, drum.low * kit, drum.high * kit, rng)
    wave = (1 - drum.noise) * np.sin(2 * np.pi * kit * cycles) + drum.noise * noise
    return wave * _envelope(samples, rate, 0.001, drum.decay)


def _choose(options: tuple[str, ...], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]


def _events(pattern: str, steps: int, rng: np.random.Generator) -> Iterator[tuple[int, str, float]]:
    """Loop a pattern over the steps as (step, symbol, accent), some notes left out, some others changed."""
    for step, symbol in zip(range(steps), cycle(pattern), strict=False):
        accent, luck = rng.uniform(0.7, 1.0), rng.uniform()
        if symbol != "." and luck > 0.06:
            yield step, _choose(("0", "1", "2"), rng) if symbol.isdigit() and luck > 0.92 else symbol, accent


def _mix(track: Signal, start: int, wave: Signal) -> None:
    """Add a wave to a track in place, cut off where the track ends."""
    place = track[start : start + len(wave)]
    place += wave[: len(place)]


def _compose(recipe: Recipe, artist: Fingerprint, samples: int, rate: int, rng: np.random.Generator) -> _Score:
    """Draw tempo, key, progression and where in the bar and in the progression the track starts."""
    low, high = recipe.tempo
    tempo = low + (high - low) * (0.6 * artist.haste + 0.4 * rng.uniform())
    step = 60 / tempo / recipe.steps * rate
    skipped = rng.uniform(0, recipe.bar) * step  # played, then cut off: its notes and its room ring on
    number = np.arange(math.ceil((skipped + samples) / step))
    starts = (number + recipe.swing * (number % 2)) * step
    key = artist.key + (0, 0, 5, 7)[int(rng.integers(4))]
    names = [name.split(":") for name in _choose(recipe.progressions, rng).split()]
    first = int(rng.integers(len(names)))
    bars = [((key + int(root)) % 12, CHORDS[chord]) for root, chord in names[first:] + names[:first]]
    chords = [bars[i // recipe.bar % len(bars)] for i in range(len(number))]
    return _Score(np.append(starts, round(skipped) + samples).astype(np.int64), chords, step, rate)


def _play_part(part: Part, score: _Score, artist: Fingerprint, rng: np.random.Generator) -> Signal:
    """Play a pitched part from the score; shape (samples,)."""
    track = np.zeros(score.grid[-1])
    held = part.hold * score.step / score.rate
    for step, symbol, accent in _events(_choose(part.patterns, rng), len(score.chords), rng):
        root, tones = score.chords[step]
        if symbol != "x":
            octave, number = divmod(int(symbol), len(tones))
            tones = (tones[number] + 12 * octave,)
        for semitones in tones:
            note = part.register + (root - part.register) % 12 + semitones + artist.tuning / 100
            sound = tone(part.voice, 440 * 2 ** ((note - 69) / 12), held, score.rate, artist.dullness)
            _mix(track, int(score.grid[step]), accent * sound)
    return np.tanh(part.voice.drive * track) if part.voice.drive else track


def _echo(track: Signal, delay: int, level: float) -> None:
    """Repeat a track in place every `delay` samples, each time `level` times as loud."""
    for start in range(delay, len(track) if level else 0, delay):
        _mix(track[: start + delay], start, level * track[start - delay : start])


def _record(dry: Signal, artist: Fingerprint, rate: int) -> Signal:
    """Put a performance into the artist's room and through the artist's equaliser; same shape."""
    time = np.arange(round(4 * artist.room_decay * rate)) / rate
    room = np.exp(-time / artist.room_decay)
    room *= np.random.default_rng(artist.room_seed).standard_normal(len(time))
    room *= artist.room_mix / np.sqrt(np.sum(room**2))
    room[0] += 1
    size = 1 << (len(dry) + len(room) - 1).bit_length()  # long enough not to wrap around
    octaves = np.log2(np.maximum(np.fft.rfftfreq(size, 1 / rate), 40) / 1000)  # above 1 kHz
    centre, gain, width = artist.resonance
    peak = gain * np.exp(-0.5 * ((octaves - math.log2(centre / 1000)) / width) ** 2)
    equaliser = 10 ** ((artist.tilt * octaves + peak) / 20)
    wet = np.fft.irfft(np.fft.rfft(dry, size) * np.fft.rfft(room, size) * equaliser, size)
    return np.asarray(wet[: len(dry)])


def render(
    recipe: Recipe, artist: Fingerprint, rng: np.random.Generator, seconds: float, rate: int
) -> NDArray[np.float32]:
    """Compose, play and record one track; a waveform in [-0.95, 0.95] of shape (samples,)."""
    samples = round(seconds * rate)
    score = _compose(recipe, artist, samples, rate, rng)
    dry = np.zeros(score.grid[-1])
    drums, *parts = 10 ** ((np.array(artist.balance) + rng.uniform(-1, 1, len(artist.balance))) / 20)
    for drum, patterns in recipe.drums:
        sound = 0.7 * drums * hit(drum, rate, artist.kit, rng)
        for step, _, accent in _events(_choose(patterns, rng), len(score.chords), rng):
            _mix(dry, int(score.grid[step]), accent * sound)
    absent = int(rng.integers(40))  # seldom, one part sits out
    for number, part in enumerate(recipe.parts):
        if number != absent:
            dry += parts[number] * part.gain * _play_part(part, score, artist, rng)
    _echo(dry, round(3 * score.step), recipe.echo)
    wet = _record(dry, artist, rate)[-samples:]
    wet = wet / max(float(np.max(np.abs(wet))), 0.01) + artist.hiss * rng.standard_normal(samples)
    wet *= artist.level * _PEAK / max(float(np.max(np.abs(wet))), 1.0)  # a silent stretch stays quiet hiss
    return wet.astype(np.float32)
