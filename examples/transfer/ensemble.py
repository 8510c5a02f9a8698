"""The mean of several rows of a benchmark with folds: what an ensemble of their networks says, fold by fold.

python examples/transfer/ensemble.py BENCHMARK OUT.csv ROW [ROW …], where BENCHMARK is a folder such as
runs/transfer-table/version_0, and each ROW the name of a recipe in it, such as musicnn_probe. It prints the scores of
the mean and writes its predictions, for `genre compare BENCHMARK/folds/ROW OUT.csv`.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import torch

import genre
from genre.metrics import Fold, fold_areas, mean_area, mean_area_interval
from genre.report.results import Results, identity, pool, read_results, scores, write_results


def fold_results(benchmark: Path, row: str) -> list[Results]:
    """What the cells of a row say, fold by fold."""
    reports = sorted(benchmark.glob(f"cells/{row}-*-fold*-seed0/version_0/report/predictions.csv"))
    if not reports:
        raise genre.GenreError(f"{benchmark}: found no finished cell of {row}; expected the name of a row's recipe")
    return [read_results(report) for report in reports]


def average(members: Sequence[Results]) -> Results:
    """The mean of the probabilities of several networks on the same tracks."""
    first = members[0]
    aligned = []
    for member in members:
        places = {identity(track): place for place, track in enumerate(member.tracks)}
        if places.keys() != {identity(track) for track in first.tracks} or member.genres != first.genres:
            raise genre.GenreError("the rows scored other tracks or genres in one of their folds; finish all cells")
        aligned.append(member.probabilities[[places[identity(track)] for track in first.tracks]])
    return Results(first.genres, first.tracks, torch.stack(aligned).mean(0))


def main(benchmark: Path, out: Path, rows: Sequence[str]) -> None:
    """Prints accuracy and AUC-ROC of the mean, with 95 % intervals, as `genre benchmark` computes them."""
    of_rows = [fold_results(benchmark, row) for row in rows]
    if len({len(folds) for folds in of_rows}) > 1:
        raise genre.GenreError(f"{benchmark}: the rows have different numbers of finished folds; finish all cells")
    folds = [average(members) for members in zip(*of_rows, strict=True)]
    results = pool(folds)
    accuracy = scores(results)["accuracy"]
    areas: list[Fold] = [(fold.probabilities[None], fold.targets) for fold in folds]
    low, high = mean_area_interval(areas)
    print(
        f"{' + '.join(rows)}, {len(results.tracks)} tracks: "
        f"accuracy {accuracy['value']:.3f} ({accuracy['low']:.3f} – {accuracy['high']:.3f}), "
        f"AUC-ROC {float(mean_area(fold_areas(areas))):.3f} ({low:.3f} – {high:.3f})"
    )
    write_results(out, results)


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
    except genre.GenreError as error:
        sys.exit(f"error: {error}")
