"""Explanations: which part of a recording's spectrogram speaks for a genre, as a map over time and frequency.

Papers: Selvaraju et al., "Grad-CAM" (ICCV 2017), for convolutional networks; Sundararajan et al., "Axiomatic
attribution for deep networks" (ICML 2017), integrated gradients, for recurrent networks and transformers.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genre.audio.recording import Recording
from genre.errors import GenreError
from genre.models.indrnn import IndRNNLayer
from genre.models.side_by_side import SideBySide
from genre.predictor import Predictor

Method: TypeAlias = Literal["gradcam", "integrated_gradients"]

#: Steps of the integral of integrated gradients; and the length of a decisive stretch in seconds, and their number.
STEPS, STRETCH_SECONDS, STRETCHES = 32, 2.0, 3

#: A network with more linear layers on sequences after its last convolution is a transformer.
MAX_TOKEN_LAYERS = 4


@dataclass(frozen=True)
class Explanation:
    """What speaks for a genre in one recording.

    Attributes:
        genre: The genre.
        probability: Its probability, the mean over the segments.
        method: How the maps were computed.
        starts: ``(segments,)`` the second at which each segment begins.
        seconds: The length of a segment.
        duration: The length of the recording; a shorter one is repeated to fill a segment.
        maps: ``(segments, rows, frames)`` what speaks for the genre, at least 0, on the grid of the features.
        waveforms: ``(segments, samples)`` the segments at the rate of the features.
    """

    genre: str
    probability: float
    method: Method
    starts: list[float]
    seconds: float
    duration: float
    maps: Tensor
    waveforms: Tensor


def explain(
    predictor: Predictor, recording: Recording, genre: str | None = None, method: Method | None = None
) -> Explanation:
    """Computes what speaks for a genre in the segments that the prediction is the mean of.

    Args:
        predictor: The classifier.
        recording: The recording.
        genre: The genre; ``None``: the most probable one.
        method: How; ``None``: see :func:`method_of`.

    Raises:
        GenreError: The genre is unknown, or a package is missing.
        AudioError: The recording holds no usable audio.
    """
    if genre is not None and genre not in predictor.genres:
        raise GenreError(f"--genre: found {genre}; the checkpoint knows {', '.join(predictor.genres)}")
    recording.verify()
    seconds, positions = predictor.segment_seconds, predictor.positions(recording.seconds)
    waveforms = predictor.read(recording, positions)  # (segments, 1, samples)
    probabilities = predictor.probabilities(waveforms).mean(0)
    with torch.no_grad():
        inputs = predictor.features(waveforms.to(predictor.device))
        rows, frames = predictor.features.decibels(waveforms[0, 0].to(predictor.device)).shape
    target = int(probabilities.argmax()) if genre is None else predictor.genres.index(genre)
    chosen = method or method_of(predictor.network, inputs[:1])
    maps = torch.cat([attribute(predictor.network, part, target, chosen) for part in inputs.split(1)])
    maps = F.interpolate(maps.unsqueeze(1), (rows, frames), mode="bilinear").squeeze(1).clamp(min=0).cpu()
    starts = [place * max(0.0, recording.seconds - seconds) for place in positions]
    return Explanation(
        genre=predictor.genres[target],
        probability=float(probabilities[target]),
        method=chosen,
        starts=starts,
        seconds=seconds,
        duration=recording.seconds,
        maps=maps,
        waveforms=waveforms[:, 0],
    )


def attribute(network: nn.Module, inputs: Tensor, target: int, method: Method) -> Tensor:
    """A map over the inputs ``(B, C, frequency, time)`` of a network in evaluation mode: ``(B, frequency, time)``."""
    # cuDNN computes no gradient of recurrent layers in evaluation mode.
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
        return (grad_cam if method == "gradcam" else integrated_gradients)(network, inputs, target)


def method_of(network: nn.Module, inputs: Tensor) -> Method:
    """Grad-CAM for a convolutional network, integrated gradients for a recurrent one, a transformer or an MLP."""
    sequential = (nn.RNNBase, nn.RNNCellBase, IndRNNLayer, nn.MultiheadAttention)
    if any(isinstance(module, sequential) for module in network.modules()):
        return "integrated_gradients"
    with torch.no_grad():
        _, calls = _forward(network, inputs)
    places = [index for index, (module, output) in enumerate(calls) if _is_map(module, output)]
    if not places:
        return "integrated_gradients"
    tokens = [module for module, output in calls[places[-1] :] if isinstance(module, nn.Linear) and output.ndim > 2]
    return "integrated_gradients" if len(tokens) > MAX_TOKEN_LAYERS else "gradcam"


def grad_cam(network: nn.Module, inputs: Tensor, target: int) -> Tensor:
    """Grad-CAM of the last convolution whose output has a time axis, at least 0; networks side by side are added up.

    Raises:
        GenreError: The network has no convolution.
    """
    inputs = inputs.detach().clone().requires_grad_()
    branches = list(network.backbone.networks) if isinstance(network, SideBySide) else [network]
    logits, calls = _forward(network, inputs)
    total = torch.zeros(len(inputs), *inputs.shape[-2:], device=inputs.device)
    for branch in branches:
        inside = set(branch.modules())
        outputs = [output for module, output in calls if module in inside and _is_map(module, output)]
        if not outputs:
            raise GenreError(f"{type(branch).__name__} has no convolution over time; use integrated_gradients")
        gradient = torch.autograd.grad(logits[:, target].sum(), outputs[-1], retain_graph=True)[0]
        weights = gradient.flatten(2).mean(2)  # (B, C)
        cam = F.relu(torch.einsum("bc,bc...->b...", weights, outputs[-1].detach()))  # (B, F', T') or, in time, (B, T')
        cam = cam.float().view(len(cam), 1, -1, cam.shape[-1])  # (B, 1, F', T'), in time with F' = 1
        total = total + F.interpolate(cam, inputs.shape[-2:], mode="bilinear").squeeze(1)
    return total


def integrated_gradients(network: nn.Module, inputs: Tensor, target: int) -> Tensor:
    """Integrated gradients from an even input with the mean of the segment; the sum over the channels.

    Raises:
        GenreError: The package captum is missing.
    """
    try:
        from captum.attr import IntegratedGradients
    except ImportError:
        raise GenreError("integrated gradients need captum: pip install 'lightning-genre[explain]'") from None
    baseline = inputs.mean((2, 3), keepdim=True).expand_as(inputs)
    method = IntegratedGradients(network)
    values: Tensor = method.attribute(
        inputs.float(), baseline.float(), target=target, n_steps=STEPS, internal_batch_size=8
    )
    return values.detach().float().sum(1)


def decisive_stretches(explanation: Explanation) -> list[tuple[float, Tensor]]:
    """The most decisive stretches: the second at which each begins, and its samples, the most decisive first.

    They have :data:`STRETCH_SECONDS`, or the length of a segment or of the recording if that is shorter, and do not
    overlap.
    """
    profile = explanation.maps.sum(1)  # (segments, frames)
    frames = profile.shape[1]
    heard = min(explanation.seconds, explanation.duration)
    length = min(STRETCH_SECONDS, heard)
    width = max(1, min(frames, round(length / explanation.seconds * frames)))
    sums = profile.unfold(1, width, 1).sum(2)  # (segments, frames - width + 1)
    rate = explanation.waveforms.shape[1] / explanation.seconds
    found: list[tuple[float, Tensor]] = []
    for place in sums.flatten().argsort(descending=True).tolist():
        segment, frame = divmod(place, sums.shape[1])
        offset = min(frame / frames * explanation.seconds, heard - length)
        start = explanation.starts[segment] + offset
        if all(abs(start - other) >= length for other, _ in found):
            first = round(offset * rate)
            found.append((start, explanation.waveforms[segment, first : first + round(length * rate)]))
        if len(found) == STRETCHES:
            break
    return found


def _is_map(module: nn.Module, output: Tensor) -> bool:
    """Whether a module is a convolution whose output has more than one position in time."""
    convolution = (isinstance(module, nn.Conv2d) and output.ndim == 4) or (
        isinstance(module, nn.Conv1d) and output.ndim == 3
    )
    return convolution and output.shape[-1] > 1


def _forward(network: nn.Module, inputs: Tensor) -> tuple[Tensor, list[tuple[nn.Module, Tensor]]]:
    """The logits, and the outputs of all convolutions and linear layers in the order of their calls."""
    calls: list[tuple[nn.Module, Tensor]] = []

    def note(module: nn.Module, _: object, output: Tensor) -> None:
        calls.append((module, output))

    layers = [module for module in network.modules() if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(note) for layer in layers]
    try:
        logits: Tensor = network(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return logits, calls
