"""The model card of a classifier: what it knows, how well, and what it was trained on."""

from collections.abc import Mapping
from typing import Any

import yaml

from genre.config import show, without
from genre.metrics import SCORES
from genre.report.conditions import remarks
from genre.report.folder import render

#: The phrase for the tracks of each subset of a provenance.
VERBS = {
    "train": "trained on",
    "validation": "chosen on",
    "earlier_train": "trained on in an earlier fit",
    "earlier_validation": "chosen on in an earlier fit",
}


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
        names=SCORES,
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
        metrics = [{"type": score, "value": scores[score]["value"]} for score in SCORES]
        data_set = {"name": scores["data_set"], "type": str(scores["data_set"]).lower(), "split": scores["subset"]}
        result = {"task": {"type": "audio-classification"}, "dataset": data_set, "metrics": metrics}
        matter["model-index"] = [{"name": name, "results": [result]}]
    return matter


def _text(value: object) -> str:
    """Text in a table or a paragraph of Markdown."""
    return " ".join(str(value).split()).replace("|", "\\|").replace("<", "&lt;")
