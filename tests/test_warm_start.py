"""A fit that starts from another fit's network takes all but the head, and knows what that one was trained on."""

import json
import logging
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import BatchSizeFinder
from torch import Tensor, nn

import genre
from genre import Ensemble, GenreClassifier, GenreError, LinearProbe
from genre.data import Folder, MelSpectrogram, StratifiedSplit
from genre.data.provenance import Provenance, artist_digests, digests
from genre.finetuning import take_weights
from genre.models import Backbone, SpectralCNN
from genre.models.head import find_head

from .conftest import QUICK, run_cli, write_folder
from .models.networks import Build
from .models.test_all_models import each_model


@pytest.fixture(scope="module")
def best(trained: Path) -> Path:
    """Of a fit on three genres."""
    return trained / "checkpoints" / "best.ckpt"


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four genres: the three that ``best`` was trained on, track by track the same, and another one."""
    return write_folder(tmp_path_factory.mktemp("four"), genres=4)


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four genres, of which no track is one of ``four``."""
    return write_folder(tmp_path_factory.mktemp("others"), genres=4, seconds=1.1)


def data(root: Path, seed: int = 0, **features: Any) -> Folder:
    return Folder(
        root, MelSpectrogram(**({"n_mels": 32, "n_fft": 512, "hop_length": 256} | features)),
        StratifiedSplit(test=0.25, by_artist=True, seed=seed), segment_seconds=0.8, batch_size=6, num_workers=0,
    )  # fmt: skip


def fit(
    root: Path, out: Path, epochs: int = 1, pretrained: Path | None = None, checkpoint: Path | None = None,
    callbacks: tuple[pl.Callback, ...] = (), network: Any = SpectralCNN, seed: int = 0, **features: Any,
) -> GenreClassifier:  # fmt: skip
    module = data(root, seed, **features)
    pl.seed_everything(3)
    model = GenreClassifier(network, module.genres, pretrained=pretrained)
    trainer = pl.Trainer(
        max_epochs=epochs, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, num_sanity_val_steps=0, callbacks=list(callbacks),
    )  # fmt: skip
    trainer.fit(model, datamodule=module, ckpt_path=checkpoint, weights_only=True)
    trainer.save_checkpoint(out)
    return model


class Start(pl.Callback):
    """Keeps the weights that the first step begins with."""

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if trainer.global_step == 0:
            self.weights = {name: value.clone() for name, value in pl_module.state_dict().items()}


def weights(checkpoint: Path) -> dict[str, Tensor]:
    state: dict[str, Tensor] = torch.load(checkpoint, weights_only=True)["state_dict"]
    return state


def record(checkpoint: Path) -> Provenance:
    heard = Provenance.read(torch.load(checkpoint, weights_only=True)["genre"]["provenance"])
    assert heard is not None
    return heard


def metrics(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "report" / "metrics.json").read_text(encoding="utf-8"))
    return found


def test_all_but_the_head_is_taken_before_the_first_step(best: Path, four: Path, tmp_path: Path) -> None:
    start, cold = Start(), Start()
    fit(four, tmp_path / "warm.ckpt", pretrained=best, callbacks=(start,))
    fit(four, tmp_path / "cold.ckpt", callbacks=(cold,))
    old, heads = weights(best), {"network.dense.7.weight", "network.dense.7.bias"}
    assert start.weights.keys() == old.keys() > heads
    for name, value in start.weights.items():
        expected = cold.weights[name] if name in heads else old[name]
        assert torch.equal(value, expected), name
    assert start.weights["network.dense.7.weight"].shape == (4, 64)
    assert not torch.equal(
        weights(tmp_path / "warm.ckpt")["network.blocks.0.0.weight"], old["network.blocks.0.0.weight"]
    )


def test_a_callback_that_saves_and_loads_before_the_fit_does_not_undo_it(
    best: Path, four: Path, tmp_path: Path
) -> None:
    """Lightning's finders train a few steps, then load what they have saved before."""
    start = Start()
    finder = BatchSizeFinder(steps_per_trial=1, max_trials=1, init_val=4)
    fit(four, tmp_path / "warm.ckpt", pretrained=best, callbacks=(finder, start), seed=1)
    old = weights(best)
    taken = [name for name in old if "dense.7" not in name]
    assert all(torch.equal(start.weights[name], old[name]) for name in taken)
    assert "earlier_train" in record(tmp_path / "warm.ckpt").tracks


@each_model
def test_of_every_network(name: str, build: Build, shape: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    old, new = build(3), build(5)
    for value in old.state_dict().values():
        value.copy_(torch.rand(value.shape))
    before = {key: value.clone() for key, value in new.state_dict().items()}
    saved = {f"network.{key}": value for key, value in old.state_dict().items()}
    take_weights(new, {"state_dict": saved, "genre": {"network": None}}, "old.ckpt")
    head, _ = find_head(new)
    for key, value in new.state_dict().items():
        in_head = key in (f"{head}.weight", f"{head}.bias")
        assert torch.equal(value, before[key] if in_head else old.state_dict()[key]), key


def test_the_report_counts_what_the_earlier_fit_has_heard(
    trained: Path, best: Path, four: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By hand: the test tracks of the new split that are train or validation tracks of the old one, by their names."""
    old = shutil.copy(best, tmp_path / "old.ckpt")
    options = [*QUICK, f"--data.root={four}", f"--runs_dir={tmp_path}", "--data.split.seed=1"]
    assert run_cli("fit", *options, f"--model.pretrained={old}", "--name=warm") == 0
    output = capsys.readouterr().out

    def names(folder: Folder, subset: Any) -> set[Path]:
        return {track.path.relative_to(folder.root) for track in folder.partition[subset]}

    split = metrics(trained)["split"] | {"seed": 0}
    assert split.pop("class") == "StratifiedSplit"
    before = Folder(metrics(trained)["root"], MelSpectrogram(), StratifiedSplit(**split))
    after = Folder(four, MelSpectrogram(), StratifiedSplit(**(split | {"seed": 1})))
    assert names(before, "train") | names(before, "validation") | names(before, "test") < names(after, "train") | names(
        after, "validation"
    ) | names(after, "test")
    again = {subset: len(names(after, "test") & names(before, subset)) for subset in ("train", "validation")}
    assert sum(again.values()) > 0
    found = metrics(tmp_path / "warm" / "version_0")
    assert found["leaky"] is True
    wanted = {"train": 0, "validation": 0, "earlier_train": again["train"], "earlier_validation": again["validation"]}
    assert {name: found["seen"].get(name, 0) for name in wanted} == wanted
    text = f"LEAKY: the network was in an earlier fit trained on {again['train']}"
    assert text in " ".join(output.split())
    # The checkpoint stands alone: the old one is needed no more.
    Path(old).unlink()
    run = tmp_path / "warm" / "version_0"
    assert run_cli("test", "--ckpt_path", run / "checkpoints/best.ckpt", f"--runs_dir={tmp_path}", "--name=test") == 0
    assert metrics(tmp_path / "test" / "version_0")["seen"] == found["seen"]
    song = next(four.rglob("*.wav"))
    assert len(genre.load(run / "checkpoints" / "best.ckpt").predict(song).probabilities) == 4
    again_options = [f"--ckpt_path={run / 'checkpoints/last.ckpt'}", "--trainer.max_epochs=2"]
    assert run_cli("fit", *again_options, f"--runs_dir={tmp_path}") == 0
    assert metrics(run)["seen"] == found["seen"]


def test_new_music_is_no_leak_but_its_artists_are_counted(best: Path, others: Path, tmp_path: Path) -> None:
    """The artists of ``others`` are called as those of the old fit, of which some are on the test subset now."""
    options = [*QUICK, f"--data.root={others}", f"--runs_dir={tmp_path}", "--data.split.seed=1"]
    assert run_cli("fit", *options, f"--model.pretrained={best}", "--name=warm") == 0
    found = metrics(tmp_path / "warm" / "version_0")
    assert found["leaky"] is False
    assert found["seen"] == {"train": 0, "validation": 0, "earlier_train": 0, "earlier_validation": 0}
    artists = record(best).artists
    known = {*artists["train"], *artists["validation"]}
    partition = Folder(others, MelSpectrogram(), StratifiedSplit(**_split(found))).partition
    test, validation = (artist_digests(partition[subset]) for subset in ("test", "validation"))
    expected = len(test & known) + len(validation & set(artists["train"]))
    assert expected > 0
    assert found["artists_shared"] == expected
    assert run_cli("fit", *options, "--name=cold") == 0
    assert metrics(tmp_path / "cold" / "version_0")["artists_shared"] == 0


def _split(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found["split"].items() if name != "class"}


def test_a_chain_carries_everything(folder: Path, others: Path, tmp_path: Path) -> None:
    third = write_folder(tmp_path / "third", genres=2, seconds=1.2)
    fit(folder, tmp_path / "a.ckpt")
    fit(others, tmp_path / "b.ckpt", pretrained=tmp_path / "a.ckpt")
    fit(third, tmp_path / "c.ckpt", pretrained=tmp_path / "b.ckpt")
    a, b, c = (record(tmp_path / f"{name}.ckpt") for name in "abc")
    assert a.tracks.keys() == {"train", "validation"}
    assert set(c.tracks["earlier_train"]) == {*a.tracks["train"], *b.tracks["train"]}
    assert set(c.tracks["earlier_validation"]) == {*a.tracks["validation"], *b.tracks["validation"]}
    assert set(c.tracks["train"]) == set(digests(data(third).partition["train"]))
    for root in (folder, others):
        partition = data(root).partition
        assert c.count(partition["train"])["earlier_train"] == len(partition["train"])
        assert c.count(partition["validation"])["earlier_validation"] == len(partition["validation"])
        assert sum(c.count(partition["test"]).values()) == 0


def test_resumed_it_goes_on_bit_for_bit_without_the_old_file(best: Path, four: Path, tmp_path: Path) -> None:
    old = Path(shutil.copy(best, tmp_path / "old.ckpt"))
    fit(four, tmp_path / "whole.ckpt", 3, old, seed=1)
    fit(four, tmp_path / "half.ckpt", 1, old, seed=1)
    old.unlink()
    fit(four, tmp_path / "resumed.ckpt", 3, old, tmp_path / "half.ckpt", seed=1)
    whole, resumed = weights(tmp_path / "whole.ckpt"), weights(tmp_path / "resumed.ckpt")
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert record(tmp_path / "resumed.ckpt") == record(tmp_path / "whole.ckpt")
    assert "earlier_train" in record(tmp_path / "resumed.ckpt").tracks
    # It is this fit's own train tracks that have to be the same.
    with pytest.raises(GenreError, match=r"trained on \d+ tracks, of which \d+ are among"):
        fit(four, tmp_path / "other.ckpt", 3, checkpoint=tmp_path / "half.ckpt", seed=2)


def test_under_a_linear_probe_the_old_backbone_stays(folder: Path, four: Path, tmp_path: Path) -> None:
    network = partial(Backbone, name="test_resnet", pretrained=False)
    fit(folder, tmp_path / "old.ckpt", network=network)
    start = Start()
    fit(four, tmp_path / "probe.ckpt", 2, tmp_path / "old.ckpt", callbacks=(LinearProbe(), start), network=network)
    old, probe = weights(tmp_path / "old.ckpt"), weights(tmp_path / "probe.ckpt")
    backbone = [name for name in old if ".backbone." in name]
    assert any("running_mean" in name for name in backbone)
    assert all(torch.equal(old[name], probe[name]) for name in backbone)
    assert not torch.equal(probe["network.head.weight"], start.weights["network.head.weight"])


REFUSED: dict[str, tuple[list[str], str]] = {
    "another network": (["--model.network=KhameesLSTM", "--model.network.bands=32"], "does not fit KhameesLSTM"),
    "other sizes": (["--model.network.in_channels=2"], "tensors beside the head differ, such as blocks.0.0.weight: (16, 1, 3, 3) in the checkpoint, (16, 2, 3, 3) in the network"),
    "missing": (["--model.pretrained=/nowhere.ckpt"], "/nowhere.ckpt: no such checkpoint"),
    "a folder": (["--model.pretrained=FOLDER"], "a folder, where a checkpoint is expected"),
    "no checkpoint": (["--model.pretrained=FOLDER/text.ckpt"], "text.ckpt: not a checkpoint"),
    "a foreign checkpoint": (["--model.pretrained=FOLDER/foreign.ckpt"], "foreign.ckpt: a checkpoint, but not of a genre classifier"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_one_line(
    case: str, best: Path, four: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.ckpt").write_text("text")
    torch.save({"state_dict": {}, "epoch": 1}, tmp_path / "foreign.ckpt")
    options, message = REFUSED[case]
    options = [option.replace("FOLDER", str(tmp_path)) for option in options]
    runs = tmp_path / "runs"
    start = ["fit", *QUICK, f"--data.root={four}", f"--runs_dir={runs}", f"--model.pretrained={best}"]
    assert run_cli(*start, *options) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("genre: error: ")
    assert message in line
    assert not list(runs.rglob("*.*"))


def test_nothing_is_half_loaded(best: Path) -> None:
    model = GenreClassifier(partial(SpectralCNN, in_channels=2), ["a", "b"], pretrained=best)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(GenreError, match="does not fit SpectralCNN"):
        model.warm_start()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.provenance is None


def test_other_features_are_named(best: Path, four: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "genre"):
        fit(four, tmp_path / "same.ckpt", pretrained=best)
        assert caplog.messages == []
        fit(four, tmp_path / "other.ckpt", pretrained=best, n_mels=40)
    (message,) = caplog.messages
    assert "\n" not in message
    assert message.startswith(f"{best} was trained on MelSpectrogram(")
    there, here = message.split("; this fit's data gives MelSpectrogram(")
    assert "n_mels=32" in there
    assert "n_mels=40" in here


def test_a_checkpoint_without_a_record_makes_it_unknown(
    best: Path, four: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = torch.load(best, weights_only=True)
    content["genre"]["provenance"] = {"train": [], "validation": []}  # as it was before artists were in it
    torch.save(content, tmp_path / "old.ckpt")
    with caplog.at_level(logging.WARNING, "genre"):
        model = fit(four, tmp_path / "new.ckpt", pretrained=tmp_path / "old.ckpt")
    assert "does not say on which tracks it was trained" in caplog.text
    assert torch.load(tmp_path / "new.ckpt", weights_only=True)["genre"]["provenance"] is None
    pl.Trainer(max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False).fit(
        model, datamodule=data(four)
    )
    assert model.provenance is None
    options = [*QUICK, f"--data.root={four}", f"--runs_dir={tmp_path}", f"--model.pretrained={tmp_path / 'old.ckpt'}"]
    assert run_cli("fit", *options, "--name=warm") == 0
    assert metrics(tmp_path / "warm" / "version_0")["seen"] is None


def test_a_second_fit_of_the_same_object(best: Path, four: Path, others: Path, tmp_path: Path) -> None:
    """It goes on from where it is, and keeps the record of the first one."""
    model = fit(four, tmp_path / "one.ckpt", pretrained=best, seed=1)
    start = Start()
    options: dict[str, Any] = {"accelerator": "cpu", "logger": False, "enable_checkpointing": False, "enable_progress_bar": False,
               "enable_model_summary": False}  # fmt: skip
    second = pl.Trainer(max_epochs=1, callbacks=[start], **options)
    second.fit(model, datamodule=data(others))
    assert all(torch.equal(value, start.weights[name]) for name, value in weights(tmp_path / "one.ckpt").items())
    assert model.provenance is not None
    first = record(tmp_path / "one.ckpt").tracks
    assert {*first["train"], *first["earlier_train"]} == set(model.provenance.tracks["earlier_train"])


def test_an_ensemble_refuses_a_member_whose_earlier_fit_knows_the_test_tracks(
    best: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit(folder, tmp_path / "warm.ckpt", pretrained=best, seed=5)
    fit(folder, tmp_path / "cold.ckpt", seed=5)
    recipe = [*QUICK, f"--data.root={folder}", "--data.split.seed=5", "--out", str(tmp_path / "out")]
    recipe = [option for option in recipe if not option.startswith("--trainer")]
    assert run_cli("ensemble", tmp_path / "cold.ckpt", tmp_path / "cold.ckpt", *recipe) == 0
    shutil.rmtree(tmp_path / "out")
    capsys.readouterr()
    assert run_cli("ensemble", tmp_path / "cold.ckpt", tmp_path / "warm.ckpt", *recipe) == 1
    assert "warm.ckpt was trained or chosen on" in capsys.readouterr().err
    assert Ensemble([genre.load(tmp_path / "warm.ckpt")] * 2).genres == ["genre0", "genre1", "genre2"]


def test_the_record_of_a_fit_that_continues_another() -> None:
    first = Provenance({"train": ["1", "2"], "validation": ["3"]}, {"train": ["a"], "validation": ["b"]})
    second = Provenance({"train": ["2", "4"], "validation": ["1"]}, {"train": ["c"], "validation": ["a", "d"]})
    both = second.continuing(first)
    assert both.tracks == dict(second.tracks) | {"earlier_train": ["1"], "earlier_validation": ["3"]}
    assert both.artists == dict(second.artists) | {"earlier_train": ["a"], "earlier_validation": ["b"]}
    assert both.artist_subsets() == ({"a", "c"}, {"a", "b", "d"})
    assert Provenance.read(vars(both)) == both
    assert second.continuing(None) == second
    assert first.continuing(first) == first
    third = Provenance({"train": ["5"], "validation": []}, {"train": [], "validation": []}).continuing(both)
    assert third.tracks["earlier_train"] == ["1", "2", "4"]
    assert third.tracks["earlier_validation"] == ["1", "3"]


class HeadAlone(nn.Module):
    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(1)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.norm(x).mean((1, 3))[:, :3]
        return logits


def test_a_network_without_a_head() -> None:
    with pytest.raises(GenreError, match="HeadAlone has no head"):
        take_weights(HeadAlone(3), {"state_dict": {}, "genre": {"network": None}}, "old.ckpt")
