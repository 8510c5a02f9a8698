"""A prediction imports what its own network needs, and nothing that takes seconds besides torch."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

#: What training, reports and timm's networks need, and a prediction does not.
HEAVY = {
    *("pytorch_lightning", "lightning_fabric", "torchmetrics", "torchvision", "timm", "jsonargparse"),
    *("librosa", "matplotlib", "sklearn", "scipy"),
}

PREDICTOR = """
import json, sys
import genre
checkpoint, song = sys.argv[1:]
assert genre.load(checkpoint).predict(song).genre.startswith("genre")
print(json.dumps(sorted(sys.modules)))
"""

COMMAND_LINE = """
import json, sys
from genre.cli import main
checkpoint, song = sys.argv[1:]
try:
    main(["predict", "--ckpt_path", checkpoint, song])
except SystemExit as stop:
    assert stop.code == 0
print(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize("script", [PREDICTOR, COMMAND_LINE], ids=["genre.load", "genre predict"])
def test_a_prediction_imports_no_lightning(script: str, trained: Path, folder: Path) -> None:
    song = next(folder.rglob("*.wav"))
    checkpoint = trained / "checkpoints" / "best.ckpt"
    done = subprocess.run(
        [sys.executable, "-c", script, str(checkpoint), str(song)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    modules = set(json.loads(done.stdout.splitlines()[-1]))
    assert "torch" in modules
    assert modules & HEAVY == set()
