"""What is wrong with one file."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genre.audio.decode import LOUDEST, AudioError, Encoding
from genre.errors import EmptyAudioError, GenreError, MissingAudioError

#: Faults that make a track useless: it goes on the exclusion list. With the others it may stay.
FATAL = frozenset({"missing", "empty", "undecodable", "not finite", "out of range", "silent"})

#: Rates in hertz that music comes in; below 16 kHz there is nothing above 8 kHz to be heard.
USUAL_RATES = (16000, 22050, 24000, 32000, 44100, 48000)

#: Encodings with the coarse steps of 8 bits.
EIGHT_BITS = frozenset({"PCM_U8", "PCM_S8", "ULAW", "ALAW", "DPCM_8"})

#: A window of a tenth of a second below this mean square, -60 dBFS, is silent. A file of which that much is silent is
#: useless; one of which half is, worth a look.
SILENCE = 1e-6
SILENT_SHARE = 0.95
MOSTLY_SILENT_SHARE = 0.5

#: A sample this near to full scale that repeats the two before it lies on a flat top; a file is clipped where more than
#: one sample in a thousand does. 0.99: the highest value of 8 bits is 0.992.
FULL_SCALE = 0.99
CLIPPED_SHARE = 1e-3

#: Seconds that a file may be shorter or longer than its header says: mp3 decoders differ by some frames.
TOLERANCE = 0.5


class Fault(NamedTuple):
    """What is wrong, in a word that a table can be sorted by, and in how far."""

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
    """The durations in seconds below and above which a track is named.

    Raises:
        GenreError: Every track would be.
    """

    shortest: float = 1.0
    longest: float = 1200.0

    def __post_init__(self) -> None:
        if not self.shortest <= self.longest:  # nor is NaN
            raise GenreError(
                f"--shortest must be at most --longest; found {self.shortest:g} and {self.longest:g} seconds"
            )


class Levels:
    """Measures a recording block by block.

    Args:
        sample_rate: The rate of the blocks in hertz.

    Attributes:
        frames: So many have come.
        peak: The greatest absolute value; NaN or infinite where a sample is.
    """

    def __init__(self, sample_rate: int) -> None:
        self.frames, self.peak = 0, 0.0
        self._squares, self._values, self._flat = 0.0, 0, 0
        self._window = max(1, sample_rate // 10)
        self._rest = np.zeros(0, np.float32)  # not yet part of a whole window
        self._windows, self._silent = 0, 0
        self._tail = np.zeros((0, 1), np.float32)  # a flat top may go on in the next block

    def push(self, block: NDArray[np.float32], mono: NDArray[np.float32]) -> None:
        """Takes in the next block, ``(frames, channels)``, and the mean of its channels."""
        self.frames += len(block)
        self.peak = float(np.maximum(self.peak, np.abs(block).max(initial=0.0)))  # np.maximum hands NaN on
        if not np.isfinite(self.peak):
            return
        self._squares += float(np.vdot(block, block))
        self._values += block.size
        self._count_flat(block)
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

    def _count_flat(self, block: NDArray[np.float32]) -> None:
        if self.peak < FULL_SCALE:
            return
        samples = np.concatenate([self._tail, block]) if len(self._tail) else block
        self._tail = samples[-2:]
        equal = (samples[1:] == samples[:-1]) & (np.abs(samples[1:]) >= FULL_SCALE)
        self._flat += int((equal[1:] & equal[:-1]).sum())


def of_error(error: AudioError) -> Fault:
    """What a file that cannot be decoded suffers from."""
    if isinstance(error, EmptyAudioError):
        return Fault("empty", error.reason)
    if isinstance(error, MissingAudioError):
        return Fault("missing", error.reason)
    return Fault("undecodable", error.reason.removeprefix("undecodable (").removesuffix(")"))


def of_audio(encoding: Encoding, levels: Levels, limits: Limits) -> list[Fault]:
    """What a decoded file suffers from."""
    if not np.isfinite(levels.peak):
        return [Fault("not finite", "NaN or infinite samples")]
    if levels.peak > LOUDEST:
        level = 20 * np.log10(levels.peak)
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
