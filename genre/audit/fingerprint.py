"""The acoustic fingerprint of a recording: 62 sub-fingerprints of 32 bits per second.

Haitsma and Kalker: "A Highly Robust Audio Fingerprinting System", ISMIR 2002. A bit says whether the difference in
energy between two neighbouring bands rises or falls. That hardly changes with the level, a codec or the offset, because
frames overlap almost completely. Three things are ours: the rate; a hop of 16 ms where theirs is 11.6 ms; and frames
that are compared over 64 ms where theirs are one hop apart, so that fewer bits depend on noise.
"""

import numpy as np
import scipy.fft
import soxr
from numpy.typing import NDArray

#: One sub-fingerprint per hop, ``(hops,)``; 0 marks silence, which is not compared.
Fingerprint = NDArray[np.uint32]

#: The rate in hertz of the analysis; a frame and a hop are in samples at this rate.
SAMPLE_RATE = 6000
FRAME = 2048
HOP_LENGTH = 96
HOP_SECONDS = HOP_LENGTH / SAMPLE_RATE

#: Hops between the frames that are compared.
DISTANCE = 4

#: 33 bands, evenly spaced on a logarithmic scale from 300 to 2000 Hz, as in the paper: a telephone, a narrow-band codec
#: and a rate of 8 kHz keep these frequencies.
EDGES = np.round(np.geomspace(300, 2000, 34) * FRAME / SAMPLE_RATE).astype(int)

#: A stretch with a mean square below this, -60 dBFS, is silent.
SILENCE = 1e-6

WINDOW = np.hanning(FRAME).astype(np.float32)


class Fingerprinter:
    """Computes the fingerprint of a recording block by block."""

    def __init__(self, sample_rate: int) -> None:
        self._resampler = soxr.ResampleStream(sample_rate, SAMPLE_RATE, 1, dtype="float32")
        self._samples = np.zeros(0, np.float32)  # not yet part of a whole frame
        self._slopes = np.zeros((0, 32), np.float32)  # of the frames that the next ones are compared with
        self._parts: list[Fingerprint] = []

    def push(self, mono: NDArray[np.float32], last: bool = False) -> None:
        """Adds the next block: ``(samples,)``, float32."""
        fresh = self._resampler.resample_chunk(mono, last=last)
        samples = np.concatenate([self._samples, fresh])
        count = max(0, (len(samples) - FRAME) // HOP_LENGTH + 1)
        self._samples = samples[count * HOP_LENGTH :]
        if not count:
            return
        frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::HOP_LENGTH]  # (count, FRAME)
        spectrum = scipy.fft.rfft(frames * WINDOW, axis=1)[:, : EDGES[-1]]
        power = spectrum.real**2 + spectrum.imag**2
        energies = np.add.reduceat(power, EDGES[:-1], axis=1)
        slopes = np.concatenate([self._slopes, energies[:, :-1] - energies[:, 1:]])
        self._slopes = slopes[-DISTANCE:]
        rises = slopes[DISTANCE:] > slopes[:-DISTANCE]
        codes = np.packbits(rises, axis=1).view(np.uint32).ravel()
        loud = np.square(frames).mean(axis=1) > SILENCE
        self._parts.append(np.where(loud[len(loud) - len(codes) :], codes, np.uint32(0)))

    def finish(self) -> Fingerprint:
        """The fingerprint; empty if the recording is shorter than 0.41 s."""
        self.push(np.zeros(0, np.float32), last=True)
        return np.concatenate([np.zeros(0, np.uint32), *self._parts])


def bit_error_rate(one: Fingerprint, other: Fingerprint) -> float:
    """The share of bits that differ, where neither is silent: 0 for copies, about 0.47 for different recordings."""
    sound = (one != 0) & (other != 0)
    if not sound.any():
        return 1.0
    return float(np.bitwise_count(one[sound] ^ other[sound]).mean() / 32)
