"""``genre export``: a checkpoint as a folder for the hub, or as an ONNX model."""

from collections.abc import Sequence
from pathlib import Path

from genre.cli.ensemble import predict_tracks
from genre.cli.recipe import read_data
from genre.data.datamodule import GenreDataModule
from genre.errors import GenreError
from genre.export.hub import export_folder, push_folder
from genre.export.onnx import OnnxPredictor, check_model, export_onnx, quantize, require_onnx
from genre.predictor import Predictor, load
from genre.report.results import scores
from genre.terminal import say


def export_as_folder(checkpoint: Path, out: Path, repository: str | None) -> None:
    """Writes a folder in the hub's layout, and uploads it if a repository is given."""
    export_folder(checkpoint, out)
    load(out)
    say(f"{out}: {', '.join(sorted(path.name for path in out.iterdir()))}; genre.load('{out}') reads it")
    if repository:
        say(f"{repository}: {push_folder(out, repository)}")


def export_as_onnx(checkpoint: Path, out: Path, int8: bool, fit_options: Sequence[str]) -> None:
    """Writes an ONNX model and prints how far it is from PyTorch; with ``int8`` also a smaller one."""
    if out.is_dir() or out.suffix != ".onnx":
        raise GenreError(f"{out}: found {'a folder' if out.is_dir() else 'another ending'}; expected FILE.onnx")
    require_onnx()
    predictor = load(checkpoint)
    out.parent.mkdir(parents=True, exist_ok=True)
    check = export_onnx(predictor, out)
    length = "any length" if check.any_length else f"{predictor.segment_seconds:g} s alone"
    say(
        f"{out}: {_megabytes(out)}, waveforms of {predictor.features.sample_rate} Hz and {length}, "
        f"probabilities within {check.difference:.1e} of PyTorch's"
    )
    if int8:
        small = out.with_suffix(".int8.onnx")
        quantize(out, small)
        if fit_options:
            cost = _accuracies(predictor, read_data(fit_options, checkpoint), out, small)
        else:
            difference = check_model(predictor, small, check.any_length, tolerance=1.0)
            cost = (
                f"probabilities up to {difference:.2g} off on noise and tones; give the data (--data.root ROOT) "
                "for the accuracy that it costs"
            )
        say(f"{small}: {_megabytes(small)}, {cost}")


def _accuracies(predictor: Predictor, data: GenreDataModule, full: Path, small: Path) -> str:
    """The accuracies of both models on the test tracks of the data."""
    tracks = data.tracks(data.test_subset)
    results = [predict_tracks(OnnxPredictor(predictor, file), tracks, data) for file in (full, small)]
    before, after = (scores(result)["accuracy"] for result in results)
    same = int((results[0].probabilities.argmax(1) == results[1].probabilities.argmax(1)).sum())
    return (
        f"accuracy {after['value']:.3f} ({after['low']:.3f} – {after['high']:.3f}) where the full model has "
        f"{before['value']:.3f} ({before['low']:.3f} – {before['high']:.3f}), the same genre for {same} of "
        f"{len(results[0].tracks)} {data.test_subset} tracks"
    )


def _megabytes(file: Path) -> str:
    return f"{file.stat().st_size / 1e6:.2f} MB"
