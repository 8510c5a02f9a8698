"""What each waveform augmentation costs, as a share of the training step of a small CNN on the same batch.

All change every clip of a batch of 32 of 3 s. The step is forward, backward and Adam of ``GaitanouCNN`` on finished
features; no augmentation may take longer than 1.5 steps, but for the pitch shift, whose cost is only stated.
"""

from collections.abc import Callable, Iterator
from functools import partial

import torch
import torch.nn.functional as F

from benchmarks.timing import Row, medians
from genre.audio import Delay, Gain, HighLowPass, Noise, PitchShift, PolarityInversion, Reverb, Reverse
from genre.models import GaitanouCNN

CLIPS, SAMPLES = 32, 66150
BOUND = 1.5


def rows() -> Iterator[Row]:
    """Milliseconds per clip, and the share of the step."""
    torch.manual_seed(0)
    waveforms = torch.randn(CLIPS, 1, SAMPLES) / 10
    augmentations = [
        Gain(),
        PolarityInversion(probability=1),
        Reverse(probability=1),
        Noise(probability=1),
        HighLowPass(probability=1),
        Delay(probability=1),
        Reverb(probability=1),
        PitchShift(probability=1),
    ]
    candidates: dict[str, Callable[[], object]] = {"step": _step()}
    for augment in augmentations:
        candidates[type(augment).__name__] = partial(augment, waveforms)
    seconds = medians(candidates, rounds=9)
    milliseconds = {name: value / CLIPS * 1000 for name, value in seconds.items()}
    step = milliseconds.pop("step")
    yield "training step of GaitanouCNN, a 3-s clip", f"{step:.2f} ms"
    for name, value in milliseconds.items():
        goal = "no goal" if name == "PitchShift" else f"at most {BOUND}"
        yield f"{name}, a 3-s clip; share of the step ({goal})", f"{value:.2f} ms; {value / step:.2f}"


def _step() -> Callable[[], object]:
    """Forward, backward and Adam on 20 MFCC × 331 frames: 3 s."""
    model = GaitanouCNN(10)
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    features, targets = torch.randn(CLIPS, 1, 20, 331), torch.randint(10, (CLIPS,))

    def step() -> None:
        optimiser.zero_grad()
        torch.autograd.backward(F.cross_entropy(model(features), targets))
        optimiser.step()

    return step
