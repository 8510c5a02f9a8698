"""Prediction with several processes, and of the best checkpoint of a fit."""

import subprocess
from pathlib import Path
from typing import cast

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

import genre

from .processes import run_python
from .test_lightning_tools import checkpoint, classifier, expected, make, music, trainer  # noqa: F401  # fixtures

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pytorch_lightning")

#: Predicts with two processes, from the DataModule or from its test loader; each writes its rows.
SCRIPT = """
import sys
import torch, pytorch_lightning as pl
from genre import GenreClassifier
from genre.errors import GenreError
from tests.test_lightning_tools import make
music, checkpoint, out, source = sys.argv[1:]
data = make(music)
trainer = pl.Trainer(accelerator="cpu", devices=2, strategy="ddp", logger=False, enable_progress_bar=False)
given = {"datamodule": data} if source == "datamodule" else {"dataloaders": data.test_dataloader()}
try:
    rows = trainer.predict(GenreClassifier.load_from_checkpoint(checkpoint), **given)
except GenreError as error:
    sys.exit(f"GenreError: {error}")
torch.save(torch.cat(rows), f"{out}/rows{trainer.global_rank}.pt")
"""


def predict(source: str, *arguments: Path) -> "subprocess.CompletedProcess[str]":
    script = arguments[-1] / "predict.py"
    script.write_text(SCRIPT)
    return run_python(script, *arguments, source, cwd=arguments[-1], environment={"OMP_NUM_THREADS": "1"})


def test_two_processes_predict_what_one_does(
    music: Path,  # noqa: F811
    checkpoint: Path,  # noqa: F811
    expected: torch.Tensor,  # noqa: F811
    tmp_path: Path,
) -> None:
    ran = predict("datamodule", music, checkpoint, tmp_path)
    assert ran.returncode == 0, ran.stderr
    parts = [torch.load(tmp_path / f"rows{rank}.pt", weights_only=True) for rank in (0, 1)]
    assert [len(part) for part in parts] == [3, 3]
    union = sorted(torch.cat(parts).tolist())
    torch.testing.assert_close(torch.tensor(union), torch.tensor(sorted(expected.tolist())), rtol=0, atol=1e-6)


def test_a_test_loader_for_two_processes_is_refused(music: Path, checkpoint: Path, tmp_path: Path) -> None:  # noqa: F811
    ran = predict("loader", music, checkpoint, tmp_path)
    assert ran.returncode != 0
    assert "GenreError: this loader gives the segments of a track to several processes; pass datamodule=data" in (
        ran.stderr
    )
    assert not list(tmp_path.glob("rows*"))


def test_predict_with_the_best_checkpoint(music: Path, tmp_path: Path) -> None:  # noqa: F811
    data = make(music)
    keep = ModelCheckpoint(tmp_path, monitor="val_loss", filename="best")
    fit: pl.Trainer = trainer(max_epochs=3, callbacks=[keep], enable_checkpointing=True)
    fit.fit(classifier(data, optimizer=lambda groups: torch.optim.Adam(groups, lr=0.05)), datamodule=data)
    batches = fit.predict(datamodule=data, ckpt_path="best", weights_only=True)
    rows = torch.cat(cast(list[torch.Tensor], batches))
    predictor = genre.load(keep.best_model_path)
    alone = torch.stack([predictor.predict_proba(track.path) for track in data.tracks("test")]).float()
    torch.testing.assert_close(rows, alone, rtol=0, atol=1e-6)
