"""A predictor takes files, file objects, arrays, lists of them and folders, and says the same of the same sound."""

import io
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray

import genre
from genre import Ensemble, GenreError, Predictor
from genre.audio.decode import AudioError

from .conftest import tone


@pytest.fixture(scope="module", params=["Predictor", "Ensemble"])
def predictor(request: pytest.FixtureRequest, trained: Path) -> Predictor | Ensemble:
    """One classifier, and the mean of two, of which the second hears shorter segments."""
    first, second = (genre.load(trained / "checkpoints" / "best.ckpt") for _ in range(2))
    second.segment_seconds = 0.5
    return first if request.param == "Predictor" else Ensemble([first, second])


SOUNDS: dict[str, tuple[float, int, int, str, str]] = {
    # seconds, rate, channels, ending, subtype
    "as the features hear it": (2.4, 22050, 1, "wav", "PCM_16"),
    "stereo at another rate": (3.3, 44100, 2, "flac", "PCM_16"),
    "a higher rate, 24 bits": (1.7, 96000, 2, "flac", "PCM_24"),
    "a lower rate": (2.0, 8000, 1, "wav", "PCM_U8"),
    "shorter than a segment": (0.3, 22050, 1, "wav", "FLOAT"),
    "shorter than a segment, at another rate": (0.1, 48000, 2, "wav", "FLOAT"),
    "many segments": (30.0, 16000, 1, "wav", "PCM_16"),
    "five channels": (1.5, 22050, 5, "wav", "PCM_16"),
    "ogg": (2.5, 44100, 2, "ogg", "VORBIS"),
}


def write(folder: Path, seconds: float, rate: int, channels: int, ending: str, subtype: str) -> Path:
    wave = np.stack([tone(index % 3, index, seconds, rate) for index in range(channels)], 1)
    soundfile.write(folder / f"song.{ending}", wave, rate, subtype=subtype)
    return folder / f"song.{ending}"


def assert_same(one: genre.Prediction, other: genre.Prediction) -> None:
    assert one.probabilities.keys() == other.probabilities.keys()
    assert one.genre == other.genre
    for name, probability in one.probabilities.items():
        assert other.probabilities[name] == pytest.approx(probability, abs=1e-6)


@pytest.mark.parametrize("sound", SOUNDS)
def test_an_array_of_a_files_samples_is_the_file(predictor: Predictor, sound: str, tmp_path: Path) -> None:
    path = write(tmp_path, *SOUNDS[sound])
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    expected = predictor.predict(path)
    assert_same(predictor.predict(samples.T, rate), expected)
    assert_same(predictor.predict(torch.from_numpy(samples.T.copy()).double().requires_grad_(), rate), expected)
    assert predictor.predict(samples.T, rate).path is None
    assert expected.path == path
    if samples.shape[1] == 1:
        assert_same(predictor.predict(samples[:, 0].astype(np.float64), sample_rate=float(rate)), expected)


@pytest.mark.parametrize(
    ("subtype", "dtype"), [("PCM_16", np.int16), ("PCM_32", np.int32), ("PCM_U8", np.uint8), ("FLOAT", np.float16)]
)
def test_integers_have_the_scale_of_a_wav_file(predictor: Predictor, subtype: str, dtype: type, tmp_path: Path) -> None:
    wave = tone(1, 3, 2.0).astype(np.float16).astype(np.float32)
    soundfile.write(tmp_path / "song.wav", wave, 22050, subtype=subtype)
    if subtype == "FLOAT":
        array: NDArray[Any] = wave.astype(dtype)
    elif subtype == "PCM_U8":
        array = np.round(soundfile.read(tmp_path / "song.wav")[0] * 128 + 128).astype(np.uint8)
    else:
        array = soundfile.read(tmp_path / "song.wav", dtype=np.dtype(dtype).name)[0]
    assert array.dtype == dtype
    assert_same(predictor.predict(array, 22050), predictor.predict(tmp_path / "song.wav"))


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3"])
def test_a_file_object_is_the_file(predictor: Predictor, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"song.{ending}"
    soundfile.write(path, tone(2, 5, 2.7, 44100), 44100)
    expected = predictor.predict(str(path))
    in_memory = io.BytesIO(path.read_bytes())
    in_memory.seek(7)  # it is read from its beginning, and may be read again
    for _ in range(2):
        prediction = predictor.predict(in_memory)
        assert prediction.path is None
        assert prediction.probabilities == expected.probabilities
    with path.open("rb") as file:
        prediction = predictor.predict(file)
    assert prediction.path == path
    assert prediction.probabilities == expected.probabilities


class Pipe(io.RawIOBase):
    """Gives its content once, as a download does."""

    def __init__(self, content: bytes) -> None:
        self.content = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self.content.readinto(buffer)


def test_a_file_object_that_cannot_seek(predictor: Predictor, folder: Path) -> None:
    song = next(folder.rglob("*.wav"))
    assert_same(predictor.predict(io.BufferedReader(Pipe(song.read_bytes()))), predictor.predict(song))


def test_a_list_and_a_folder(predictor: Predictor, folder: Path) -> None:
    songs = sorted(folder.rglob("*.wav"))[:3]
    expected = [predictor.predict(song) for song in songs]
    wave, rate = soundfile.read(songs[1])
    mixed = [str(songs[0]), wave, io.BytesIO(songs[2].read_bytes())]
    predictions = predictor.predict(mixed, sample_rate=rate)
    assert [prediction.path for prediction in predictions] == [songs[0], None, None]
    for one, other in zip(predictions, expected, strict=True):
        assert_same(one, other)
    assert predictor.predict(tuple(songs)) == expected
    assert predictor.predict([]) == []
    whole = predictor.predict(folder)
    assert isinstance(whole, list)
    assert [prediction.path for prediction in whole] == sorted(folder.rglob("*.wav"))
    assert whole[:3] == expected
    assert predictor.predict([songs[2], folder, str(songs[0])]) == [expected[2], *whole, expected[0]]
    assert predictor.embed([songs[2], folder]).shape == (1 + len(whole), predictor.embedding_size)


def test_a_bad_file_of_a_folder_is_named_and_left_out(
    predictor: Predictor, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    soundfile.write(tmp_path / "good.wav", tone(0, 0, 1.0), 22050)
    (tmp_path / "bad.wav").write_text("no audio")
    with caplog.at_level(logging.WARNING):
        predictions = predictor.predict(tmp_path)
    assert isinstance(predictions, list)
    (prediction,) = predictions
    assert prediction.path == tmp_path / "good.wav"
    (message,) = caplog.messages
    assert message.startswith(f"skipped {tmp_path / 'bad.wav'}: undecodable")
    (tmp_path / "good.wav").unlink()
    with pytest.raises(GenreError, match=r"every file of this folder is bad; one is .*bad\.wav"):
        predictor.predict(tmp_path)
    (tmp_path / "bad.wav").unlink()
    with pytest.raises(GenreError, match="no audio file in this folder"):
        predictor.predict(str(tmp_path))
    with pytest.raises(GenreError, match="no audio file in this folder"):
        predictor.predict([tmp_path])


WAVE = tone(0, 1, 1.0)

#: What is passed, its rate, the message, and whether the audio is at fault.
REFUSED: dict[str, tuple[Callable[[Path], Any], Any, str, bool]] = {
    "no rate": (lambda _: WAVE, None, "the array: an array needs its sample_rate in hertz", False),
    "rate of zero": (lambda _: WAVE, 0, "sample_rate must be a positive whole number of hertz; found 0", False),
    "rate of NaN": (lambda _: WAVE, float("nan"), "sample_rate must be a positive whole number", False),
    "rate as text": (lambda _: WAVE, "22050", "sample_rate must be a positive whole number of hertz; found '22050'", False),
    "rate for a file": (lambda folder: next(folder.rglob("*.wav")), 22050, "sample_rate=22050 was given with a file", False),
    "rate for a file object": (lambda _: io.BytesIO(b"x"), 22050, "sample_rate=22050 was given with a file", False),
    "rate for a folder": (lambda folder: folder, 22050, "sample_rate=22050 was given with a folder", False),
    "rate for a list of files": (lambda folder: list(folder.rglob("*.wav")), 22050, "was given with files alone", False),
    "empty": (lambda _: WAVE[:0], 22050, "the array: no audio frames", True),
    "empty channels": (lambda _: np.zeros((2, 0)), 22050, "the array: no audio frames", True),
    "NaN": (lambda _: np.where(np.arange(22050) == 9, np.nan, WAVE), 22050, "the array: NaN or infinite samples", True),
    "infinite": (lambda _: np.full(900, np.inf), 22050, "the array: NaN or infinite samples", True),
    "beyond float32": (lambda _: np.full(900, 1e300), 22050, "the array: NaN or infinite samples", True),
    "integers as floating point": (lambda _: 20000.0 * WAVE, 22050, r"the array: a peak of \d+.* \(integers as floating point", True),
    "a scalar": (lambda _: np.zeros(()), 22050, r"found 0 dimensions, \(\)", False),
    "a batch": (lambda _: torch.zeros(4, 1, 900), 22050, r"found 3 dimensions, \(4, 1, 900\); pass a batch as a list", False),
    "frames first": (lambda _: np.stack([WAVE] * 2, 1), 22050, r"found \(22050, 2\); pass its transpose", False),
    "int64": (lambda _: np.arange(900), 22050, "found int64 samples; expected floating point with full scale 1, or int8", False),
    "complex": (lambda _: np.zeros(900, complex), 22050, "found complex128 samples", False),
    "objects": (lambda _: np.array(["a", None], object), 22050, "found object samples", False),
    "nothing": (lambda _: None, None, "expected a path, a binary file object, a NumPy array or a tensor; found NoneType", False),
    "a number": (lambda _: np.float32(1), 22050, "expected a path, .* found float32", False),
    "bytes": (lambda _: b"RIFF", None, "found bytes", False),
    "numbers": (lambda _: [0.1, 0.2], None, "element 0: expected a path, .* found float", False),
    "text file": (lambda folder: io.StringIO("x"), None, "opened as text; open it with mode 'rb'", False),
    "no audio": (lambda _: io.BytesIO(b"no audio"), None, "the file object: undecodable", True),
    "nothing in it": (lambda _: io.BytesIO(), None, "the file object: empty file", True),
    "missing": (lambda folder: folder / "gone.wav", None, r"gone\.wav: no such file", True),
    "bad array of a list": (lambda _: [WAVE, WAVE[:0]], 22050, "element 1: no audio frames", True),
    "bad file object of a list": (lambda _: [io.BytesIO(b"no audio")], None, "element 0: undecodable", True),
    "array of a list without a rate": (lambda _: [WAVE], None, "element 0: an array needs its sample_rate", False),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(predictor: Predictor, case: str, folder: Path) -> None:
    make, rate, message, at_fault = REFUSED[case]
    with pytest.raises(GenreError, match=message) as error:
        predictor.predict(make(folder), rate)
    assert isinstance(error.value, AudioError) == at_fault
    assert "\n" not in str(error.value)


def test_a_closed_file_object(predictor: Predictor, folder: Path) -> None:
    with next(folder.rglob("*.wav")).open("rb") as file:
        pass
    with pytest.raises(AudioError, match=r"\.wav: unreadable \(.*closed"):
        predictor.predict(file)
