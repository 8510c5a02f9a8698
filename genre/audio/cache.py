"""The decoded cache: each file is decoded and mixed down once; segments are slices of the result.

The cache keeps the rate of the source. A segment is resampled when it is read (0.4 ms for 3 s), as without a cache:
resampled on its own, it differs at its ends from a slice of the resampled file. So losses are the same with and without
a cache, and features of any rate share the files. The name of a cached file is a hash of the source's size, time of
change and content, see :func:`_digest`; so a source that has changed is decoded again.
"""

import functools
import hashlib
import math
import os
import random
import shutil
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from genre.audio.decode import decode, fault, fit_segment, locate, mix_down, probe, read_segment
from genre.audio.memory import available_memory
from genre.errors import AudioError, EmptyAudioError, GenreError
from genre.terminal import progress

#: A file of the cache: these bytes, the checksum of the samples, the rate of the source, the number of samples and the
#: value of one step; then the samples as little-endian int16.
MAGIC = b"genrepcm"
HEADER = struct.Struct("<8sIIqd")

#: Bytes that identify a source: at its beginning, in its middle and at its end.
STRETCH = 16 << 10

#: Samples that are quantised at once; so few fit into the processor's cache.
QUANTISED = 1 << 14

#: Files that are open at once: an operating system limits the number of memory maps.
MAX_MAPS = 8192

#: Seconds after which an unfinished file of a killed process is removed.
ABANDONED = 3600


class Decoded(NamedTuple):
    """A decoded file.

    Attributes:
        samples: ``(N,)`` int16, in units of ``scale``.
        scale: The value of one step, a power of two: 16-bit audio is kept exactly, and quiet audio has small steps.
        source_rate: The rate of the source in hertz.
    """

    samples: Tensor
    scale: float
    source_rate: int


class DecodedCache:
    """Decodes each file once, into int16.

    A file that cannot be decoded as a whole is not kept; its segments are read from the source, with the same errors as
    without a cache. A changed source is decoded anew; so is a damaged file of the cache.

    Args:
        folder: The folder of the decoded files, which several processes may share; ``None``: they stay in memory.
        sample_rate: The rate of the segments in hertz.
    """

    def __init__(self, folder: Path | None, sample_rate: int) -> None:
        self.folder, self.sample_rate = folder, sample_rate
        self._decoded: dict[tuple[Path, int, int], Decoded | None] = {}

    def __getstate__(self) -> dict[str, Any]:
        """A worker process maps the files itself."""
        return vars(self) | {"_decoded": {}}

    @property
    def in_memory(self) -> bool:
        """Whether the decoded files are kept in memory, of the CPU or of a GPU, and not in a folder."""
        return self.folder is None

    def fill(self, paths: Iterable[Path]) -> None:
        """Decodes the files that are not in the cache, on all cores.

        Raises:
            GenreError: The folder cannot be written, or there is not enough space; both are checked before decoding.
        """
        missing = [path for path in dict.fromkeys(paths) if self._lacks(path)]
        self._require_space(missing)
        random.Random(os.getpid()).shuffle(missing)  # processes that fill one folder share the work
        run_parallel(self._keep, missing, "decoding")

    def resamples(self, path: Path) -> bool:
        """Whether the segments of a file are resampled when they are read, or decoded, as the file is not kept."""
        decoded = self._open(path)
        return decoded is None or decoded.source_rate != self.sample_rate

    def segment(
        self, path: Path, samples: int, position: float, excerpt: tuple[float, float] | None
    ) -> tuple[Tensor, float]:
        """Reads a segment; see :func:`genre.audio.decode.read_segment`.

        Returns:
            ``(samples,)`` int16 and the value of one step; or float32 and 1 if the segment is resampled, or its file is
            not in the cache.

        Raises:
            AudioError: The file is missing or undecodable, or the segment is bad.
        """
        decoded = self._open(path)
        if decoded is None:
            return torch.from_numpy(read_segment(path, self.sample_rate, samples, position, excerpt)), 1.0
        rate = decoded.source_rate
        start, wanted = locate(rate, len(decoded.samples), self.sample_rate, samples, position, excerpt)
        if not wanted:
            raise EmptyAudioError(path, "no audio frames")
        part = decoded.samples[start : start + wanted]
        if rate != self.sample_rate:
            mono = part.cpu().numpy() * np.float32(decoded.scale)
            return torch.from_numpy(fit_segment(mono, rate, self.sample_rate, samples)), 1.0
        return part if wanted == samples else part.repeat(-(-samples // wanted))[:samples], decoded.scale

    def to(self, device: torch.device) -> None:
        """Moves decoded files in memory to a GPU with twice as much free memory; files in a folder stay there."""
        here = {
            key: decoded
            for key, decoded in self._decoded.items()
            if decoded and decoded.samples.device != device and decoded.source_rate == self.sample_rate
        }
        size = sum(decoded.samples.nbytes for decoded in here.values())
        if self.folder is None and device.type == "cuda" and 2 * size < torch.cuda.mem_get_info(device)[0]:
            self._decoded |= {key: value._replace(samples=value.samples.to(device)) for key, value in here.items()}

    def _lacks(self, path: Path) -> bool:
        with suppress(OSError):
            version = _version(path)
            return version not in self._decoded and (self.folder is None or not self._file(version).is_file())
        return False  # a missing source

    def _require_space(self, paths: Sequence[Path]) -> None:
        """Checks the space for decoded files."""
        needed = sum(run_parallel(self._size, paths, "reading headers"))
        if self.folder is None:
            free, where, more = available_memory(), "the memory", "name a folder in data.cache"
        else:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                for part in self.folder.glob(".*.part"):
                    if time.time() - part.stat().st_mtime > ABANDONED:
                        part.unlink()
                free = shutil.disk_usage(self.folder).free
            except OSError as error:
                raise GenreError(f"{self.folder}: the cache cannot be written ({error.strerror})") from None
            where, more = str(self.folder), "free some, or name another folder in data.cache"
        if needed > free:
            raise GenreError(
                f"{where}: {needed / 1e9:.2f} GB are needed to keep {len(paths)} decoded files, {free / 1e9:.2f} GB "
                f"are there; {more}"
            )

    def _size(self, path: Path) -> int:
        try:
            return HEADER.size + 2 * probe(path).frames
        except AudioError:
            return 0

    def _open(self, path: Path) -> Decoded | None:
        try:
            version = _version(path)
            if version not in self._decoded:
                if self.folder is not None and len(self._decoded) >= MAX_MAPS:
                    self._decoded.clear()
                known = None if self.folder is None else _read(self._file(version))
                self._decoded[version] = known or self._keep(path)
            return self._decoded[version]
        except OSError:  # a missing source
            return None

    def _keep(self, path: Path) -> Decoded | None:
        """Decodes a file and keeps it; ``None`` if it cannot be decoded."""
        version = _version(path)
        try:
            decoded = _decode(path)
        except AudioError:
            decoded = None
        if self.folder is None:
            self._decoded[version] = decoded
        elif decoded is not None:
            _write(self._file(version), decoded)
        return decoded

    def _file(self, version: tuple[Path, int, int]) -> Path:
        assert self.folder is not None
        return self.folder / f"{_digest(*version)}.pcm"


def run_parallel(function: Callable[[Path], Any], paths: Sequence[Path], label: str) -> list[Any]:
    """Calls a function for each path on all cores, with a progress bar; decoders release Python's lock."""
    if not paths:
        return []
    with ThreadPoolExecutor(count_cores()) as pool:
        futures = [pool.submit(function, path) for path in paths]
        try:
            return [future.result() for future in progress(as_completed(futures), label, len(futures))]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def count_cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _version(path: Path) -> tuple[Path, int, int]:
    status = path.stat()
    return path, status.st_size, status.st_mtime_ns


@functools.lru_cache(maxsize=1 << 17)
def _digest(path: Path, size: int, changed: int) -> str:
    """Identifies the version of a source by size, time of change, ending and content, independent of its path."""
    content = hashlib.blake2b(f"{size} {changed} {path.suffix.lower()}".encode(errors="replace"), digest_size=12)
    with path.open("rb") as file:
        for start in (0, size // 2, max(0, size - STRETCH)):
            file.seek(start)
            content.update(file.read(STRETCH))
    return content.hexdigest()


def _decode(path: Path) -> Decoded:
    """Decodes a file; raises an :class:`AudioError` if any part of it is bad."""
    # One large array: the system gives it large memory pages, which take a fifth of the time of small ones.
    wave, length = np.empty(probe(path).frames, np.float32), 0
    high = low = 0.0
    encoding, blocks = decode(path)
    for block in blocks:
        part = mix_down(block, wave[length : length + len(block)])
        high, low = float(part.max(initial=high)), float(part.min(initial=low))  # a block may be empty; these keep NaN
        length += len(block)
    wave = wave[:length]
    if not length:
        raise EmptyAudioError(path, "no audio frames")
    if reason := fault(float(np.maximum(high, -low))):
        raise AudioError(path, reason)
    top = max(high * 2**15 / (2**15 - 1), -low)
    scale = 2.0 ** (max(-60, math.ceil(math.log2(top))) - 15) if top > 0 else 2.0**-15
    quantised = np.empty(length, np.int16)
    for start in range(0, length, QUANTISED):
        steps = wave[start : start + QUANTISED]
        steps *= np.float32(1 / scale)  # exact, as the scale is a power of two
        quantised[start : start + QUANTISED] = np.rint(steps, out=steps)
    return Decoded(torch.from_numpy(quantised), scale, encoding.sample_rate)


def _read(file: Path) -> Decoded | None:
    """Maps a file of the cache; ``None`` if it is missing or damaged."""
    with suppress(OSError, ValueError, struct.error):
        with file.open("rb") as opened:
            magic, checksum, rate, count, scale = HEADER.unpack(opened.read(HEADER.size))
        if magic == MAGIC and count > 0 and file.stat().st_size == HEADER.size + 2 * count:
            # Copy-on-write, as PyTorch asks for memory that can be written.
            samples = np.memmap(file, "<i2", "c", HEADER.size, (count,))
            if zlib.crc32(samples.data) == checksum:
                return Decoded(torch.from_numpy(samples), scale, rate)
    return None


def _write(file: Path, decoded: Decoded) -> None:
    """Writes a temporary file and renames it, so that no process reads a partial file.

    Raises:
        GenreError: The file cannot be written.
    """
    samples = decoded.samples.numpy().astype("<i2", copy=False)
    fields = zlib.crc32(samples.data), decoded.source_rate, len(samples), decoded.scale
    part = file.with_name(f".{file.stem}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as opened:
            opened.write(HEADER.pack(MAGIC, *fields))
            opened.write(samples.data)
        part.replace(file)
    except OSError as error:
        raise GenreError(
            f"{file.parent}: the cache cannot be written ({error.strerror}); free some space, or name another folder "
            "in data.cache"
        ) from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
