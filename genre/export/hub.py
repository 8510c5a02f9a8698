"""Writes a classifier as a folder in the hub's layout with a model card, and uploads it."""

import json
from pathlib import Path
from shutil import copyfile
from typing import Any

import huggingface_hub
import safetensors.torch

from genre.checkpoint import network_config, network_weights
from genre.errors import GenreError, describe_error, one_line
from genre.export.model_card import model_card
from genre.hub import CONFIG, LIBRARY, SCORES, WEIGHTS, read_classifier

#: The file of a run's report that describes it, and the picture that a model card shows.
METRICS, PICTURE = "metrics.json", "confusion_matrix.png"

CARD = "README.md"

#: The entries of ``metrics.json`` that name places on the user's disk.
PRIVATE = ("root", "bad_files")


def export_folder(checkpoint: Path | str, folder: Path) -> None:
    """Writes ``model.safetensors``, ``config.json`` and a model card; :func:`genre.load` reads the folder.

    ``config.json`` has everything that the checkpoint says except its weights, and the scores of the run's report where
    the checkpoint is the ``best.ckpt`` of a run, which the report describes.

    Args:
        checkpoint: The checkpoint of a fit, or another folder.
        folder: The folder; files of an earlier export are replaced.

    Raises:
        GenreError: The checkpoint is damaged, or does not name its network's class.
    """
    saved = read_classifier(checkpoint)
    content = saved["genre"]
    network_config(content, checkpoint)  # raises for a class that cannot be named or is not imported
    report = Path(checkpoint).resolve().parent.parent / "report"
    described = Path(checkpoint).name == "best.ckpt" and (report / METRICS).is_file()
    scores = _read_scores(report / METRICS) if described else None
    picture = PICTURE if described and (report / PICTURE).is_file() else None
    folder.mkdir(parents=True, exist_ok=True)
    # Copies, as safetensors takes no tensors that share memory.
    weights = {name: tensor.clone().contiguous() for name, tensor in network_weights(saved["state_dict"]).items()}
    try:
        safetensors.torch.save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
        config = json.dumps({LIBRARY: "genre", **content, SCORES: scores}, indent=2)
    except (TypeError, ValueError) as error:
        line = one_line(error)[:160]
        raise GenreError(f"{checkpoint}: cannot be written as safetensors and JSON ({line})") from None
    (folder / CONFIG).write_text(config + "\n", encoding="utf-8")
    (folder / PICTURE).unlink(missing_ok=True)
    if picture:
        copyfile(report / picture, folder / picture)
    card = model_card(content, scores, sum(tensor.numel() for tensor in weights.values()), picture)
    (folder / CARD).write_text(card, encoding="utf-8", errors="backslashreplace")


def push_folder(folder: Path, repository: str) -> str:
    """Uploads a folder of :func:`export_folder` to the hub, with the token of the hub's own login.

    Args:
        folder: The folder.
        repository: ``user/name``; made if missing.

    Returns:
        The address of the commit.

    Raises:
        GenreError: The hub refuses the upload, or cannot be reached.
    """
    hub = huggingface_hub.HfApi()
    try:
        hub.create_repo(repository, exist_ok=True)
        commit = hub.upload_folder(
            repo_id=repository,
            folder_path=folder,
            allow_patterns=[CONFIG, WEIGHTS, CARD, PICTURE],
            commit_message="Upload a genre classifier",
        )
    except Exception as error:  # the hub and the network raise many types
        raise GenreError(
            f"{folder} is written, but {repository} took no upload ({describe_error(error)}); check the name "
            "and `hf auth login`"
        ) from None
    return str(commit.commit_url)


def _read_scores(file: Path) -> dict[str, Any]:
    try:
        metrics = json.loads(file.read_text(encoding="utf-8"))
        public = {name: value for name, value in metrics.items() if name not in PRIVATE}
        return public | {"bad_files": len(metrics["bad_files"])}
    except (ValueError, AttributeError, KeyError, TypeError):
        raise GenreError(f"{file}: not the scores of a run; test the checkpoint again, or move the file") from None
