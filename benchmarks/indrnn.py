"""IndRNN's recurrence against nn.LSTM in the same layout, and against a plain loop under autograd.

Timed is forward and backward of the whole network: 5 layers of 128 units with batch norm, batches of 32.
"""

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from genre.models.indrnn import IndRNN, IndRNNLayer, WuRNN, norm_over_time

HEADER = ("frames", "IndRNN", "nn.LSTM", "naive loop", "IndRNN : nn.LSTM", "naive loop : IndRNN")
# frames: the largest share of nn.LSTM's time that will do, the smallest gain over the loop (0: none asked)
GOALS = {130: (0.34, 0), 1292: (0.25, 20)}


def rows() -> list[tuple[str, ...]]:
    """One line for each number of frames: the median times of the three, then the two ratios and their goals."""
    return [_row(frames) for frames in GOALS]


def _row(frames: int) -> tuple[str, ...]:
    torch.manual_seed(0)
    x = torch.randn(32, 1, 128, frames)
    indrnn, lstm = IndRNN(10, steps=frames), WuRNN(10, cell="lstm")
    short = frames < 500
    ours, theirs, naive = _medians(
        (lambda: indrnn(x), 10 if short else 4),
        (lambda: lstm(x), 10 if short else 2),
        (lambda: _naive(indrnn, x), 3 if short else 1),
    )
    share, gain = GOALS[frames]
    return (
        str(frames),
        f"{ours * 1e3:.1f} ms",
        f"{theirs * 1e3:.1f} ms",
        f"{naive * 1e3:.1f} ms",
        f"{ours / theirs:.2f} (goal: at most {share})",
        f"{naive / ours:.1f}" + (f" (goal: at least {gain})" if gain else ""),
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


if __name__ == "__main__":
    print(f"forward + backward of 5 × 128 units, batch 32, {torch.get_num_threads()} threads")
    for row in (HEADER, *rows()):
        print("  ".join(f"{cell:<24}" for cell in row))
