"""A caller tells the kinds of errors by their class."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from genre.audio.decode import probe, read_segment
from genre.checkpoint import read_checkpoint
from genre.config import from_config
from genre.errors import (
    AudioError,
    CheckpointError,
    EmptyAudioError,
    GenreError,
    MissingAudioError,
    SizeError,
    UnknownClassError,
    printable,
)


def write_nothing(path: Path) -> None:
    path.touch()


def write_no_frame(path: Path) -> None:
    soundfile.write(path, np.zeros(0), 22050, subtype="PCM_16")


def write_text(path: Path) -> None:
    path.write_text("no audio\n" * 100)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda path: None, MissingAudioError),
        (Path.mkdir, MissingAudioError),
        (lambda path: path.symlink_to("nowhere.wav"), MissingAudioError),
        (write_nothing, EmptyAudioError),
        (write_no_frame, EmptyAudioError),
        (write_text, AudioError),
    ],
    ids=["missing", "folder", "dangling link", "empty", "no frame", "text"],
)
def test_kinds_of_audio(make: Callable[[Path], object], kind: type[AudioError], tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    make(path)
    for read in (probe, lambda path: read_segment(path, 22050, 100, 0.5)):
        with pytest.raises(AudioError) as caught:
            read(path)
        assert type(caught.value) is kind
        assert str(caught.value) == f"{path}: {caught.value.reason}"


@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir, write_nothing, write_text])
def test_no_checkpoint(make: Callable[[Path], object], tmp_path: Path) -> None:
    make(tmp_path / "best.ckpt")
    with pytest.raises(CheckpointError, match=r"best\.ckpt: "):
        read_checkpoint(tmp_path / "best.ckpt")


@pytest.mark.parametrize("path", ["genre.models.Future", "elsewhere.Net", "__main__.Lost"])
def test_unknown_class(path: str) -> None:
    from torch import nn

    with pytest.raises(UnknownClassError, match=path):
        from_config({"class_path": path, "init_args": {}}, nn.Module, 3)


def test_the_tree() -> None:
    kinds = (AudioError, CheckpointError, UnknownClassError, SizeError)
    assert all(issubclass(kind, GenreError) for kind in kinds)
    assert issubclass(SizeError, ValueError)
    assert {MissingAudioError, EmptyAudioError} == set(AudioError.__subclasses__())


def test_a_name_that_is_no_text_is_escaped() -> None:
    assert printable(Path("b\udce9b\u00e9.wav")) == "b\\udce9b\u00e9.wav"
