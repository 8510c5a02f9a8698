"""One pass over the audio of every track: levels, faults, checksum and fingerprint."""

import hashlib
import math
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Event

import numpy as np

from genre.audio.decode import AudioError, Encoding, decode
from genre.audit.faults import Fault, Levels, Limits, of_audio, of_error
from genre.audit.fingerprint import Fingerprint, Fingerprinter
from genre.data.track import Track


@dataclass(frozen=True, eq=False)
class Examined:
    """A track, and what was heard of it.

    Attributes:
        track: The track.
        faults: What is wrong with it.
        encoding: What its header says; ``None`` where it has none.
        seconds: How much of it could be decoded.
        peak: The greatest absolute value in dB below full scale, over all channels.
        rms: The root mean square likewise.
        checksum: Equal for files that decode to the same samples; empty where the track is useless.
        fingerprint: Of the mean of its channels; empty where the track is useless.
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
    """Examines tracks in their order, several at once; an interrupt stops those that are being read."""
    stop = Event()
    with ThreadPoolExecutor() as pool:
        try:
            yield from pool.map(partial(examine, limits=limits, stop=stop), tracks)
        finally:
            stop.set()


def examine(track: Track, limits: Limits, stop: Event | None = None) -> Examined:
    """Decodes a track once, block by block.

    Args:
        track: The track.
        limits: The durations that count as short and long.
        stop: Once it is set, the rest of the file is passed over.
    """
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
        return Examined(track, [of_error(error)])
    if levels.frames == 0:
        return Examined(track, [Fault("undecodable", "no frame after the header")], encoding)
    examined = Examined(
        track,
        of_audio(encoding, levels, limits),
        encoding,
        levels.frames / encoding.sample_rate,
        _decibels(levels.peak),
        _decibels(levels.rms),
    )
    if examined.useless:
        return examined
    return replace(examined, checksum=checksum.hexdigest(), fingerprint=fingerprinter.finish())


def _decibels(amplitude: float) -> float:
    """Relative to full scale; NaN of NaN."""
    return 20 * math.log10(amplitude) if amplitude else -math.inf
