"""The estimate of the time left."""

from pathlib import Path

import pytest

from genre.benchmark import progress
from genre.benchmark.plan import Cell, Row
from genre.benchmark.progress import PlanProgress, describe_seconds


def test_estimate_goes_by_the_recipes_own_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    fast, slow = Row((Path("fast.yaml"),)), Row((Path("slow.yaml"),))
    cells = [Cell(fast, 0), Cell(slow, 0), Cell(fast, 1), Cell(slow, 1)]
    plan = PlanProgress(dict.fromkeys(cells, 10))
    plan.begin(cells[0])
    assert plan.remaining(0) is None  # nothing is known yet
    now[0] = 4.0
    plan.update(2)
    assert plan.remaining(2) == pytest.approx((8 + 30) * 2.0)  # 2 s an epoch, taken for the others too
    now[0] = 20.0
    plan.end(failed=False)
    plan.begin(cells[1])
    now[0] = 50.0
    plan.update(5)
    assert plan.remaining(5) == pytest.approx(5 * 6.0 + 10 * 2.0 + 10 * 6.0)  # the slow one: 6 s an epoch


def test_a_failed_cell_and_a_finished_one_leave_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    row = Row((Path("recipe.yaml"),))
    cells = [Cell(row, seed) for seed in range(3)]
    plan = PlanProgress(dict.fromkeys(cells, 4))
    plan.skip(cells[0])
    plan.begin(cells[1])
    now[0] = 1.0
    plan.end(failed=True)
    plan.begin(cells[2], done=2)
    assert plan.remaining(2) is None  # a failed cell teaches nothing
    now[0] = 4.0
    plan.update(3)
    assert plan.remaining(3) == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, ""), (42, "about 42 s left"), (720, "about 12 min left"), (9000, "about 2.5 h left")]
)
def test_it_is_said_in_words(seconds: float | None, text: str) -> None:
    assert describe_seconds(seconds) == text
