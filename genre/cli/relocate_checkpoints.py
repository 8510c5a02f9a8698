"""Going on with a run whose folder was moved or renamed."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint


class RelocateCheckpoints(pl.Callback):
    """Tells where a run's checkpoints lie now: of those in another folder Lightning forgets the scores."""

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Rewrites the paths before the callbacks read them, if the files are there."""
        for callback in trainer.checkpoint_callbacks:
            state = checkpoint["callbacks"].get(callback.state_key)
            if isinstance(callback, ModelCheckpoint) and callback.dirpath and state and state["dirpath"]:
                _move(state, Path(state["dirpath"]), Path(callback.dirpath))


def _move(state: dict[str, Any], old: Path, new: Path) -> None:
    best = Path(state["best_model_path"])
    if old == new or best.parent != old or not (new / best.name).is_file():
        return

    def moved(path: str) -> str:
        return str(new / Path(path).name) if path else path

    state["dirpath"] = str(new)
    for name in ("best_model_path", "last_model_path", "kth_best_model_path"):
        state[name] = moved(state[name])
    state["best_k_models"] = {moved(path): score for path, score in state["best_k_models"].items()}
