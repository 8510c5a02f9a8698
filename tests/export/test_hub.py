"""A classifier as a folder: it says what the checkpoint says, predicts the same, and can hold no code."""

import json
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

import genre
from genre.checkpoint import read_checkpoint
from genre.errors import GenreError
from genre.export.hub import export_folder
from tests.conftest import run_cli


@pytest.fixture(scope="module")
def exported(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("hub") / "mine"
    assert run_cli("export", trained / "checkpoints/best.ckpt", out, "--format=hub") == 0
    return out


@pytest.fixture
def copy(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "copy"))


def test_predictions_are_those_of_the_checkpoint(trained: Path, exported: Path, folder: Path) -> None:
    songs = sorted(folder.rglob("*.wav"))[:3]
    before, after = genre.load(trained / "checkpoints/best.ckpt"), genre.load(exported)
    for song in songs:
        assert torch.equal(before.predict_proba(song), after.predict_proba(song))
    assert before.genres == after.genres


def test_config_says_what_the_checkpoint_says(trained: Path, exported: Path) -> None:
    config = json.loads((exported / "config.json").read_text())
    content = read_checkpoint(trained / "checkpoints/best.ckpt")["genre"]
    metrics = json.loads((trained / "report/metrics.json").read_text())
    assert {name: config[name] for name in content} == json.loads(json.dumps(content))
    assert config.keys() - content.keys() == {"library_name", "scores"}
    assert config["network"]["class_path"] == "genre.models.SpectralCNN"
    assert config["features"]["init_args"]["sample_rate"] == 22050
    assert config["scores"]["accuracy"] == metrics["accuracy"]
    assert config["scores"]["leaky"] is False
    assert config["scores"]["split"]["class"] == "StratifiedSplit"
    assert str(metrics["root"]) not in (exported / "config.json").read_text()


def test_an_entry_of_another_version_goes_through(trained: Path, tmp_path: Path) -> None:
    checkpoint = torch.load(trained / "checkpoints/best.ckpt", weights_only=True)
    checkpoint["genre"] |= {"future": {"numbers": [0.1, 2.5e-300]}}
    torch.save(checkpoint, tmp_path / "future.ckpt")
    export_folder(tmp_path / "future.ckpt", tmp_path / "out")
    export_folder(tmp_path / "out", tmp_path / "again")
    config = json.loads((tmp_path / "again/config.json").read_text())
    assert config["future"] == {"numbers": [0.1, 2.5e-300]}
    assert config["scores"] is None  # the report is that of best.ckpt


def test_model_card(trained: Path, exported: Path) -> None:
    card = (exported / "README.md").read_text()
    _, matter, text = card.split("---\n", 2)
    front = yaml.safe_load(matter)
    assert front["library_name"] == "genre"
    assert "license" not in front
    metrics = json.loads((trained / "report/metrics.json").read_text())
    figures = {entry["type"]: entry["value"] for entry in front["model-index"][0]["results"][0]["metrics"]}
    assert figures["accuracy"] == metrics["accuracy"]["value"]
    accuracy = metrics["accuracy"]
    assert f"| accuracy | {accuracy['value']:.3f} | {accuracy['low']:.3f} – {accuracy['high']:.3f} |" in text
    assert f"{metrics['tracks_by_subset']['train']} tracks trained on" in text
    assert "Data set: Folder." in text
    assert "leaky: no" in text


def test_repository_in_the_cache_of_the_hub(
    exported: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The layout of the hub's cache: blobs, a snapshot of links to them, a reference."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = tmp_path / "models--user--name"
    for part in ("blobs", f"snapshots/{commit}", "refs"):
        (repository / part).mkdir(parents=True)
    (repository / "refs/main").write_text(commit)
    for name in ("config.json", "model.safetensors"):
        shutil.copy(exported / name, repository / "blobs" / f"{name}-digest")
        (repository / "snapshots" / commit / name).symlink_to(f"../../blobs/{name}-digest")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    song = next(folder.rglob("*.wav"))
    assert genre.load("user/name").predict(song) == genre.load(exported).predict(song)
    with pytest.raises(GenreError, match="user/other: no such checkpoint or folder, and the hub's"):
        genre.load("user/other")
    with pytest.raises(GenreError, match=r"runs/lost\.ckpt: no such checkpoint"):
        genre.load("runs/lost.ckpt")


def test_push(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[tuple[str, Any]] = []

    class Api:
        def create_repo(self, repo_id: str, exist_ok: bool) -> None:
            calls.append((repo_id, exist_ok))

        def upload_folder(
            self, *, repo_id: str, folder_path: Path, allow_patterns: list[str], commit_message: str
        ) -> Any:
            calls.append((repo_id, {name for name in allow_patterns if (folder_path / name).exists()}))
            return SimpleNamespace(commit_url="https://hub/user/name/commit/1")

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    options = ("export", trained / "checkpoints/best.ckpt", tmp_path / "out", "--format=hub", "--push=user/name")
    assert run_cli(*options) == 0
    # The picture is there only where the fixture's report was drawn with pictures.
    assert calls[0] == ("user/name", True)
    assert calls[1][1] - {"confusion_matrix.png"} == {"README.md", "config.json", "model.safetensors"}
    assert "user/name: https://hub/user/name/commit/1" in capsys.readouterr().out.replace("\n", "")

    def refuse(self: Api, repo_id: str, exist_ok: bool) -> None:
        raise ConnectionError("no route")

    monkeypatch.setattr(Api, "create_repo", refuse)
    assert run_cli(*options) == 1
    assert "user/name took no upload (ConnectionError: no route)" in capsys.readouterr().err


EVIL = [
    "os.system", "builtins.eval", "builtins.exec", "torch.load", "torch.hub.load", "subprocess.Popen", "subprocess.run",
    "genre.cli.main", "genre.cli.verbs.predict", "genre.__main__.main", "genre.load", "genre.GenreClassifier",
    "genre.models.pretrained.timm.create_model", "genre.config.importlib.import_module", "genre.models..x",
    "genre.data.Folder", "pathlib.Path", "unknown_module.Network", "", "eval", "torch.nn.Module.__init__",
]  # fmt: skip


def assert_refused(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line in Python and on the command line."""
    with pytest.raises(GenreError) as caught:
        genre.load(source)
    assert "\n" not in str(caught.value)
    assert run_cli("predict", "--ckpt_path", source, "song.wav") == 1
    error = capsys.readouterr().err
    assert error.startswith("genre: error: ")
    assert error.count("\n") == 1


def change(file: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    config = json.loads(file.read_text())
    edit(config)
    file.write_text(json.dumps(config))


@pytest.mark.parametrize("path", EVIL)
@pytest.mark.parametrize("place", ["network", "features", "nested"])
def test_other_classes_are_refused(
    copy: Path, path: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    evil = {"class_path": path, "init_args": {"command": "touch exploded"}}
    nested = {"class_path": "genre.models.SideBySide", "init_args": {"networks": [evil]}}
    change(
        copy / "config.json", lambda config: config.update({"network": nested} if place == "nested" else {place: evil})
    )
    with pytest.raises(GenreError) as caught:
        genre.load(copy)
    assert "\n" not in str(caught.value)
    assert not Path("exploded").exists()


@pytest.mark.parametrize(
    "entry",
    [
        {"genres": []}, {"genres": "rock"}, {"genres": [1, 2]}, {"segment_seconds": 1e12}, {"segment_seconds": "3"},
        {"segment_seconds": -1}, {"segment_seconds": float("nan")}, {"evaluation_segments": 0},
        {"evaluation_segments": None}, {"network": []}, {"network": {"class_path": 3, "init_args": {}}},
        {"network": {"class_path": "genre.models.SpectralCNN"}}, {"features": None},
        {"network": {"class_path": "genre.models.SpectralCNN", "init_args": {"width": 3}}},
        {"network": {"class_path": "genre.models.SpectralCNN", "init_args": {"dropout": "much"}}},
        {"network": {"class_path": "genre.models.IndRNN", "init_args": {"units": 10**12}}},
        {"features": {"class_path": "genre.audio.MelSpectrogram", "init_args": {"n_fft": 10**15}}},
        {"features": {"class_path": "genre.audio.MelSpectrogram", "init_args": {"norm": {"class_path": "os.system"}}}},
        {"network": {"class_path": "genre.models.BBNN", "init_args": {}}},
    ],
    ids=str,
)  # fmt: skip
def test_damaged_configurations(copy: Path, entry: dict[str, Any]) -> None:
    change(copy / "config.json", lambda config: config.update(entry))
    with pytest.raises(GenreError) as caught:
        genre.load(copy)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"genres": ', "[" * 100_000, "\x00", "{}"], ids=range(8))
def test_no_configuration(copy: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    (copy / "config.json").write_text(text)
    assert_refused(copy, capsys)


def _tensors(file: Path, edit: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = load_file(file)
    edit(tensors)
    save_file(tensors, file)


def _folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "huge header": lambda file: file.write_bytes(struct.pack("<Q", 1 << 62) + file.read_bytes()[8:]),
    "header of 1 GB": lambda file: file.write_bytes(struct.pack("<Q", 1 << 30) + file.read_bytes()[8:]),
    "long header": lambda file: file.write_bytes(struct.pack("<Q", 20 << 20) + b" " * (20 << 20)),
    "cut short": lambda file: file.write_bytes(file.read_bytes()[:-100]),
    "cut in the header": lambda file: file.write_bytes(file.read_bytes()[:50]),
    "empty": lambda file: file.write_bytes(b""),
    "a pickle": lambda file: torch.save({"a": torch.zeros(3)}, file),
    "missing tensor": lambda file: _tensors(file, lambda tensors: tensors.popitem()),
    "unexpected tensor": lambda file: _tensors(file, lambda tensors: tensors.update(extra=torch.zeros(3))),
    "other shape": lambda file: _tensors(
        file, lambda tensors: tensors.update({name: tensor[..., :1].clone() for name, tensor in tensors.items() if tensor.ndim > 1})
    ),
    "other type": lambda file: _tensors(
        file, lambda tensors: tensors.update({name: tensor.int() for name, tensor in tensors.items()})
    ),
    "missing": lambda file: file.unlink(),
    "folder": _folder,
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_weights(copy: Path, damage: str, capsys: pytest.CaptureFixture[str]) -> None:
    DAMAGES[damage](copy / "model.safetensors")
    assert_refused(copy, capsys)


def test_checkpoints_that_could_fill_the_memory(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bomb = tmp_path / "bomb.ckpt"
    with (
        zipfile.ZipFile(trained / "checkpoints/best.ckpt") as source,
        zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as out,
    ):
        for member in source.infolist():
            out.writestr(member.filename, source.read(member))
    assert_refused(bomb, capsys)
    checkpoint = torch.load(trained / "checkpoints/best.ckpt", weights_only=True)
    for name, value in {"genre": [], "state_dict": {"network.x": 3}}.items():
        torch.save({**checkpoint, name: value}, tmp_path / "odd.ckpt")
        assert_refused(tmp_path / "odd.ckpt", capsys)
