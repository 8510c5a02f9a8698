"""Writes a classifier as an ONNX model: waveforms in, features inside, probabilities out."""

import copy
import importlib.util
import json
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from genre.errors import GenreError, SizeError, describe_error
from genre.predictor import Predictor

#: The largest difference of a probability between PyTorch and ONNX Runtime.
TOLERANCE = 1e-4

#: The names of the model's input ``(batch, samples)`` and output ``(batch, genres)``.
INPUT, OUTPUT = "waveforms", "probabilities"

#: The lengths, in segments, and the batch sizes that a model is checked with.
LENGTHS, BATCHES = (1.0, 1.37, 2.0), (1, 3)

#: The order of the gates in ONNX, as indices of PyTorch's: LSTM i f g o → i o f g, GRU r z n → z r n.
GATES: dict[type[nn.RNNBase], tuple[int, ...]] = {nn.LSTM: (0, 3, 1, 2), nn.GRU: (1, 0, 2), nn.RNN: (0,)}


class Check(NamedTuple):
    """The result of the check of a model.

    Attributes:
        difference: The largest difference of a probability from PyTorch's.
        any_length: Whether the model takes waveforms of any length, not only segments.
    """

    difference: float
    any_length: bool


class Waveforms(nn.Module):
    """The function that is exported: ``(batch, samples)`` to ``(batch, genres)``."""

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        predictor = copy.copy(predictor)
        predictor.network = with_onnx_recurrences(predictor.network)
        self.network, self.features = predictor.network, predictor.features
        self.probabilities = predictor.probabilities

    def forward(self, waveforms: Tensor) -> Tensor:
        """Waveforms to probabilities."""
        return self.probabilities(waveforms.unsqueeze(1))


class OnnxPredictor(Predictor):
    """A classifier that computes its probabilities by ONNX Runtime.

    Args:
        predictor: The classifier that was exported.
        file: The model.
    """

    def __init__(self, predictor: Predictor, file: Path) -> None:
        super().__init__(
            predictor.network, predictor.features, predictor.genres, predictor.segment_seconds,
            predictor.evaluation_segments,
        )  # fmt: skip
        self.session = open_session(file)

    def probabilities(self, waveforms: Tensor) -> Tensor:
        """Waveforms ``(B, 1, samples)`` to the probabilities of the genres ``(B, genres)``."""
        return torch.from_numpy(self.session.run([OUTPUT], {INPUT: waveforms.squeeze(1).numpy()})[0])


def require_onnx() -> None:
    """Raises a :class:`~genre.GenreError` if a package of the extra ``onnx`` is not installed."""
    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if importlib.util.find_spec(name) is None]
    if missing:
        raise GenreError(f"ONNX needs {', '.join(missing)}; pip install 'lightning-genre[onnx]'")


def export_onnx(predictor: Predictor, file: Path) -> Check:
    """Writes an ONNX model, and checks its probabilities against PyTorch's over several lengths and batch sizes.

    Batches may have any size, and waveforms any length that the network takes. If the network or its graph takes only
    one length, the input's second dimension is fixed to the length of a segment.

    Args:
        predictor: The classifier, on the CPU.
        file: The model; it is written only if it passes the check.

    Raises:
        GenreError: The network cannot be exported, or its probabilities differ.
    """
    require_onnx()
    part = file.with_name(f".{file.name}.part")
    reason = ""
    try:
        for any_length in (True, False) if _takes_other_lengths(predictor) else (False,):
            try:
                _write(predictor, part, any_length)
                difference = check_model(predictor, part, any_length)
            except Exception as error:  # the exporter and ONNX Runtime raise many types
                reason = _reason(error)
            else:
                os.replace(part, file)  # noqa: PTH105  # Path.replace is the same
                return Check(difference, any_length)
    finally:
        part.unlink(missing_ok=True)
    raise GenreError(f"{type(predictor.network).__name__} cannot be exported to ONNX: {reason}")


def check_model(predictor: Predictor, file: Path, any_length: bool, tolerance: float = TOLERANCE) -> float:
    """The largest difference between the probabilities of a model and those of PyTorch.

    Raises:
        GenreError: It is above the tolerance.
    """
    session = open_session(file)
    worst = 0.0
    for waveforms in _signals(predictor, any_length):
        ours = predictor.probabilities(waveforms.unsqueeze(1)).cpu().numpy()
        theirs: NDArray[np.float32] = session.run([OUTPUT], {INPUT: waveforms.numpy()})[0]
        difference = float(np.abs(ours - theirs).max())
        if not difference <= tolerance:
            shape = " × ".join(map(str, waveforms.shape))
            raise GenreError(f"its probabilities of {shape} samples differ by {difference:.2g} from PyTorch's")
        worst = max(worst, difference)
    return worst


def quantize(file: Path, out: Path) -> None:
    """Writes a model with 8-bit weights; activations are quantised when it runs (dynamic quantisation)."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with quiet_exporter():
        quantize_dynamic(file, out, weight_type=QuantType.QUInt8)  # ONNX Runtime's ConvInteger takes no signed weights


def open_session(file: Path) -> Any:
    """Opens a model in ONNX Runtime, on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def metadata(predictor: Predictor) -> dict[str, str]:
    """The metadata of the model, as text: what a program needs to predict with it."""
    return {
        "genres": json.dumps(predictor.genres),
        "sample_rate": str(predictor.features.sample_rate),
        "segment_seconds": str(predictor.segment_seconds),
        "segment_samples": str(_samples(predictor)),
        "evaluation_segments": str(predictor.evaluation_segments),
        "rule": "mean of the probabilities of up to evaluation_segments segments, spread evenly over the recording",
    }


@contextmanager
def quiet_exporter() -> Iterator[None]:
    """Hides the warnings and the log of the exporter, which are about its internals."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


def _write(predictor: Predictor, file: Path, any_length: bool) -> None:
    dynamic = torch.export.Dim.DYNAMIC
    shape = {0: dynamic, 1: dynamic} if any_length else {0: dynamic}
    with quiet_exporter(), torch.no_grad():
        program = torch.onnx.export(
            Waveforms(predictor).eval(),
            (next(_signals(predictor, any_length=False, batches=(2,))),),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=(shape,),
            dynamo=True,
            verbose=False,
        )
        assert program is not None
        program.model.metadata_props.update(metadata(predictor))
        program.save(file, external_data=False)


def _takes_other_lengths(predictor: Predictor) -> bool:
    longer = torch.zeros(1, 1, round(LENGTHS[1] * _samples(predictor)))
    try:
        predictor.probabilities(longer)
    except SizeError:
        return False
    return True


def _signals(predictor: Predictor, any_length: bool, batches: tuple[int, ...] = BATCHES) -> Iterator[Tensor]:
    """Waveforms ``(batch, samples)``: noise of several levels over a falling tone; the last of three is silent."""
    generator = torch.Generator().manual_seed(0)
    for length in LENGTHS if any_length else LENGTHS[:1]:
        samples = round(length * _samples(predictor))
        for batch in batches:
            level = torch.logspace(-2, -0.5, batch)[:, None]
            tone = (torch.linspace(1, 0.2, samples).square() * samples / 20).cos()
            waveforms = level * (tone + 0.3 * torch.randn(batch, samples, generator=generator))
            if batch > 2:
                waveforms[-1] = 0
            yield waveforms


def _samples(predictor: Predictor) -> int:
    return round(predictor.segment_seconds * predictor.features.sample_rate)


def _reason(error: Exception) -> str:
    """The last cause of an error, in one line: the exporter's own message is a page."""
    while error.__cause__ is not None and isinstance(error.__cause__, Exception):
        error = error.__cause__
    return describe_error(error)


def with_onnx_recurrences(network: nn.Module) -> nn.Module:
    """A copy of a network whose LSTM, GRU and RNN layers are ONNX's."""
    network = copy.deepcopy(network)
    for name, module in list(network.named_modules()):
        if type(module) in GATES and isinstance(module, nn.RNNBase) and not module.proj_size and name:
            network.set_submodule(name, OnnxRecurrence(module))
    return network


class OnnxRecurrence(nn.Module):
    """Stacked recurrent layers, each a single ONNX node, for any number of steps; torch's exporter would unroll them.

    They can be exported, but not run.

    Args:
        recurrence: The layers with their weights.
    """

    def __init__(self, recurrence: nn.RNNBase) -> None:
        super().__init__()
        self.batch_first, self.units = recurrence.batch_first, recurrence.hidden_size
        self.operator = type(recurrence).__name__
        self.directions = 2 if recurrence.bidirectional else 1
        self.attributes: dict[str, Any] = {"hidden_size": self.units}
        if recurrence.bidirectional:
            self.attributes["direction"] = "bidirectional"
        if isinstance(recurrence, nn.GRU):
            self.attributes["linear_before_reset"] = 1  # the reset gate after the product, as in PyTorch
        if isinstance(recurrence, nn.RNN):
            self.attributes["activations"] = [recurrence.nonlinearity.capitalize()] * self.directions
        self.weights = nn.ModuleList(_weights(recurrence, layer) for layer in range(recurrence.num_layers))

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        """``(T, B, inputs)``, or batch first, to ``(T, B, directions · units)``; the last state is not returned."""
        x = x.transpose(0, 1) if self.batch_first else x
        for weights in self.weights:
            assert isinstance(weights, nn.ParameterDict)
            x = torch.onnx.ops.symbolic(
                self.operator,
                (x, weights["input"], weights["state"], weights.get("bias")),
                self.attributes,
                dtype=x.dtype,
                shape=(x.shape[0], self.directions, x.shape[1], self.units),
            )
            x = x.transpose(1, 2).flatten(2)  # (T, directions, B, units) → (T, B, directions · units)
        return (x.transpose(0, 1) if self.batch_first else x), None


def _weights(recurrence: nn.RNNBase, layer: int) -> nn.ParameterDict:
    """The weights of one layer, ``(directions, …)``, with the gates in ONNX's order."""
    gates = GATES[type(recurrence)]
    endings = [f"_l{layer}{direction}" for direction in ("", "_reverse")[: 1 + recurrence.bidirectional]]

    def reordered(name: str) -> list[Tensor]:
        tensors = [getattr(recurrence, name + ending).detach().chunk(len(gates)) for ending in endings]
        return [torch.cat([parts[gate] for gate in gates]) for parts in tensors]

    weights = {"input": torch.stack(reordered("weight_ih")), "state": torch.stack(reordered("weight_hh"))}
    if recurrence.bias:
        biases = zip(reordered("bias_ih"), reordered("bias_hh"), strict=True)
        weights["bias"] = torch.stack([torch.cat(pair) for pair in biases])
    return nn.ParameterDict(weights)
