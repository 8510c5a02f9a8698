"""The model card of a classifier: what it knows, how well, and what it was trained on."""

from collections.abc import Mapping
from typing import Any

import yaml

from genre.config import show, without
from genre.metrics import SCORES
from genre.report.conditions import remarks


def model_card(
    content: Mapping[str, Any], scores: Mapping[str, Any] | None, parameters: int, picture: str | None
) -> str:
    """The ``README.md`` of a repository, in Markdown with the hub's front matter. It names no licence: the user does.

    Args:
        content: The ``genre`` entry of a checkpoint.
        scores: The content of a run's ``metrics.json``; ``None``: the classifier was not tested.
        parameters: The number of values in the weights.
        picture: The file of the confusion matrix, if there is one.
    """
    matter = yaml.safe_dump(_front_matter(content, scores), sort_keys=False, allow_unicode=True)
    parts = [f"---\n{matter}---\n", f"# {_class(content['network'])} for music genres\n", _usage(content)]
    parts.append("## Scores\n")
    parts.append(_scores(scores) if scores else "No score came with the checkpoint.\n")
    if picture:
        parts.append(f"![Confusion matrix]({picture})\n")
    parts += ["## Training data\n", _training_data(content, scores), "## Network\n", _network(content, parameters)]
    return "\n".join(parts)


def _front_matter(content: Mapping[str, Any], scores: Mapping[str, Any] | None) -> dict[str, Any]:
    matter: dict[str, Any] = {
        "library_name": "genre",
        "pipeline_tag": "audio-classification",
        "tags": ["audio-classification", "music", "music-genre-classification", "genre"],
    }
    if scores and not scores["leaky"]:  # the hub shows these figures beside those of others
        metrics = [{"type": name, "value": scores[name]["value"]} for name in SCORES]
        data_set = {"name": scores["data_set"], "type": str(scores["data_set"]).lower(), "split": scores["subset"]}
        result = {"task": {"type": "audio-classification"}, "dataset": data_set, "metrics": metrics}
        matter["model-index"] = [{"name": _class(content["network"]), "results": [result]}]
    return matter


def _usage(content: Mapping[str, Any]) -> str:
    genres = ", ".join(_text(genre) for genre in content["genres"])
    return f"""Names the genre of a song, one of {len(content["genres"])}: {genres}.

```python
import genre

classifier = genre.load("user/name")  # this repository, or a folder with its files
print(classifier.predict("song.mp3"))
```

A song is classified by the mean of the probabilities of up to {content["evaluation_segments"]} segments of
{content["segment_seconds"]:g} s, spread evenly over its whole length.
"""


def _scores(scores: Mapping[str, Any]) -> str:
    rows = [
        f"| {name} | {scores[name]['value']:.3f} | {scores[name]['low']:.3f} – {scores[name]['high']:.3f} |"
        for name in SCORES
    ]
    genres = [
        f"| {_text(genre)} | {values['tracks']} | {'–' if values['f1'] is None else format(values['f1'], '.3f')} |"
        for genre, values in scores["genres"].items()
    ]
    split = scores["split"]
    arguments = ", ".join(f"{name}={value}" for name, value in split.items() if name != "class")
    notes = [f"> {_text(line)}\n" for line in remarks({**scores, "bad_files": [None] * scores["bad_files"]})]
    return "\n".join(
        [
            f"Of {scores['tracks']} {scores['subset']} {scores['unit']} of {scores['data_set']}, split by "
            f"{split['class']}({_text(arguments)}); leaky: {'yes' if scores['leaky'] else 'no'}.\n",
            *notes,
            "| score | value | 95 % interval |\n|---|---|---|",
            *rows,
            f"\n| genre | {scores['unit']} | F1 |\n|---|---|---|",
            *genres,
            "",
        ]
    )


def _training_data(content: Mapping[str, Any], scores: Mapping[str, Any] | None) -> str:
    provenance = content.get("provenance")
    if not isinstance(provenance, Mapping):
        return "The checkpoint does not say on which tracks it was trained.\n"
    lines = [f"Data set: {scores['data_set']}.\n"] if scores else []
    names = {
        "train": "trained on",
        "validation": "chosen on",
        "earlier_train": "trained on in an earlier fit",
        "earlier_validation": "chosen on in an earlier fit",
    }
    for subset, verb in names.items():
        tracks, artists = provenance["tracks"].get(subset), provenance["artists"].get(subset)
        if tracks:
            lines.append(f"- {len(tracks)} tracks {verb}" + (f", by {len(artists)} known artists" if artists else ""))
    lines.append(f"- genres: {', '.join(_text(genre) for genre in content['genres'])}\n")
    return "\n".join(lines)


def _network(content: Mapping[str, Any], parameters: int) -> str:
    features = without(content["features"], "mean", "std")
    return f"`{show(content['network'])}`, {parameters:,} values in its weights, on `{show(features)}`.\n"


def _class(config: Mapping[str, Any]) -> str:
    return str(config["class_path"]).rpartition(".")[2]


def _text(value: object) -> str:
    """Text in a table or a paragraph of Markdown."""
    return " ".join(str(value).split()).replace("|", "\\|").replace("<", "&lt;")
