"""The table: what stands in it beside the figures."""

from pathlib import Path
from typing import Any

import pytest
import torch

from genre.benchmark.plan import Row
from genre.benchmark.published import Published
from genre.benchmark.summary import Score, Summary
from genre.benchmark.table import Line, table, write_tables
from genre.data import Track
from genre.metrics import SCORES
from genre.report.results import Results


def line(name: str, tracks: int, metrics: dict[str, Any]) -> Line:
    targets = [place % 2 for place in range(tracks)]
    results = Results(
        ["blues", "jazz"],
        [Track(Path(f"{place}.wav"), ("blues", "jazz")[target]) for place, target in enumerate(targets)],
        torch.tensor([[0.6, 0.4] if target else [0.3, 0.7] for target in targets]),
    )
    conditions = {"artists_shared": 0, "parameters": 12, "trainable": 12} | metrics
    summary = Summary(
        Row((Path(f"{name}.yaml"),)), dict.fromkeys(SCORES, Score(0.0, 0.0, 0.0)), conditions, tracks, 1, 1.0, 2,
        [f"{name}-seed0"], [[{"epoch": 0.0, "val_accuracy": 0.5}]], results,
    )  # fmt: skip
    return Line(name, summary, Published(), [], {})


@pytest.mark.parametrize(
    ("metrics", "protocol"),
    [
        ({"leaky": False, "unit": "tracks"}, "honest, 8 tracks"),
        ({"leaky": True, "unit": "segments"}, "leaky, 8 segments"),
        ({"leaky": True, "unit": "tracks"}, "leaky, 8 tracks"),  # tested on what it was trained on
        ({"leaky": True}, "leaky, 8 segments"),  # metrics.json of an earlier version
        ({"leaky": False}, "honest, 8 tracks"),
    ],
)
def test_unit_of_what_was_scored(metrics: dict[str, Any], protocol: str) -> None:
    headings, rows = table([line("good", 8, metrics)])
    assert rows[0][headings.index("protocol")] == protocol


def test_few_tracks_are_named(tmp_path: Path) -> None:
    lines = [
        line("few", 8, {"leaky": False}), line("many", 30, {"leaky": False}), line("cut", 29, {"leaky": True})
    ]  # fmt: skip
    write_tables(tmp_path, "A plan", None, lines, "genre benchmark plan.yaml")
    remark = (
        "Fewer than 30 are too few to tell much, and their intervals are too narrow: few (8 tracks), cut (29 segments)."
    )
    for file in ("table.md", "index.html"):
        text = (tmp_path / file).read_text()
        assert remark in text
        assert "With folds" not in text
    write_tables(tmp_path, "A plan", None, lines[1:2], "genre benchmark plan.yaml")
    assert "Fewer than" not in (tmp_path / "table.md").read_text() + (tmp_path / "index.html").read_text()
