"""Writes a classifier as a folder in the hub's layout with a model card, and uploads it."""

import json
from collections.abc import Mapping
from pathlib import Path
from shutil import copyfile
from typing import Any

import huggingface_hub
import safetensors.torch
import yaml

from genre.checkpoint import network_config, network_weights
from genre.config import show, without
from genre.errors import GenreError, describe_error, one_line
from genre.hub import CONFIG, LIBRARY, SCORES, WEIGHTS, read_classifier
from genre.metrics import SCORES as SCORE_NAMES
from genre.report.conditions import remarks
from genre.report.folder import render

#: The file of a run's report that describes it, and the picture that a model card shows.
METRICS, PICTURE = "metrics.json", "confusion_matrix.png"

CARD = "README.md"

#: The entries of ``metrics.json`` that name places on the user's disk.
PRIVATE = ("root", "bad_files")

#: What a checkpoint's fit and the fits before it did with the tracks of each subset of its provenance.
VERBS = {
    "train": "trained on",
    "validation": "chosen on",
    "earlier_train": "trained on in an earlier fit",
    "earlier_validation": "chosen on in an earlier fit",
}


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


def model_card(
    content: Mapping[str, Any], scores: Mapping[str, Any] | None, parameters: int, picture: str | None
) -> str:
    """The ``README.md`` of a repository, in Markdown with the hub's front matter. It names no licence: the user does.

    Args:
        content: The ``genre`` entry of a checkpoint.
        scores: The scores in ``config.json``; ``None``: the classifier was not tested.
        parameters: The number of values in the weights.
        picture: The file of the confusion matrix, if there is one.
    """
    name, provenance = content["network"]["class_path"].rpartition(".")[2], content.get("provenance")
    card = render(
        "genre.export",
        "model_card.md.j2",
        front_matter=yaml.safe_dump(_front_matter(name, scores), sort_keys=False, allow_unicode=True),
        name=name,
        content=content,
        genres=", ".join(_text(genre) for genre in content["genres"]),
        scores=scores,
        names=SCORE_NAMES,
        remarks=remarks({**scores, "bad_files": [None] * scores["bad_files"]}) if scores else (),
        picture=picture,
        provenance=provenance if isinstance(provenance, Mapping) else None,
        verbs=VERBS,
        network=show(content["network"]),
        features=show(without(content["features"], "mean", "std")),
        parameters=parameters,
        text=_text,
    )
    return f"{card}\n"


def _front_matter(name: str, scores: Mapping[str, Any] | None) -> dict[str, Any]:
    matter: dict[str, Any] = {
        "library_name": "genre",
        "pipeline_tag": "audio-classification",
        "tags": ["audio-classification", "music", "music-genre-classification", "genre"],
    }
    if scores and not scores["leaky"]:  # the hub shows these figures beside those of others
        metrics = [{"type": score, "value": scores[score]["value"]} for score in SCORE_NAMES]
        data_set = {"name": scores["data_set"], "type": str(scores["data_set"]).lower(), "split": scores["subset"]}
        result = {"task": {"type": "audio-classification"}, "dataset": data_set, "metrics": metrics}
        matter["model-index"] = [{"name": name, "results": [result]}]
    return matter


def _text(value: object) -> str:
    """Text in a table or a paragraph of Markdown."""
    return " ".join(str(value).split()).replace("|", "\\|").replace("<", "&lt;")


def _read_scores(file: Path) -> dict[str, Any]:
    try:
        metrics = json.loads(file.read_text(encoding="utf-8"))
        public = {name: value for name, value in metrics.items() if name not in PRIVATE}
        return public | {"bad_files": len(metrics["bad_files"])}
    except (ValueError, AttributeError, KeyError, TypeError):
        raise GenreError(f"{file}: not the scores of a run; test the checkpoint again, or move the file") from None
