"""Train a network of your own on a folder of your own.

python examples/own_network.py MUSIC [EPOCHS], where MUSIC holds <genre>/<file>. Its checkpoint names the genre of any
file, here and on the command line: genre predict --import own_network --ckpt_path …/best.ckpt song.mp3, in the folder
where this script lies.
"""

import argparse
import sys
from functools import partial

import pytorch_lightning as pl
from torch import Tensor, nn

import genre
from genre.data import Folder, MelSpectrogram, SpecAugment, StratifiedSplit


class TinyNet(nn.Module):
    """Any module will do that takes the number of genres, and (B, 1, frequency, time) to (B, genres) logits."""

    def __init__(self, num_classes: int, width: int = 32) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(1, width, 5, stride=2), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, 2 * width, 5, stride=2), nn.BatchNorm2d(2 * width), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Linear(2 * width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """The mean over frequency and time decides."""
        logits: Tensor = self.head(self.convolutions(x).mean((2, 3)))
        return logits


def main(root: str, epochs: int) -> None:
    """Fits, tests the best epoch, writes report/, and names the genre of one file with the checkpoint of that epoch."""
    pl.seed_everything(0)
    data = Folder(
        root,
        features=MelSpectrogram(n_mels=64),
        split=StratifiedSplit(by_artist=True),
        augment_spectrogram=[SpecAugment()],
    )
    classifier = genre.GenreClassifier(partial(TinyNet, width=16), data.genres)
    best = pl.callbacks.ModelCheckpoint(monitor="val_loss", filename="best")
    trainer = pl.Trainer(max_epochs=epochs, callbacks=[best, genre.Report()], log_every_n_steps=1)
    trainer.fit(classifier, datamodule=data)
    trainer.test(classifier, datamodule=data, ckpt_path="best", weights_only=True)

    song = data.tracks(data.test_subset)[0].path
    print(genre.load(best.best_model_path).predict(song))
    print(best.best_model_path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train a network of your own on a folder of your own.")
    parser.add_argument("music", help="the folder, one sub-folder per genre")
    parser.add_argument("epochs", nargs="?", type=int, default=20, help="default: %(default)s")
    options = parser.parse_args()
    try:
        main(options.music, options.epochs)
    except genre.GenreError as error:
        sys.exit(f"own_network.py: {error}")
