"""The README's table of systems against the code."""

import ast
import re
from pathlib import Path

import pytest

import genre.models
from genre.report.callback import count

ROOT = Path(__file__).parents[1]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and line.endswith(".yaml` |")
]


def test_every_system_has_a_row() -> None:
    recipes = {row[-1].strip("`") for row in ROWS}
    files = {
        str(path.relative_to(ROOT / "examples"))
        for path in (ROOT / "examples").glob("*/*.yaml")
        if path.read_text(encoding="utf-8").count("model:")
    }
    assert recipes == files
    assert len(ROWS) == 21


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[-1].strip("`"))
def test_class_and_count(row: list[str]) -> None:
    paper, _, network, _, parameters, _, _, recipe = row
    call = ast.parse(network.strip("`"), mode="eval").body
    assert isinstance(call, ast.Call)
    assert isinstance(call.func, ast.Name)
    arguments = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
    kind = getattr(genre.models, call.func.id)
    assert count(kind(8 if paper.startswith("Yaacob") else 10, **arguments)) == int(parameters.replace(",", ""))
    text = (ROOT / "examples" / recipe.strip("`")).read_text(encoding="utf-8")
    assert re.search(rf"genre\.models\.{call.func.id}\b", text)
