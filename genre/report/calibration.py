"""How well the probabilities of scored tracks are calibrated, and what the threshold for unknown genres leaves."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from genre.calibration import TARGET_ACCURACY, calibration_error, calibration_error_interval, negative_log_likelihood
from genre.checkpoint import Calibration
from genre.report.results import Results


def calibration_scores(results: Results, calibration: Calibration | None = None) -> dict[str, Any]:
    """The ``calibration`` entry of ``metrics.json``.

    Args:
        results: The scored tracks.
        calibration: The temperature and the threshold of the network; ``None`` for several networks, each with its own.

    Returns:
        ``temperature``, ``threshold`` and ``calibrated_on`` of the calibration; ``error`` (the expected calibration
        error with its 95 % interval) and ``nll`` (in nats), ``before`` and ``after`` the temperature; and, with a
        threshold, ``kept`` tracks and their ``kept_accuracy``.
    """
    entry: dict[str, Any] = {} if calibration is None else calibration._asdict()
    before = results.uncalibrated
    entry["before"] = None if before is None else _quality(before, results.targets)
    entry["after"] = _quality(results.probabilities, results.targets)
    if calibration is not None and calibration.threshold is not None:
        kept = results.probabilities.amax(1) >= calibration.threshold
        entry["kept"] = int(kept.sum())
        entry["kept_accuracy"] = round(float(results.correct[kept].float().mean()), 4) if kept.any() else None
    return entry


def describe_calibration(metrics: Mapping[str, Any]) -> list[str]:
    """Sentences about the calibration, for a reader of the report.

    Args:
        metrics: The content of ``metrics.json``.
    """
    entry, unit = metrics["calibration"], metrics["unit"]
    if "temperature" not in entry:
        return ["Every network has a temperature of its own."]
    if not entry["calibrated_on"]:
        return [f"No validation {unit} chose a temperature: the probabilities are the network's own."]
    lines = [f"The temperature is {entry['temperature']:.3g}, chosen on {entry['calibrated_on']} validation {unit}."]
    if metrics["subset"] != "test":
        lines.append(f"It was chosen on these very {unit}: expect a larger calibration error on new music.")
    if entry["threshold"] is None:
        lines.append(f"No threshold leaves validation {unit} of which {TARGET_ACCURACY:.0%} are right.")
    else:
        right = "" if entry["kept_accuracy"] is None else f", {entry['kept_accuracy']:.0%} of them right"
        lines.append(
            f"Below a probability of {entry['threshold']:.3f} a genre is better called unknown: "
            f"{entry['kept']} of {metrics['tracks']} {unit} are kept{right}."
        )
    return lines


def _quality(probabilities: Tensor, targets: Tensor) -> dict[str, Any]:
    low, high = calibration_error_interval(probabilities, targets)
    error = {"value": float(calibration_error(probabilities, targets)), "low": low, "high": high}
    return {
        "error": {name: round(value, 4) for name, value in error.items()},
        "nll": round(float(negative_log_likelihood(probabilities, targets)), 4),
    }
