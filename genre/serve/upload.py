"""Decodes uploads in separate processes with limited time and memory, so that no file can stop the server.

An upload is kept on disk only while it is decoded. :mod:`genre.serve.service` deletes the files of the web page.
"""

import contextlib
import multiprocessing
import os
import shutil
import signal
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, SpawnContext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from genre.audio.decode import EXTENSIONS, AudioError, decode, probe, verify
from genre.errors import GenreError

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

#: The limits of one file: seconds, and bytes of memory beyond those of Python and its libraries.
MAX_SECONDS, MAX_MEMORY = 120, 1 << 30

#: The lowest and the highest accepted sample rate in hertz.
RATES = (1000, 768_000)


class UploadError(GenreError):
    """An upload that cannot be used."""


@dataclass(frozen=True)
class Waveform:
    """A decoded upload.

    Attributes:
        samples: ``(samples,)`` the mean of the channels.
        sample_rate: Its rate in hertz.
    """

    samples: NDArray[np.float32]
    sample_rate: int

    @property
    def seconds(self) -> float:
        """The duration."""
        return len(self.samples) / self.sample_rate


class Decoder:
    """Decodes uploads, one process per file and at most as many at once as there are cores.

    Args:
        folder: Holds temporary files.
        max_minutes: The longest file.
    """

    def __init__(self, folder: Path, max_minutes: int) -> None:
        self.folder, self.max_minutes = folder, max_minutes
        # A fork of a process with the decoders takes milliseconds, a new process seconds. Windows has no forkserver.
        forks = "forkserver" in multiprocessing.get_all_start_methods()
        self._context: ForkServerContext | SpawnContext = ForkServerContext() if forks else SpawnContext()
        multiprocessing.set_forkserver_preload([__name__])
        self._places = threading.Semaphore(os.cpu_count() or 1)

    def decode(self, content: BinaryIO, name: str) -> Waveform:
        """Decodes a file object; nothing of it is kept on disk.

        Args:
            content: The upload.
            name: Its name; only the suffix of an audio file counts.

        Raises:
            UploadError: It is no audio, too long, or takes too much time or memory.
        """
        suffix = Path(name).suffix.lower()
        with TemporaryDirectory(dir=self.folder) as folder:
            path, out = Path(folder) / f"upload{suffix if suffix in EXTENSIONS else ''}", Path(folder) / "samples"
            with path.open("wb") as file:
                shutil.copyfileobj(content, file)
            with self._places:
                rate = self._run(path, out)
            return Waveform(np.fromfile(out, np.float32), rate)

    def _run(self, path: Path, out: Path) -> int:
        receiver, sender = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_work, args=(sender, path, out, self.max_minutes), daemon=True)
        with receiver:
            process.start()
            sender.close()
            try:
                if not receiver.poll(MAX_SECONDS):
                    raise UploadError(f"takes longer than {MAX_SECONDS} s to decode")
                result: int | str = receiver.recv()
            except EOFError:
                raise UploadError(
                    "cannot be decoded (the decoder crashed, or the file needs too much memory)"
                ) from None
            finally:
                process.kill()
                process.join()
        if isinstance(result, str):
            raise UploadError(result)
        return result


def _work(sender: Connection, path: Path, out: Path, max_minutes: int) -> None:
    """Sends the rate of a decoded file, or what is wrong with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # decoders in C write to stderr
    _limit_memory()
    try:
        sender.send(_decode(path, out, max_minutes))
    except AudioError as error:
        sender.send(error.reason)
    except MemoryError:
        sender.send("needs too much memory to decode")
    except Exception as error:
        sender.send(f"cannot be decoded ({type(error).__name__})")


def _limit_memory() -> None:
    if resource is None:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_SECONDS, MAX_SECONDS))
    with contextlib.suppress(OSError):  # without /proc, as on macOS, there is no limit of memory
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + MAX_MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _decode(path: Path, out: Path, max_minutes: int) -> int | str:
    """Writes the mean of the channels in float32; returns the rate in hertz, or what is wrong with the file."""
    info = probe(path)
    rate, too_long = info.sample_rate, f"longer than {max_minutes} minutes, the longest that is taken"
    if not RATES[0] <= rate <= RATES[1]:
        return f"a sample rate of {rate} Hz; expected {RATES[0]} to {RATES[1]} Hz"
    max_frames = 60 * max_minutes * rate
    if info.frames > max_frames:
        return too_long
    verify(path)
    _, blocks = decode(path)
    frames = 0
    with out.open("wb") as file:
        for block in blocks:
            frames += len(block)
            if frames > max_frames:
                return too_long
            block.mean(axis=1).astype(np.float32).tofile(file)
    return rate if frames else "no audio frames"
