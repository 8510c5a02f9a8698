"""A mistake in the options or the files of ``genre fit`` is one line that says what to do."""

from pathlib import Path

import pytest

from genre.cli.options import nearest

from ..conftest import QUICK, run_cli

CHECKPOINT = "runs/<name>/version_N/checkpoints/best.ckpt"

#: Options after those of a fit that works, the exit status, and what the line says.
MISTAKES = {
    "misspelt option": (["--data.rot=x"], 2, "unknown option --data.rot; did you mean --data.root?"),
    "misspelt option of the trainer": (["--trainer.max_epoch=3"], 2, "unknown option --trainer.max_epoch; did you mean --trainer.max_epochs?"),
    "misspelt option of the split": (["--data.split.by_artst=true"], 2, "unknown option --data.split.by_artst; did you mean --data.split.by_artist?"),
    "misspelt option of the network": (["--model.network.dropuot=1"], 2, "unknown option --model.network.dropuot; did you mean --model.network.dropout?"),
    "option without its group": (["--max_epochs=3"], 2, "did you mean --trainer.max_epochs?"),
    "misspelt data set": (["--data=GTZAM"], 2, "data: no class named GTZAM fits here; did you mean GTZAN?"),
    "misspelt network": (["--model.network=ResNet19"], 2, "did you mean ResNet18?"),
    "misspelt optimizer": (["--model.optimizer=Adamm"], 2, "model.optimizer: no class named Adamm fits here; did you mean Adam?"),
    "misspelt scheduler": (["--model.scheduler=StepLRR"], 2, "did you mean StepLR?"),
    "misspelt callback": (["--trainer.callbacks=genre.LinearPrbe"], 2, "no class named genre.LinearPrbe fits here; did you mean LinearProbe?"),
    "ambiguous network": (["--model.network=ResNet"], 2, "model.network: several classes are named ResNet; give the full name of one"),
    "unknown module": (["--model.network=nowhere.Net"], 2, "no class named nowhere.Net"),
    "wrong kind of class": (["--data.split=genre.audio.MFCC"], 2, "data.split: genre.audio.mfcc.MFCC is no Split; choose KFoldSplit,"),
    "not a number": (["--data.batch_size=many"], 2, "data.batch_size: expected a whole number; found 'many'"),
    "neither one value nor null": (["--data.artist=tag"], 2, "data.artist: expected tags or null; found 'tag'"),
    "neither number nor list": (["--model.network=genre.models.CRNN", "--model.network.stride=1.5"], 2, "model.network.stride: expected a whole number or a list; found '1.5'"),
    "none of the values": (["--model.network=genre.models.CRNN", "--model.network.cell=LSTM"], 2, "model.network.cell: expected lstm, gru or rnn; found 'LSTM'"),
    "neither number nor null": (["--trainer.max_epochs=banana"], 2, "expected a whole number or null; found 'banana'"),
    "none of the choices": (["--trainer.precision=bf16x"], 2, "bf16-true, bf16-mixed, 32-true, 64-true, bf16 or null; found 'bf16x'"),
    "too small a seed": (["--seed_everything=-1"], 1, "seed_everything: found -1; give a whole number from 0 to 4294967295"),
    "impossible share": (["--data.split.test=2"], 1, "found validation=0.15, test=2.0"),
    "missing root": (["--data.root=/nowhere"], 1, "/nowhere: found nothing, expected a folder of audio"),
    "missing config": (["--config=/nowhere.yaml"], 2, "/nowhere.yaml"),
    "missing checkpoint": (["--ckpt_path=/nowhere.ckpt"], 1, "/nowhere.ckpt: no such checkpoint"),
    "no official split": (["--data.split=genre.data.OfficialSplit"], 1, "has no official split"),
    "missing weights": (["--model.network=ResNet18", "--model.network.pretrained=/no.pth"], 1, "/no.pth is no file"),
    "no backbone": (["--trainer.callbacks+=genre.LinearProbe"], 1, "SpectralCNN has no backbone"),
    "no backbone, a single callback": (["--trainer.callbacks=genre.LinearProbe"], 1, "SpectralCNN has no backbone"),
    "too few rows": (["--data.features.n_mels=16"], 1, "found 16 bands"),
    "refused by the network": (["--model.network.dropout=7"], 1, "dropout is the share that is dropped, at least 0 and below 1; found 7.0"),
    "refused by torch": (["--model.network.in_channels=-1"], 1, "SpectralCNN: Trying to create tensor with negative dimension -1"),
    "refused by the trainer": (["--trainer.accelerator=banana"], 1, "Trainer: You selected an invalid accelerator name"),
    "refused by Lightning": (["--trainer.max_epochs=-5"], 1, "`max_epochs` must be a non-negative integer or -1"),
    "nothing to train": (["--trainer.max_epochs=0"], 1, "trainer.max_epochs is 0, which leaves nothing to train"),
    "nothing of that name": (["--checkpoint.monitor=val_acc"], 1, "found val_acc; a fit logs train_loss, train_accuracy, val_loss,"),
    "too large a rate": (["--model.optimizer=torch.optim.SGD", "--model.optimizer.lr=1e30"], 1, "the fit has diverged; lower the learning rate (model.optimizer.lr)"),
    "batches of one": (["--data.batch_size=1"], 1, "batch norm cannot be trained on one example at a time; raise data.batch_size"),
    "segments of no length": (["--data.split=SegmentSplit", "--data.split.seconds=0"], 1, "length in seconds must be positive; found 0.0"),
    "an effect at another rate": (["--data.augment_waveform=[{class_path: Delay, init_args: {sample_rate: 8000}}]"], 1, "Delay is made for 8000 Hz, the features use 22050 Hz; give it sample_rate: 22050"),
    "nothing to blend": (["--data.mixup={class_path: Mixup, init_args: {alpha: -1}}"], 1, "alpha of mixup must be positive; found -1"),
    "too many processes": (["--trainer.devices=99"], 1, "trainer.devices: found 99 processes for "),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line(mistake: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options, status, message = MISTAKES[mistake]
    assert run_cli("fit", *QUICK, f"--data.root={folder}", f"--runs_dir={tmp_path}", *options) == status
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("genre: error: ")
    assert message in line
    assert "Union" not in line
    begun = mistake in ("too few rows", "too large a rate", "batches of one")  # which the first steps find
    assert bool(list(tmp_path.rglob("version_*"))) == begun


#: Commands as they are, and what the line says.
COMMANDS = {
    "nothing": (["fit"], 2, "missing --model.network and --data; give what is missing, or --config RECIPE"),
    "misspelt flag": (["fit", "--print_confg"], 2, "unknown option --print_confg; did you mean --print_config?"),
    "no option": (["fit", "--bogus"], 2, "unknown option --bogus"),
    "no data": (["fit", "--data.root=x"], 2, "give --data too, such as --data Folder"),
    "data without features": (["figures", "--data=Folder", "--data.root=x"], 2, "missing --model.network, --data.features and --data.split"),
    "no split": (["fit", "--data=Folder", "--data.split.test=0.2"], 2, "give --data.split too, such as --data.split StratifiedSplit"),
    "nothing to test": (["test"], 2, f"missing --model.network and --data; give what is missing, or --ckpt_path {CHECKPOINT}"),
    "random weights": (["test", *QUICK, "--data.root=x"], 2, f"genre test scores a trained network: give --ckpt_path {CHECKPOINT}"),
    "random weights again": (["validate", *QUICK, "--data.root=x"], 2, "genre validate scores a trained network"),
    "missing checkpoint alone": (["test", "--ckpt_path=/nowhere.ckpt"], 1, "/nowhere.ckpt: no such checkpoint"),
    "folder as checkpoint": (["fit", "--ckpt_path", "/"], 1, "a folder, where a checkpoint is expected"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", COMMANDS)
def test_a_bad_command_is_one_line(mistake: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, status, message = COMMANDS[mistake]
    assert run_cli(*arguments) == status
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert message in line


FILES = {
    "binary": (b"\xc5\x00\xff", "not a YAML file"),
    "empty": (b"", "found no keys; expected `key: value` lines"),
    "list": (b"- a\n- b\n", "found no keys; expected `key: value` lines"),
    "tab": (b"model:\n\tnetwork: x\n", "not a YAML file"),
    "misspelt group": (b"modle:\n  network: x\n", "unknown option --modle.network; did you mean --model.network?"),
    "unknown key": (b"model:\n  colour: red\n", "unknown option --model.colour"),
}


@pytest.mark.parametrize("verb", ["fit", "figures"])
@pytest.mark.parametrize("kind", FILES)
def test_bad_configuration_files(verb: str, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content, message = FILES[kind]
    (tmp_path / "recipe.yaml").write_bytes(content)
    assert run_cli(verb, *QUICK, "--data.root=x", "--config", tmp_path / "recipe.yaml") == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert message in line
    assert ("recipe.yaml: " in line) is ("option" not in message)
    assert "<unicode string>" not in line


@pytest.mark.parametrize("verb", ["ensemble", "figures", "audit"])
def test_a_file_where_the_result_goes(verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Said before anything else is looked at: neither the checkpoint nor the data exist."""
    (tmp_path / "song.mp3").touch()
    for out in (tmp_path / "song.mp3", tmp_path / "song.mp3" / "deeper"):
        arguments = ["--config=x"] if verb == "figures" else [tmp_path / "nowhere"]
        assert run_cli(verb, *arguments, "--out", out) == 1
        assert f"{out}: cannot be made" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["song.mp3"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("--trainer.max_epoch", "trainer.max_epochs"),
        ("modle.network", "model.network"),
        ("model.colour", None),  # however much of it is that of model.compile
        ("--netwrok", None),
        ("--nam", "name"),
    ],
)
def test_nearest(name: str, expected: str | None) -> None:
    known = ["--trainer.max_epochs", "--trainer.min_epochs", "--model.network", "--model.compile", "--name"]
    assert nearest(name, known) == expected
