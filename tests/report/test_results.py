"""predictions.csv is read as it was written, and folds are pooled as scikit-learn would score them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score

from genre.data import Track
from genre.errors import GenreError
from genre.report.results import Results, pool, read_results, scores, write_results

GENRES = ["blues", "jazz", "rock"]


def make(count: int, seed: int = 0, prefix: str = "track") -> Results:
    random = np.random.default_rng(seed)
    tracks = [
        Track(Path(f"/music/{prefix}{i}.wav"), GENRES[i % 3], f"artist{i}" if i % 2 else None) for i in range(count)
    ]
    return Results(GENRES, tracks, torch.tensor(random.dirichlet(np.ones(3), count), dtype=torch.float32))


def test_reads_what_was_written(tmp_path: Path) -> None:
    results = make(7)
    write_results(tmp_path / "predictions.csv", results)
    again = read_results(tmp_path / "predictions.csv")
    assert again.genres == results.genres
    assert again.tracks == results.tracks
    assert torch.equal(again.probabilities, results.probabilities)  # rounded ones would make ties in AUC-ROC
    assert again.targets.tolist() == [0, 1, 2, 0, 1, 2, 0]


def test_excerpts_of_one_track_are_told_apart(tmp_path: Path) -> None:
    path = Path("/music/a.wav")
    tracks = [Track(path, "jazz", None, (start, start + 3.0)) for start in (0.0, 3.0)]
    write_results(tmp_path / "predictions.csv", Results(GENRES, tracks, torch.eye(3)[:2]))
    again = read_results(tmp_path / "predictions.csv")
    assert [track.excerpt[0] for track in again.tracks if track.excerpt] == [0.0, 3.0]
    assert len(pool([again]).tracks) == 2


def test_pooled_folds_equal_scikit_learn() -> None:
    folds = [make(10, seed, f"fold{seed}-") for seed in range(4)]
    pooled = pool(folds)
    truth = np.concatenate([fold.targets.numpy() for fold in folds])
    said = np.concatenate([fold.probabilities.argmax(1).numpy() for fold in folds])
    found = scores(pooled)
    assert found["accuracy"]["value"] == pytest.approx(accuracy_score(truth, said), abs=1e-4)
    assert found["f1"]["value"] == pytest.approx(f1_score(truth, said, average="macro"), abs=1e-4)
    assert found["genres"]["jazz"]["tracks"] == int((truth == 1).sum())


def test_overlapping_folds_are_refused() -> None:
    with pytest.raises(GenreError, match="scored in two"):
        pool([make(4), make(4)])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\n", "expected path, genre"),
        ("path,genre,artist,start,predicted,probability,jazz\nx,jazz,,,jazz,0.5\n", "cut short"),
    ],
)
def test_a_damaged_file_is_one_line(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "predictions.csv"
    path.write_text(content)
    with pytest.raises(GenreError, match=message):
        read_results(path)
    with pytest.raises(GenreError, match="no such file"):
        read_results(tmp_path / "absent.csv")


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "song.mp3").write_bytes(b"\xff\xfb\x90\x00" * 64)
    with pytest.raises(GenreError, match=r"song.mp3: found no text"):
        read_results(tmp_path / "song.mp3")
