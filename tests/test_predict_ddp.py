"""Prediction with several processes, and of the best checkpoint of a fit."""

import subprocess
from pathlib import Path
from typing import cast

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

import genre

from .processes import run_two
from .test_lightning_tools import checkpoint, classifier, expected, make, music, trainer  # noqa: F401  # fixtures

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pytorch_lightning")

#: Predicts with two processes, from the DataModule and then from its test loader; each writes its rows.
SCRIPT = """
import sys
import torch, pytorch_lightning as pl
from genre import GenreClassifier
from genre.errors import GenreError
from tests.test_lightning_tools import make
music, checkpoint, out = sys.argv[1:]

def predict(name, **given):
    trainer = pl.Trainer(accelerator="cpu", devices=2, strategy="ddp", logger=False, enable_progress_bar=False)
    rows = trainer.predict(GenreClassifier.load_from_checkpoint(checkpoint), **given)
    torch.save(torch.cat(rows), f"{out}/{name}{trainer.global_rank}.pt")

predict("rows", datamodule=make(music))
try:
    predict("refused", dataloaders=make(music).test_dataloader())
except GenreError as error:
    sys.exit(f"GenreError: {error}")
"""

Ran = tuple[Path, list[subprocess.CompletedProcess[str]]]


@pytest.fixture(scope="module")
def ran(music: Path, checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:  # noqa: F811
    """The folder of what both processes write, and how they end."""
    out = tmp_path_factory.mktemp("ddp")
    (out / "predict.py").write_text(SCRIPT)
    return out, run_two(out / "predict.py", music, checkpoint, out, cwd=out)


def test_two_processes_predict_what_one_does(ran: Ran, expected: torch.Tensor) -> None:  # noqa: F811
    out, done = ran
    assert len(list(out.glob("rows*"))) == 2, [process.stderr for process in done]
    parts = [torch.load(out / f"rows{rank}.pt", weights_only=True) for rank in (0, 1)]
    assert [len(part) for part in parts] == [3, 3]
    union = sorted(torch.cat(parts).tolist())
    torch.testing.assert_close(torch.tensor(union), torch.tensor(sorted(expected.tolist())), rtol=0, atol=1e-6)


def test_a_test_loader_for_two_processes_is_refused(ran: Ran) -> None:
    out, done = ran
    assert done[0].returncode != 0
    assert "GenreError: this loader gives the segments of a track to several processes; pass datamodule=data" in (
        done[0].stderr
    )
    assert not list(out.glob("refused*"))


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
