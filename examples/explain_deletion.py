"""Does the map of `genre explain` show what decides? Deletes parts of the spectrograms of tracks, and predicts again.

python examples/explain_deletion.py CKPT RUN/report/predictions.csv --out deletion.png

Of the segments of every scored track, 20 % of the spectrogram are set to the segment's mean: what the map shows most
of, the same number of values at random, and the same map at another time. The picture shows by how much the probability
of the predicted genre falls. Two lines follow about a network with shuffled weights: how much its maps resemble those
of the trained one (Spearman's rank correlation).
"""

import argparse
import copy
import sys
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import bootstrap, spearmanr
from torch import Tensor

import genre
from genre.audio.recording import FileRecording
from genre.explain import attribute, explain, method_of
from genre.plots.style import COLORS, save
from genre.report.results import read_results

SHARE = 0.2
KINDS = ("top 20 % of the map", "20 % at random", "the map 1/3 of a segment later")


def falls(predictor: genre.Predictor, path: Path, random: np.random.Generator) -> tuple[list[float], float]:
    """How far the probability of the predicted genre falls for each of :data:`KINDS`; the correlation of the maps."""
    explanation = explain(predictor, FileRecording(path))
    target = predictor.genres.index(explanation.genre)
    with torch.no_grad():
        inputs = predictor.features(explanation.waveforms.unsqueeze(1))
    method = method_of(predictor.network, inputs[:1])
    maps = torch.cat([attribute(predictor.network, part, target, method) for part in inputs.split(1)])
    count = round(SHARE * maps[0].numel())
    noise = 1e-9 * maps.abs().amax().clamp(min=1e-12) * torch.from_numpy(random.random(maps.shape)).float()
    orders = (maps + noise, torch.from_numpy(random.random(maps.shape)), (maps + noise).roll(maps.shape[-1] // 3, -1))
    before = explanation.probability
    drops = [before - _probability(predictor, _delete(inputs, order, count), target) for order in orders]
    shuffled = copy.deepcopy(predictor.network)
    for parameter in shuffled.parameters():
        values = parameter.data.flatten()
        parameter.data = values[torch.from_numpy(random.permutation(len(values)))].view_as(parameter)
    other = attribute(shuffled, inputs[:1], target, method)
    if maps[0].std() == 0 or other.std() == 0:
        return drops, float("nan")  # an even map has no ranks
    return drops, float(spearmanr(maps[0].flatten(), other.flatten()).statistic)


def _delete(inputs: Tensor, order: Tensor, count: int) -> Tensor:
    places = order.flatten(1).argsort(1, descending=True)[:, :count]
    gone = torch.zeros(len(inputs), order[0].numel(), dtype=torch.bool).scatter_(1, places, True)
    return torch.where(gone.view(len(inputs), 1, *inputs.shape[2:]), inputs.mean((2, 3), keepdim=True), inputs)


@torch.no_grad()
def _probability(predictor: genre.Predictor, inputs: Tensor, target: int) -> float:
    logits = predictor.network(inputs).float() / predictor.calibration.temperature
    return float(logits.softmax(1).mean(0)[target])


def draw(drops: NDArray[np.float64], title: str, out: Path) -> None:
    """Draws the mean fall of each kind with its 95 % bootstrap interval over tracks, and prints it."""
    figure = Figure(figsize=(7, 3), layout="constrained")
    axes = figure.add_subplot()
    for place, (name, values) in enumerate(zip(KINDS, drops.T, strict=True)):
        interval = bootstrap((values,), np.mean, rng=0).confidence_interval
        print(f"{name}: falls by {values.mean():.3f} ({interval.low:.3f} to {interval.high:.3f})")
        errors = [[values.mean() - interval.low], [interval.high - values.mean()]]
        axes.barh(place, values.mean(), xerr=errors, color=COLORS[place], capsize=4)
    axes.set_yticks(range(len(KINDS)), KINDS)
    axes.invert_yaxis()
    axes.set(xlabel="fall of the predicted genre's probability: mean and 95 % interval", title=title)
    save(figure, out)


def main() -> None:
    """Reads the command line, and draws the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("predictions", type=Path, help="predictions.csv of a report, for the paths of its tracks")
    parser.add_argument("--tracks", type=int, default=1000, help="the largest number of tracks")
    parser.add_argument("--segments", type=int, default=None, help="the largest number of segments of a track")
    parser.add_argument("--out", type=Path, default=Path("deletion.png"))
    options = parser.parse_args()
    predictor, random = genre.load(options.checkpoint), np.random.default_rng(0)
    predictor.evaluation_segments = options.segments or predictor.evaluation_segments
    paths = [track.path for track in read_results(options.predictions).tracks]
    paths = [paths[place] for place in sorted(random.permutation(len(paths))[: options.tracks])]
    rows, correlations = zip(*(falls(predictor, path, random) for path in paths), strict=True)
    draw(np.array(rows), f"{type(predictor.network).__name__}, {len(rows)} tracks", options.out)
    known = np.array(correlations)[~np.isnan(correlations)]
    print(f"rank correlation with the map of shuffled weights: median {np.median(known):.2f} of {len(known)} tracks")
    print(f"in {100 * (np.abs(known) < 0.5).mean():.0f} % of them it is between -0.5 and 0.5")


if __name__ == "__main__":
    try:
        main()
    except genre.GenreError as error:
        sys.exit(f"explain_deletion.py: {error}")
