"""Prediction of many files: decoding in threads, batches across files, and memory that does not grow with their number.

The stages are inspection (duration, check of the samples), decoding and computing. Each runs a few calls ahead of the
next one, in a pool of threads: the decoders and PyTorch release Python's lock.

A track's probabilities do not depend on the number of workers or the order of the files. On a CPU, a batch holds
segments of one file, because larger ones gain nothing there; so the numbers are those of
:meth:`genre.Predictor.predict` to the last bit. On a GPU, a batch holds segments of several files. Networks and
features treat each segment alone, so its logits are the same up to rounding (1e-6).
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from genre.audio.cache import count_cores
from genre.audio.recording import FileRecording
from genre.errors import AudioError
from genre.prediction import Prediction
from genre.predictor import BATCH, Ensemble

#: Segments per batch on a GPU.
GPU_BATCH = 256

T = TypeVar("T")
R = TypeVar("R")


class Settings(NamedTuple):
    """How a catalogue is computed; see :func:`predict_catalogue`.

    Attributes:
        num_workers: The number of threads.
        batch_size: The largest number of segments per batch.
        mixed: Whether a batch holds segments of several files.
    """

    num_workers: int
    batch_size: int
    mixed: bool

    @classmethod
    def choose(cls, device: torch.device, num_workers: int | None = None, batch_size: int | None = None) -> "Settings":
        """The settings for a device; by default one worker per core, and a batch size that suits the device."""
        gpu = device.type != "cpu"
        return cls(num_workers or count_cores(), batch_size or (GPU_BATCH if gpu else BATCH), gpu)


class FilePrediction(NamedTuple):
    """The result of one file.

    Attributes:
        path: The file.
        seconds: Its duration; 0 for a bad file.
        prediction: Its genres; ``None`` for a bad file.
        timelines: For each classifier of the ensemble, the first second of each segment and its probabilities
            ``(segments, genres)``.
        error: Why the file is bad.
    """

    path: Path
    seconds: float = 0.0
    prediction: Prediction | None = None
    timelines: Sequence[tuple[list[float], Tensor]] = ()
    error: AudioError | None = None


class _Piece(NamedTuple):
    """Some consecutive segments of a file; a bad file is one piece without segments."""

    file: FilePrediction
    member: int
    positions: list[float]
    last: bool
    waveforms: Tensor | None = None


def predict_catalogue(ensemble: Ensemble, paths: Iterable[Path], settings: Settings) -> Iterator[FilePrediction]:
    """Predicts the genres of many files, in their order.

    Args:
        ensemble: The classifiers.
        paths: The files.
        settings: The number of workers, and the batches.

    Yields:
        One result per file. A bad file has an error; it does not stop the others.
    """
    for predictor in ensemble.predictors:
        predictor.arrange()
    workers = settings.num_workers
    on_cpu = ensemble.predictors[0].device.type == "cpu"
    before = torch.get_num_threads()
    threads = max(1, count_cores() // workers)
    pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(threads,))
    computing = pool if on_cpu else ThreadPoolExecutor(1)  # a GPU takes one batch after the other
    try:
        files = _ahead(pool, _inspect, paths, 4 * workers)
        pieces = _ahead(pool, lambda piece: _read(ensemble, piece), _cut(ensemble, files, settings), 2 * workers)
        batches = _batches(pieces, settings)
        results = _ahead(computing, lambda batch: _compute(ensemble, batch), batches, workers if on_cpu else 2)
        yield from _join(ensemble, (pair for batch in results for pair in batch))
    finally:
        for executor in {pool, computing}:
            executor.shutdown(cancel_futures=True)
        torch.set_num_threads(before)


def _ahead(pool: Executor, function: Callable[[T], R], items: Iterable[T], count: int) -> Iterator[R]:
    """Yields the results of a function in order, with some calls ahead of the one that is waited for."""
    waiting: deque[Future[R]] = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) > count:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _inspect(path: Path) -> FilePrediction:
    """The duration of a file, or why it is bad."""
    recording = FileRecording(path)
    try:
        recording.verify()
        return FilePrediction(path, recording.seconds)
    except AudioError as error:
        return FilePrediction(path, error=error)


def _cut(ensemble: Ensemble, files: Iterable[FilePrediction], settings: Settings) -> Iterator[_Piece]:
    """The pieces of files, each of at most :data:`BATCH` segments, so that a long file takes no more memory."""
    size = min(settings.batch_size, BATCH)
    for file in files:
        if file.error is not None:
            yield _Piece(file, 0, [], last=True)
            continue
        for member, predictor in enumerate(ensemble.predictors):
            positions = predictor.positions(file.seconds)
            for start in range(0, len(positions), size):
                last = member == len(ensemble.predictors) - 1 and start + size >= len(positions)
                yield _Piece(file, member, positions[start : start + size], last)


def _read(ensemble: Ensemble, piece: _Piece) -> _Piece:
    if piece.file.error is not None:
        return piece
    try:
        recording = FileRecording(piece.file.path)
        return piece._replace(waveforms=ensemble.predictors[piece.member].read(recording, piece.positions))
    except AudioError as error:
        return piece._replace(file=piece.file._replace(error=error))


def _batches(pieces: Iterable[_Piece], settings: Settings) -> Iterator[list[_Piece]]:
    """Groups pieces whose segments one classifier computes together."""
    batch: list[_Piece] = []
    for piece in pieces:
        full = sum(len(other.positions) for other in batch) + len(piece.positions) > settings.batch_size
        if batch and (not settings.mixed or full or piece.member != batch[0].member):
            yield batch
            batch = []
        batch.append(piece)
    if batch:
        yield batch


def _compute(ensemble: Ensemble, batch: list[_Piece]) -> list[tuple[_Piece, Tensor | None]]:
    """The pieces, without their waveforms, and the probabilities of their segments ``(segments, genres)``."""
    waveforms = [piece.waveforms for piece in batch if piece.waveforms is not None]
    rows: Iterator[Tensor] = iter(())
    if waveforms:
        probabilities = ensemble.predictors[batch[0].member].probabilities(torch.cat(waveforms)).cpu()
        rows = iter(torch.split(probabilities, [len(part) for part in waveforms]))
    return [(piece._replace(waveforms=None), None if piece.waveforms is None else next(rows)) for piece in batch]


def _join(ensemble: Ensemble, results: Iterable[tuple[_Piece, Tensor | None]]) -> Iterator[FilePrediction]:
    """Joins the pieces of each file."""
    members: list[list[Tensor]] = [[] for _ in ensemble.predictors]
    error: AudioError | None = None
    for piece, rows in results:
        error = error or piece.file.error
        if rows is not None:
            members[piece.member].append(rows)
        if not piece.last:
            continue
        if error is not None:
            yield FilePrediction(piece.file.path, error=error)
        else:
            yield _finish(ensemble, piece.file, [torch.cat(parts) for parts in members])
        members, error = [[] for _ in ensemble.predictors], None


def _finish(ensemble: Ensemble, file: FilePrediction, rows: list[Tensor]) -> FilePrediction:
    mean = torch.stack([values.double().mean(0) for values in rows]).mean(0)
    timelines = []
    for predictor, values in zip(ensemble.predictors, rows, strict=True):
        length = max(0.0, file.seconds - predictor.segment_seconds)
        timelines.append(([position * length for position in predictor.positions(file.seconds)], values))
    return file._replace(prediction=ensemble.rank(file.path, mean), timelines=timelines)
