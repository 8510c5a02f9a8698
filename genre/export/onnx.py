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
from genre.export.recurrence import with_onnx_recurrences
from genre.predictor import Predictor

#: The largest difference of a probability between PyTorch and ONNX Runtime.
TOLERANCE = 1e-4

#: The names of the model's input ``(batch, samples)`` and output ``(batch, genres)``.
INPUT, OUTPUT = "waveforms", "probabilities"

#: The lengths, in segments, and the batch sizes that a model is checked with.
LENGTHS, BATCHES = (1.0, 1.37, 2.0), (1, 3)


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
