"""A small plan on a small folder of generated music."""

from pathlib import Path

import pytest

RECIPE = """
model:
  network: genre.models.SpectralCNN
data:
  class_path: genre.data.Folder
  init_args:
    root: {root}
    features:
      class_path: genre.audio.MelSpectrogram
      init_args: {{n_fft: 512, hop_length: 256, n_mels: {bands}}}
    split: {{class_path: genre.data.StratifiedSplit, init_args: {{by_artist: true, test: 0.25}}}}
    segment_seconds: 0.8
    batch_size: 6
    num_workers: 0
trainer: {{max_epochs: 2, accelerator: cpu}}
"""

FOLDS = "class_path: genre.data.KFoldSplit\ninit_args: {folds: 3, by_artist: true}\n"

PUBLISHED = """
paper: "A paper"
conditions: {data_set: GTZAN, epochs: 50, split: StratifiedSplit}
figures:
  - {system: good, accuracy: .75, f1: .5, train_accuracy: 1.0}
"""

PLAN = """
title: A small plan
recipes: [good.yaml, bad.yaml]
published: published.yaml
"""


@pytest.fixture
def plan(tmp_path: Path, folder: Path, quick_cells: None) -> Path:
    """Two recipes, of which the second fails: its network needs more bands."""
    (tmp_path / "good.yaml").write_text(RECIPE.format(root=folder, bands=32))
    (tmp_path / "bad.yaml").write_text(RECIPE.format(root=folder, bands=8))
    (tmp_path / "folds.yaml").write_text(FOLDS)
    (tmp_path / "published.yaml").write_text(PUBLISHED)
    (tmp_path / "plan.yaml").write_text(PLAN)
    return tmp_path / "plan.yaml"
