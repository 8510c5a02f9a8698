"""The cells of a plan share one decoded cache."""

from pathlib import Path

import pytest
import yaml

from genre.benchmark.worker import CellFolder

from ..conftest import run_cli


@pytest.mark.parametrize(
    ("options", "expected"),
    [((), "decoded"), (("--seeds", "0"), None), (("--data.cache=null",), None), (("--data.cache=memory",), None)],
)
def test_cells_get_the_cache_of_their_benchmark(
    plan: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], expected: str | None
) -> None:
    plan.write_text("recipes: [good.yaml]\nseeds: [0, 1]\n")
    caches: list[Path | None] = []

    def fit(self: CellFolder, *_: object) -> str:
        caches.append(self.cache)
        return "not run"

    monkeypatch.setattr(CellFolder, "fit", fit)
    run_cli("benchmark", plan, "--name=bench", f"--runs_dir={plan.parent}", *options)
    assert set(caches) == {None if expected is None else plan.parent / "bench" / "version_0" / expected}


def test_a_plan_runs_from_its_cache_and_removes_it(plan: Path) -> None:
    plan.write_text("recipes: [good.yaml]\nseeds: [0, 1]\n")
    options = (f"--runs_dir={plan.parent}", "--epochs", "1")
    assert run_cli("benchmark", plan, "--name=bench", *options) == 0
    folder = plan.parent / "bench" / "version_0"
    for seed in (0, 1):
        config = yaml.safe_load((folder / "cells" / f"good-seed{seed}" / "version_0" / "config.yaml").read_text())
        assert config["data"]["init_args"]["cache"] == str(folder / "decoded")
    assert not (folder / "decoded").exists()
