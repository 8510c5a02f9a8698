"""McNemar's exact test and the paired bootstrap against hand-computed references."""

import json
from math import comb
from pathlib import Path

import numpy as np
import pytest
import torch

from genre.benchmark.compare import Comparison, compare_results
from genre.data import Track
from genre.errors import GenreError
from genre.report.results import Results, write_results
from tests.conftest import run_cli


def results(correct: list[bool], names: list[str] | None = None, genre: str = "jazz") -> Results:
    """One track each, named right or wrong."""
    names = names or [f"{i}.wav" for i in range(len(correct))]
    probabilities = torch.tensor([[0.2, 0.8] if right else [0.9, 0.1] for right in correct])
    return Results(["blues", "jazz"], [Track(Path("/music") / name, genre) for name in names], probabilities)


@pytest.mark.parametrize(
    ("first_only", "second_only", "both", "neither"), [(1, 9, 20, 5), (7, 2, 3, 8), (4, 4, 10, 2), (0, 12, 0, 0)]
)
def test_mcnemar_equals_the_binomial_sum(first_only: int, second_only: int, both: int, neither: int) -> None:
    first = [True] * first_only + [False] * second_only + [True] * both + [False] * neither
    second = [False] * first_only + [True] * second_only + [True] * both + [False] * neither
    found = compare_results(results(first), results(second))
    differing, fewer = first_only + second_only, min(first_only, second_only)
    tail = sum(comb(differing, k) for k in range(fewer + 1)) / 2**differing
    assert found.p_value == pytest.approx(min(1.0, 2 * tail))
    assert (found.first_only, found.second_only) == (first_only, second_only)
    assert found.difference == pytest.approx((second_only - first_only) / len(first))


def test_interval_equals_a_plain_paired_bootstrap() -> None:
    random = np.random.default_rng(0)
    first, second = random.random(120) < 0.5, random.random(120) < 0.65
    found = compare_results(results(first.tolist()), results(second.tolist()))
    draws = random.integers(0, 120, (20000, 120))
    differences = second[draws].mean(1) - first[draws].mean(1)  # the same draw of tracks for both
    low, high = np.quantile(differences, [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.012)


def test_a_run_against_itself_differs_by_nothing() -> None:
    found = compare_results(results([True, False, True]), results([True, False, True]))
    assert (found.p_value, found.low, found.high) == (1.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("second_only", "p_value", "decided"),
    [(4, 0.125, False), (5, 0.0625, False), (6, 0.03125, True)],  # 2 / 2 ** second_only; every interval leaves out 0
)
def test_the_verdict_needs_both_tests(second_only: int, p_value: float, decided: bool) -> None:
    first, second = results([False] * 8), results([True] * second_only + [False] * (8 - second_only))
    for one, other in ((first, second), (second, first)):
        found = compare_results(one, other)
        assert found.low > 0 or found.high < 0
        assert found.p_value == pytest.approx(p_value)
        assert found.decided is decided


def test_a_small_p_does_not_decide_against_the_interval() -> None:
    assert not Comparison(8, (0.25, 0.5), 0, 2, 0.01, -0.1, 0.6).decided


def test_the_verb_says_the_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, right in (("first", 0), ("four", 4), ("seven", 7)):
        write_results(tmp_path / f"{name}.csv", results([True] * right + [False] * (8 - right)))
    assert run_cli("compare", *(tmp_path / f"{name}.csv" for name in ("first", "four", "seven"))) == 0
    undecided, decided = " ".join(capsys.readouterr().out.split()).split("p = ")[1:]
    assert undecided.startswith("0.125 These tracks do not tell which of the two is better.")
    assert decided.startswith(f"0.0156 {tmp_path / 'seven.csv'} is better on tracks like these.")


def write_run(folder: Path, right: bool, metrics: dict[str, object]) -> Path:
    (folder / "report").mkdir(parents=True)
    write_results(folder / "report" / "predictions.csv", results([right] * 12))
    (folder / "report" / "metrics.json").write_text(json.dumps(metrics))
    return folder


def test_no_verdict_on_a_leaky_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is right about what it has heard, and better at nothing else: said before any figure."""
    honest = write_run(tmp_path / "honest", False, {"leaky": False})
    leaky = write_run(tmp_path / "leaky", True, {"leaky": True})
    assert run_cli("compare", str(honest), str(leaky)) == 0
    out = capsys.readouterr().out
    first = f"Not comparable. LEAKY: {leaky} was trained or chosen on music that it was scored on."
    assert out.startswith(first)
    assert "better" not in out


def test_two_leaky_runs_of_segments(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [write_run(tmp_path / name, name == "b", {"leaky": True, "unit": "segments"}) for name in ("a", "b")]
    assert run_cli("compare", *runs) == 0
    out = capsys.readouterr().out
    assert out.startswith(
        f"Not comparable. LEAKY: {runs[0]} and {runs[1]} were trained or chosen on music that they were scored on."
    )
    assert "12 segments" in out
    assert "tracks" not in out


def test_the_unit_is_that_of_the_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [write_run(tmp_path / name, name == "b", {"leaky": False, "unit": "segments"}) for name in ("a", "b")]
    assert run_cli("compare", *runs) == 0
    out = capsys.readouterr().out
    assert "12 segments" in out
    assert f"{runs[1]} is better on segments like these." in out
    tracks = write_run(tmp_path / "c", True, {"leaky": False, "unit": "tracks"})
    assert run_cli("compare", runs[0], tracks) == 0
    assert "12 tracks or segments" in capsys.readouterr().out


def test_only_common_tracks_count_whatever_their_order() -> None:
    first = results([True, True, False], ["a.wav", "b.wav", "c.wav"])
    second = results([True, False, False], ["c.wav", "x.wav", "b.wav"])
    found = compare_results(first, second)
    assert (found.tracks, found.first_only, found.second_only) == (2, 1, 1)  # b and c


def test_runs_that_cannot_be_compared_say_why() -> None:
    with pytest.raises(GenreError, match="no track in common"):
        compare_results(results([True], ["a.wav"]), results([True], ["b.wav"]))
    with pytest.raises(GenreError, match="jazz in one run and blues in the other"):
        compare_results(results([True]), results([True], genre="blues"))


def test_the_verb_prints_both_tests(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli("compare", trained, trained / "report" / "predictions.csv") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "McNemar's exact test: p = 1" in said
    assert "do not tell which of the two is better" in said
    assert run_cli("compare", trained, tmp_path) == 1
    assert "no report/predictions.csv" in capsys.readouterr().err
    song = tmp_path / "song.mp3"
    song.write_bytes(b"\xff\xfb\x90\x00")
    assert run_cli("compare", song, trained) == 1
    said = capsys.readouterr().err
    assert f"{song}: found a file; expected a run's folder, such as runs/<name>/version_0, or a .csv" in said
    assert said.count("\n") == 1
