"""Stretches of an mp3 are those of the whole file, and its decoder has nothing to write to stderr about."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from genre.audio.decode import AudioError, decode, probe, read_segment
from genre.audio.mpeg import MAX_JUNK, find_stream, index_frames

from .odd_files import RATE, id3, sound, wave

#: Rate, channels and encoding; of the lowest bit rates a frame's bits begin up to nine frames before it.
ENCODINGS = {
    f"{rate} Hz, {channels} channels, {mode}, {level}": (rate, channels, mode, level)
    for rate, channels in ((8000, 1), (16000, 2), (22050, 1), (24000, 2), (32000, 1), (44100, 2), (48000, 2))
    for mode, level in (("CONSTANT", 0.2), ("CONSTANT", 0.95), ("VARIABLE", 0.7))
}


def write(path: Path, rate: int, channels: int, mode: str, level: float) -> None:
    samples = np.stack([wave(rate=rate, seed=seed) for seed in range(channels)], axis=1)
    soundfile.write(path, samples, rate, bitrate_mode=mode, compression_level=level)


def whole(path: Path) -> NDArray[np.float32]:
    """All of a file, mono, block by block."""
    samples: NDArray[np.float32] = np.concatenate(list(decode(path)[1])).mean(axis=1)
    return samples


@pytest.mark.parametrize(("rate", "channels", "mode", "level"), ENCODINGS.values(), ids=ENCODINGS)
def test_any_stretch_is_that_of_the_whole_file(
    tmp_path: Path, rate: int, channels: int, mode: str, level: float, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.mp3"
    write(path, rate, channels, mode, level)
    stream = find_stream(path)
    assert stream is not None
    expected = soundfile.read(path, dtype="float32", always_2d=True)[0].mean(axis=1)
    if not stream.frames:  # without a count of the frames, libsndfile does not take the decoder's delay away
        expected = expected[529:]
    capfd.readouterr()
    assert probe(path).frames == len(expected)
    np.testing.assert_allclose(whole(path), expected, rtol=0, atol=2.5e-7)
    random = np.random.default_rng(0)
    for position, length in zip(random.random(20), random.integers(1, rate // 2, 20), strict=True):
        start = round(position * (len(expected) - length))
        segment = read_segment(path, rate, int(length), position)
        np.testing.assert_allclose(segment, expected[start : start + length], rtol=0, atol=2.5e-7)
    assert capfd.readouterr().err == ""


def test_threads_decode_at_the_same_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each waits inside the decoder until the other is there, too."""
    sound(tmp_path / "a.mp3")
    sound(tmp_path / "b.mp3", seed=1)
    paths = [tmp_path / "a.mp3", tmp_path / "b.mp3"]
    alone = [read_segment(path, RATE, RATE, 0.5) for path in paths]
    both = threading.Barrier(2, timeout=20)
    read = soundfile.SoundFile.read

    def read_together(self: soundfile.SoundFile, *arguments: object, **options: object) -> NDArray[np.float32]:
        both.wait()
        frames: NDArray[np.float32] = read(self, *arguments, **options)
        return frames

    monkeypatch.setattr(soundfile.SoundFile, "read", read_together)
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(lambda path: read_segment(path, RATE, RATE, 0.5), paths))
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE", "AVERAGE"])
def test_frames_are_those_that_the_file_states(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.mp3"
    sound(path, bitrate_mode=mode)
    stream = find_stream(path)
    assert stream is not None
    assert stream.complete
    index = index_frames(path, stream)
    assert (stream.frames, index.intact, index.strays) == (len(index.places), len(index.places), 0)
    assert stream.samples(stream.frames) == 3 * RATE


#: What is made of the bytes of an mp3.
TAGGED: dict[str, Callable[[bytes], bytes]] = {
    "picture": lambda data: id3(300_000) + data,
    "two tags": lambda data: id3(300) + id3(20) + data,
    "old tag": lambda data: data + b"TAG" + bytes(125),
    "tag of APE": lambda data: data + b"APETAGEX" + bytes(124),
    "zeros before": lambda data: bytes(5000) + data,
    "zeros after": lambda data: data + bytes(5000),
    "noise after": lambda data: data + np.random.default_rng(0).bytes(50_000),
}


@pytest.mark.parametrize("name", TAGGED)
def test_bytes_around_the_audio_change_nothing(tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    data = sound(tmp_path / "a.mp3")
    (tmp_path / "b.mp3").write_bytes(TAGGED[name](data))
    assert probe(tmp_path / "b.mp3").seconds == 3.0
    np.testing.assert_array_equal(whole(tmp_path / "b.mp3"), whole(tmp_path / "a.mp3"))
    assert capfd.readouterr().err == ""


#: Files of another format under the name of an mp3.
OTHERS: dict[str, Callable[[Path], object]] = {
    "text": lambda path: path.write_text("no audio at all\n" * 100),
    "zeros": lambda path: path.write_bytes(bytes(9000)),
    "noise": lambda path: path.write_bytes(np.random.default_rng(0).bytes(200_000)),
    "tag alone": lambda path: path.write_bytes(id3(5000)),
    "too many bytes before": lambda path: path.write_bytes(bytes(MAX_JUNK + 2) + sound(path)),
}


def test_a_file_that_becomes_another_is_read_anew(tmp_path: Path) -> None:
    path, other = tmp_path / "song.mp3", tmp_path / "other.mp3"
    write(path, 44100, 2, "CONSTANT", 0.5)
    write(other, 22050, 1, "VARIABLE", 0.5)
    assert probe(path).sample_rate == 44100
    other.replace(path)
    assert probe(path).sample_rate == 22050
    all_of_it = whole(path)
    np.testing.assert_allclose(read_segment(path, 22050, len(all_of_it), 0), all_of_it, rtol=0, atol=2.5e-7)


@pytest.mark.parametrize("name", OTHERS)
def test_no_mp3(tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.mp3"
    OTHERS[name](path)
    with pytest.raises(AudioError) as caught:
        probe(path)
    assert caught.value.reason == "undecodable (Format not recognised)"
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("container", ["WAV", "OGG", "FLAC", "AIFF"])
def test_another_format_under_that_name_is_heard(
    tmp_path: Path, container: str, capfd: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(tmp_path / "a.mp3", wave(), RATE, format=container)
    expected = soundfile.read(tmp_path / "a.mp3", dtype="float32")[0]
    capfd.readouterr()
    np.testing.assert_array_equal(whole(tmp_path / "a.mp3"), expected)
    assert capfd.readouterr().err == ""


def test_a_few_lost_bytes_cost_a_few_frames(tmp_path: Path) -> None:
    data = sound(tmp_path / "a.mp3")
    middle = len(data) // 2
    (tmp_path / "b.mp3").write_bytes(data[:middle] + bytes(300) + data[middle + 300 :])
    expected, samples = whole(tmp_path / "a.mp3"), whole(tmp_path / "b.mp3")
    lost = 2 * 576  # two frames; what follows moves up by as much
    np.testing.assert_array_equal(samples[:30_000], expected[:30_000])
    np.testing.assert_allclose(samples[36_000:64_000], expected[36_000 + lost : 64_000 + lost], rtol=0, atol=2.5e-7)
    assert np.abs(samples).max() <= 1.5 * np.abs(expected).max()


def test_more_lost_bytes_are_named_where_they_are_read(tmp_path: Path) -> None:
    data = sound(tmp_path / "a.mp3")
    middle = len(data) // 2
    (tmp_path / "b.mp3").write_bytes(data[:middle] + bytes(2000) + data[middle + 2000 :])
    expected = read_segment(tmp_path / "a.mp3", RATE, RATE, 0)
    np.testing.assert_array_equal(read_segment(tmp_path / "b.mp3", RATE, RATE, 0), expected)
    for position in (0.5, 1):
        with pytest.raises(AudioError, match=r"undecodable \(damaged\)$"):
            read_segment(tmp_path / "b.mp3", RATE, RATE, position)
