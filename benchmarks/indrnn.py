"""IndRNN's recurrence against nn.LSTM in the same layout, and against a plain loop under autograd.

Timed is forward and backward of the whole network: 5 layers of 128 units with batch norm, batches of 32.
"""

import statistics
import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from benchmarks.timing import Row
from genre.models.indrnn import IndRNN, IndRNNLayer, WuRNN, norm_over_time

# frames: the largest share of nn.LSTM's time that will do, the smallest gain over the loop (0: none asked)
GOALS = {130: (0.34, 0), 1292: (0.25, 20)}


def rows(device: str = "cpu") -> Iterator[Row]:
    """The median times and their ratio, for each number of frames; the goals are for a CPU."""
    for frames, (share, gain) in GOALS.items():
        ours, theirs, naive = _times(frames, device)
        name = f"forward and backward of 5 × 128 units, batch 32, {frames} frames, {device}"
        goal = f" (at most {share})" if device == "cpu" else ""
        yield f"IndRNN : nn.LSTM, {name}{goal}", f"{ours * 1e3:.1f} ms : {theirs * 1e3:.1f} ms = {ours / theirs:.2f}"
        goal = f" (at least {gain})" if gain and device == "cpu" else ""
        yield f"plain loop : IndRNN, {frames} frames, {device}{goal}", f"{naive * 1e3:.0f} ms: {naive / ours:.1f}"


def _times(frames: int, device: str) -> list[float]:
    torch.manual_seed(0)
    x = torch.randn(32, 1, 128, frames, device=device)
    indrnn, lstm = IndRNN(10, steps=frames).to(device), WuRNN(10, cell="lstm").to(device)
    short = frames < 500
    return _medians(
        (lambda: indrnn(x), 10 if short else 4),
        (lambda: lstm(x), 10 if short else 2),
        (lambda: _naive(indrnn, x), 3 if short else 1),
    )


def _medians(*contestants: tuple[Callable[[], Tensor], int]) -> list[float]:
    """Median seconds of forward and backward of each, a few in a row as in training, in three turns."""
    times: list[list[float]] = [[] for _ in contestants]
    for _ in range(3):
        for (forward, repeats), taken in zip(contestants, times, strict=True):
            if repeats > 1:
                _seconds(forward)  # warm-up, after another's memory traffic
            taken += [_seconds(forward) for _ in range(repeats)]
    return [statistics.median(taken) for taken in times]


def _seconds(forward: Callable[[], Tensor]) -> float:
    start = time.perf_counter()
    torch.autograd.backward(forward().sum())
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def _naive(model: IndRNN, x: Tensor) -> Tensor:
    """The same network with its recurrence written as a loop and left to autograd."""
    x = x.squeeze(1).permute(2, 0, 1)
    for layer in model.layers:
        assert isinstance(layer, IndRNNLayer)
        a = layer.linear(x)
        h = torch.zeros_like(a[0])
        states = []
        for t in range(len(a)):
            h = torch.relu(a[t] + layer.u * h)
            states.append(h)
        x = norm_over_time(layer.norm, torch.stack(states))
    logits: Tensor = model.classifier(x[-1])
    return logits
