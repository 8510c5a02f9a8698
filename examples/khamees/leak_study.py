"""How much a leaky split flatters: Khamees's CNN on one data set, split by segment, by track and by artist.

python examples/khamees/leak_study.py ROOT [EPOCHS], where ROOT holds GTZAN; the three reports go to runs/leak-….
"""

import argparse
import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from genre.cli import main

RECIPE = Path(__file__).with_name("cnn.yaml")
SPLITS = {
    "segment": [],  # the recipe's own
    "track": ["--data.split=genre.data.StratifiedSplit", "--data.split.validation=0.16", "--data.split.test=0.2"],
    "artist": [
        "--data.split=genre.data.StratifiedSplit", "--data.split.validation=0.16", "--data.split.test=0.2",
        "--data.split.by_artist=true",
    ],
}  # fmt: skip


def study(root: str, epochs: int) -> None:
    """Fits three times and prints the three accuracies."""
    table = Table(title=f"KhameesCNN on {root}, {epochs} epochs")
    for column in ("split by", "scored", "test accuracy", "95 % interval", ""):
        table.add_column(column)
    for name, options in SPLITS.items():
        command = ["fit", f"--config={RECIPE}", f"--data.root={root}", f"--name=leak-{name}", *options]
        if name != "segment":
            command.append("--data.fixed_segments=true")
        try:
            main([*command, f"--trainer.max_epochs={epochs}"])
        except SystemExit as stop:
            if stop.code:
                raise
        results = Path("runs", f"leak-{name}").glob("*/report/metrics.json")
        metrics = json.loads(max(results, key=lambda path: path.stat().st_mtime).read_text())
        score = metrics["accuracy"]
        scored = f"{metrics['tracks']} {'segments' if name == 'segment' else 'tracks'}"
        interval = f"{score['low']:.2f} – {score['high']:.2f}"
        table.add_row(name, scored, f"{score['value']:.2f}", interval, "leaky" if metrics["leaky"] else "")
    Console().print(table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("root", metavar="ROOT", help="the folder that holds GTZAN")
    parser.add_argument("epochs", nargs="?", type=int, default=50, metavar="EPOCHS", help="default: %(default)s")
    study(**vars(parser.parse_args()))
