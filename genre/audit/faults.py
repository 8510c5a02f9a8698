"""One pass over the audio of every track: levels, faults, checksum and fingerprint."""

import hashlib
import math
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Event
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genre.audio.decode import LOUDEST, AudioError, Encoding, decode
from genre.audit.fingerprint import SILENCE, Fingerprint, Fingerprinter
from genre.data.track import Track
from genre.errors import EmptyAudioError, GenreError, MissingAudioError

#: The faults that put a track on the exclusion list. A track with other faults may stay.
FATAL = frozenset({"missing", "empty", "undecodable", "not finite", "out of range", "silent"})

#: Usual sample rates of music in hertz. At a rate below 16 kHz, everything above 8 kHz is missing.
USUAL_RATES = (16000, 22050, 24000, 32000, 44100, 48000)

#: Encodings with the coarse steps of 8 bits.
EIGHT_BITS = frozenset({"PCM_U8", "PCM_S8", "ULAW", "ALAW", "DPCM_8"})

#: A file with at least this share of silent windows of 0.1 s is useless; with the second one, it has a fault but may
#: stay.
SILENT_SHARE = 0.95
MOSTLY_SILENT_SHARE = 0.5

#: A sample of at least this level that equals the two before it lies on a flat top. A file is clipped if a larger share
#: of its samples than ``CLIPPED_SHARE`` does. The level is not 1, because the highest 8-bit value is 0.992.
FULL_SCALE = 0.99
CLIPPED_SHARE = 1e-3

#: Seconds that a file may be shorter or longer than its header says: mp3 decoders differ by some frames.
TOLERANCE = 0.5


class Fault(NamedTuple):
    """What is wrong with a file: a word that a table can be sorted by, and the details."""

    kind: str
    detail: str

    @property
    def fatal(self) -> bool:
        """Whether the track is useless."""
        return self.kind in FATAL

    def __str__(self) -> str:
        return f"{self.kind} ({self.detail})" if self.detail else self.kind


@dataclass(frozen=True)
class Limits:
    """The durations in seconds below and above which a track has a fault.

    Raises:
        GenreError: ``shortest`` is larger than ``longest``.
    """

    shortest: float = 1.0
    longest: float = 1200.0

    def __post_init__(self) -> None:
        if not self.shortest <= self.longest:  # also true of NaN
            raise GenreError(
                f"--shortest must be at most --longest; found {self.shortest:g} and {self.longest:g} seconds"
            )


@dataclass(frozen=True, eq=False)
class Examined:
    """A track, and what decoding it has shown.

    Attributes:
        track: The track.
        faults: What is wrong with it.
        encoding: What its header says; ``None`` where it has none.
        seconds: The duration that could be decoded.
        peak: The greatest absolute value of all channels in dB relative to full scale.
        rms: The root mean square of all channels in dB relative to full scale.
        checksum: Equal for files that decode to the same samples; empty if the track is useless.
        fingerprint: The fingerprint of the mean of its channels; empty if the track is useless.
    """

    track: Track
    faults: list[Fault]
    encoding: Encoding | None = None
    seconds: float = 0.0
    peak: float = -math.inf
    rms: float = -math.inf
    checksum: str = ""
    fingerprint: Fingerprint = field(default_factory=lambda: np.zeros(0, np.uint32))

    @property
    def useless(self) -> bool:
        """Whether nothing can be learnt from it."""
        return any(fault.fatal for fault in self.faults)


def examine_all(tracks: Iterable[Track], limits: Limits) -> Iterator[Examined]:
    """Examines several tracks at once, in order; an interrupt also stops the files that are being read."""
    stop = Event()
    with ThreadPoolExecutor() as pool:
        try:
            yield from pool.map(partial(examine, limits=limits, stop=stop), tracks)
        finally:
            stop.set()


def examine(track: Track, limits: Limits, stop: Event | None = None) -> Examined:
    """Decodes a track once, block by block."""
    try:
        encoding, blocks = decode(track.path)
        levels, fingerprinter = Levels(encoding.sample_rate), Fingerprinter(encoding.sample_rate)
        checksum = hashlib.blake2b(f"{encoding.sample_rate} {encoding.channels} ".encode(), digest_size=16)
        for block in blocks:
            mono = block.mean(axis=1) if encoding.channels > 1 else block[:, 0]
            levels.push(block, mono)
            if not np.isfinite(levels.peak) or (stop is not None and stop.is_set()):
                break
            checksum.update(block.data)
            fingerprinter.push(mono)
    except AudioError as error:
        return Examined(track, [_decoding_fault(error)])
    if levels.frames == 0:
        return Examined(track, [Fault("undecodable", "no frame after the header")], encoding)
    faults = _audio_faults(encoding, levels, limits)
    seconds = levels.frames / encoding.sample_rate
    examined = Examined(track, faults, encoding, seconds, _decibels(levels.peak), _decibels(levels.rms))
    if examined.useless:
        return examined
    return replace(examined, checksum=checksum.hexdigest(), fingerprint=fingerprinter.finish())


class Levels:
    """Measures a recording block by block.

    Attributes:
        frames: The number of frames so far.
        peak: The greatest absolute value; NaN or infinite if a sample is.
    """

    def __init__(self, sample_rate: int) -> None:
        self.frames, self.peak = 0, 0.0
        self._squares, self._values, self._flat = 0.0, 0, 0
        self._window = max(1, sample_rate // 10)
        self._rest = np.zeros(0, np.float32)  # not yet part of a whole window
        self._windows, self._silent = 0, 0
        self._tail = np.zeros((0, 1), np.float32)  # a flat top may go on in the next block

    def push(self, block: NDArray[np.float32], mono: NDArray[np.float32]) -> None:
        """Adds the next block, ``(frames, channels)``, and the mean of its channels, ``(frames,)``."""
        self.frames += len(block)
        self.peak = float(np.maximum(self.peak, np.abs(block).max(initial=0.0)))  # np.maximum hands NaN on
        if not np.isfinite(self.peak):
            return
        self._squares += float(np.vdot(block, block))
        self._values += block.size
        if self.peak >= FULL_SCALE:
            samples = np.concatenate([self._tail, block]) if len(self._tail) else block
            self._tail = samples[-2:]
            equal = (samples[1:] == samples[:-1]) & (np.abs(samples[1:]) >= FULL_SCALE)
            self._flat += int((equal[1:] & equal[:-1]).sum())
        windows = np.concatenate([self._rest, mono])
        whole = len(windows) // self._window
        self._rest = windows[whole * self._window :]
        parts = windows[: whole * self._window].reshape(whole, self._window)
        self._windows += whole
        self._silent += int((np.einsum("ij,ij->i", parts, parts) < SILENCE * self._window).sum())

    @property
    def rms(self) -> float:
        """The root mean square of all channels."""
        return float(np.sqrt(self._squares / max(1, self._values)))

    @property
    def clipped(self) -> float:
        """The share of samples on flat tops."""
        return self._flat / max(1, self._values)

    @property
    def silent(self) -> float:
        """The share of windows that are silent in mono."""
        if not self._windows:  # shorter than a window
            return float(np.mean(np.square(self._rest)) < SILENCE) if len(self._rest) else 1.0
        return self._silent / self._windows


def _decoding_fault(error: AudioError) -> Fault:
    kind = {EmptyAudioError: "empty", MissingAudioError: "missing"}.get(type(error), "undecodable")
    return Fault(kind, error.reason.removeprefix("undecodable (").removesuffix(")"))


def _audio_faults(encoding: Encoding, levels: Levels, limits: Limits) -> list[Fault]:
    if not np.isfinite(levels.peak):
        return [Fault("not finite", "NaN or infinite samples")]
    if levels.peak > LOUDEST:
        level = _decibels(levels.peak)
        return [Fault("out of range", f"a peak of {level:+.0f} dBFS: integers written as floating point?")]
    faults = []
    seconds = levels.frames / encoding.sample_rate
    if levels.silent >= MOSTLY_SILENT_SHARE:
        kind = "silent" if levels.silent >= SILENT_SHARE else "mostly silent"
        cancel = ": the channels cancel" if levels.rms > SILENCE**0.5 and levels.silent == 1 else ""
        faults.append(Fault(kind, f"{levels.silent:.0%} of it below -60 dBFS in mono{cancel}"))
    if levels.clipped > CLIPPED_SHARE:
        faults.append(Fault("clipped", f"{levels.clipped:.2%} of the samples"))
    if encoding.seconds - seconds > TOLERANCE:
        faults.append(Fault("cut off", f"{seconds:.1f} s of the {encoding.seconds:.1f} s that the header says"))
    if seconds - encoding.seconds > TOLERANCE:
        faults.append(Fault("wrong header", f"{seconds:.1f} s, of which the header says {encoding.seconds:.1f} s"))
    if seconds < limits.shortest:
        faults.append(Fault("short", f"{seconds:.2f} s"))
    if seconds > limits.longest:
        faults.append(Fault("long", f"{seconds / 60:.1f} min"))
    if encoding.sample_rate not in USUAL_RATES:
        faults.append(Fault("odd rate", f"{encoding.sample_rate} Hz"))
    if encoding.subtype in EIGHT_BITS:
        faults.append(Fault("8 bit", encoding.subtype))
    return faults


def _decibels(amplitude: float) -> float:
    """An amplitude in decibels relative to full scale; NaN for NaN."""
    return 20 * math.log10(amplitude) if amplitude else -math.inf
