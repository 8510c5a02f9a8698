"""``genre explain``: a picture of what speaks for a genre in a file, and its most decisive stretches as wav files."""

from pathlib import Path

import soundfile
import torch

from genre.audio.recording import FileRecording
from genre.explain import decisive_stretches, explain
from genre.plots.explanation import plot_explanation
from genre.plots.style import save_small
from genre.predictor import load
from genre.terminal import terminal


def explain_file(checkpoint: Path, file: Path, out: Path, genre: str | None, segments: int | None) -> int:
    """Writes the picture and the stretches, and prints their paths; returns the exit status."""
    predictor = load(checkpoint, device="cuda" if torch.cuda.is_available() else "cpu")
    predictor.evaluation_segments = segments or predictor.evaluation_segments
    explanation = explain(predictor, FileRecording(file), genre)
    out.parent.mkdir(parents=True, exist_ok=True)
    predictor.features.cpu()
    save_small(plot_explanation(explanation, predictor.features, file.name), out)
    console = terminal()
    line = f"{file}: {explanation.genre} {explanation.probability:.2f}; {out}"
    console.print(line, soft_wrap=True, highlight=False, markup=False)
    for number, (start, samples) in enumerate(decisive_stretches(explanation), start=1):
        path = out.with_name(f"{out.stem}-{number}.wav")
        soundfile.write(path, samples.numpy(), predictor.features.sample_rate)
        end = start + len(samples) / predictor.features.sample_rate
        console.print(f"{path}: {start:.1f} to {end:.1f} s", soft_wrap=True, highlight=False, markup=False)
    return 0
