"""Train a network of your own on a folder of your own: python examples/own_network.py MUSIC, where MUSIC/<genre>/*."""

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


def main(root: str, epochs: int = 20) -> None:
    """Fits, tests the best checkpoint, writes report/, and names the genre of one file."""
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
    trainer.test(classifier, datamodule=data, ckpt_path=best.best_model_path, weights_only=True)

    song = data.tracks("test")[0].path
    print(genre.load(best.best_model_path).predict(song))


if __name__ == "__main__":
    main(*sys.argv[1:2], *map(int, sys.argv[2:3]))
