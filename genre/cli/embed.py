"""``genre embed``: the embeddings of files and folders."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track as progress

from genre.cli.audio_files import AudioFiles
from genre.cli.processes import choose_device
from genre.embeddings import Embeddings, check_writable, load_embedder, write_embeddings
from genre.terminal import terminal


def embed_files(networks: Sequence[str], paths: Sequence[Path], out: Path, segments: int | None) -> int:
    """Writes the embeddings of every file, concatenated over the networks; returns the exit status."""
    check_writable(out)
    predictors = [load_embedder(network, choose_device()) for network in networks]
    for predictor in predictors:
        predictor.evaluation_segments = segments or predictor.evaluation_segments
    files = AudioFiles(paths)
    rows: list[tuple[Path, NDArray[np.float32]]] = []
    console = terminal()
    bar = progress(
        files.apply(lambda path: np.concatenate([predictor.embed(path) for predictor in predictors])),
        "embedding", len(files.paths), console=console, transient=True, disable=not console.is_terminal,
    )  # fmt: skip
    try:
        rows.extend(bar)
    finally:  # Ctrl-C keeps what is done
        if rows:
            values = np.stack([row for _, row in rows])
            write_embeddings(out, Embeddings([path for path, _ in rows], values))
            line = f"{out}: {len(values)} embeddings of {values.shape[1]} values"
            console.print(line, soft_wrap=True, highlight=False, markup=False)
    return 1 if files.faults else 0
